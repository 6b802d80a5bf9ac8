//! Artifacts under way, and how much everybody may still give today.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::PathBuf;

use sha2::Sha256;

/// Sources whose bytes are counted one by one in a day. Those beyond share one budget.
const SOURCES: usize = 65_536;

/// Microseconds of a day.
const DAY: i64 = 86_400 * 1_000_000;

/// One artifact under way.
pub(super) struct Open {
    /// None: it is only hashed, because somebody's bound is reached.
    pub(super) file: Option<Temporary>,
    pub(super) hash: Sha256,
    pub(super) size: u64,
    pub(super) source: IpAddr,
    /// When its last bytes came.
    pub(super) touched: i64,
}

/// A file that goes away with its value unless it was given a place.
pub(super) struct Temporary {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) placed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is removed when the store is opened the next time.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Bytes that were kept of each source and each socket since midnight UTC.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    day: i64,
    sources: BTreeMap<IpAddr, u64>,
    /// Of all sources beyond [`SOURCES`].
    others: u64,
    sockets: BTreeMap<usize, u64>,
}

impl Budgets {
    /// Takes `bytes` of a source's and a socket's share, if both have so much left.
    pub(super) fn take(
        &mut self,
        source: IpAddr,
        socket: usize,
        bytes: u64,
        now: i64,
        (of_source, of_socket): (u64, u64),
    ) -> bool {
        let day = now.div_euclid(DAY);
        if day != self.day {
            *self = Budgets { day, ..Budgets::default() };
        }
        let known = self.sources.len() < SOURCES || self.sources.contains_key(&block(source));
        let given = if known { self.sources.entry(block(source)).or_default() } else { &mut self.others };
        let said = self.sockets.entry(socket).or_default();
        let fits = *given + bytes <= of_source && *said + bytes <= of_socket;
        if fits {
            *given += bytes;
            *said += bytes;
        }
        fits
    }
}

/// Whoever has one IPv6 address has the 2^64 around it.
fn block(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(source) => IpAddr::V6((u128::from(source) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_share_and_no_more() {
        let (a, b) = ([198, 51, 100, 7].into(), [198, 51, 100, 8].into());
        let mut budgets = Budgets::default();
        let mut take = |source, socket, bytes, now| budgets.take(source, socket, bytes, now, (100, 150));
        assert!(take(a, 1, 60, 0) && !take(a, 1, 41, 0) && take(a, 1, 40, DAY - 1));
        assert!(!take(a, 2, 1, 0), "another service, the same source");
        assert!(!take(b, 1, 51, 0) && take(b, 1, 50, 0), "another source, the same socket");
        assert!(take(a, 1, 100, DAY), "the next day");
    }

    #[test]
    fn sources_without_number_share_one_budget() {
        let mut budgets = Budgets::default();
        for number in 0..SOURCES as u32 {
            assert!(budgets.take(IpAddr::V4(number.into()), 0, 1, 0, (100, u64::MAX)));
        }
        let mut beyond = |number: u32| budgets.take(IpAddr::V4(number.into()), 0, 60, 0, (100, u64::MAX));
        assert!(beyond(4_000_000_000) && !beyond(4_000_000_001));
        assert!(beyond(5), "known ones keep theirs");
        let of = |text: &str| block(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
