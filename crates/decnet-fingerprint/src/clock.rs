//! TCP timestamps (RFC 7323) as the claimed system's clock gives them.
//!
//! The kernel counts milliseconds from its own boot. What the LAN sees counts in the persona's unit from the
//! decky's boot, with a frequency that is a little off, as that of every quartz is: two deckies on one kernel
//! share neither uptime nor skew. A connection keeps the line on which it began.

use crate::facts::{Epoch, Timestamps};
use crate::random::{Random, mix};

/// Kernel ticks per second.
const KERNEL_HZ: i64 = 1000;
/// How far a clock's frequency may be off, in millionths.
const WORST_SKEW: u64 = 60;
/// How far, in kernel ticks, a connection gets from where its line begins: twelve days.
const FAR: i64 = 1 << 30;
/// How often we look whether the decky was rebooted, in microseconds.
const LOOK_AGAIN: u64 = 60_000_000;

/// The present, from outside: this crate has no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since any fixed time.
    pub micros: u64,
    /// Seconds since 1970-01-01 UTC.
    pub unix: i64,
}

/// When a machine was last booted, given the present, both in seconds since 1970-01-01 UTC.
pub type Boots = Box<dyn Fn(i64) -> i64 + Send>;

/// The decky's clock.
pub(crate) struct Clock {
    boots: Boots,
    /// Millionths.
    skew: i64,
    secret: u64,
    /// The boot, in seconds since 1970 and in the microseconds of [`Moment`].
    booted: Option<(i64, i64)>,
    look_again: u64,
}

impl Clock {
    pub(crate) fn new(boots: Boots, random: &mut Random) -> Clock {
        let skew = (random.next() % (2 * WORST_SKEW + 1)) as i64 - WORST_SKEW as i64;
        Clock { boots, skew, secret: random.next(), booted: None, look_again: 0 }
    }

    /// The line on which a connection's timestamps run, the kernel's first one being `kernel`.
    pub(crate) fn line(
        &mut self,
        timestamps: Timestamps,
        peer: u32,
        kernel: u32,
        now: Moment,
        random: &mut Random,
    ) -> Line {
        let micros = now.micros as i64 - self.booted(now);
        let ticks = i128::from(micros) * i128::from(timestamps.hz) * i128::from(1_000_000 + self.skew)
            / 1_000_000_000_000;
        let offset = match timestamps.from {
            Epoch::Boot => 0,
            Epoch::Peer => mix(self.secret ^ u64::from(peer)) as u32,
            Epoch::Connection => random.next() as u32,
        };
        let shown = (ticks as u32).wrapping_add(offset);
        Line {
            kernel,
            shown,
            last: (kernel, shown),
            rate: i64::from(timestamps.hz) * (1_000_000 + self.skew),
        }
    }

    fn booted(&mut self, now: Moment) -> i64 {
        if let Some((_, micros)) = self.booted
            && now.micros < self.look_again
        {
            return micros;
        }
        self.look_again = now.micros.saturating_add(LOOK_AGAIN);
        let booted = (self.boots)(now.unix);
        match self.booted {
            Some((known, micros)) if known == booted => micros,
            _ => {
                let since = now.unix.saturating_sub(booted).saturating_mul(1_000_000);
                let micros = (now.micros as i64).saturating_sub(since);
                self.booted = Some((booted, micros));
                micros
            }
        }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock")
            .field("skew", &self.skew)
            .field("booted", &self.booted)
            .finish_non_exhaustive()
    }
}

/// The timestamps of one connection: the kernel's and those that are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    kernel: u32,
    shown: u32,
    /// The last value shown, and the *first* of the kernel's that it stood for. The kernel drops the last
    /// segment of a handshake that echoes a value which it never sent, so the way back must be exact.
    last: (u32, u32),
    /// Shown ticks in a second of the kernel's, in millionths.
    rate: i64,
}

impl Line {
    /// What is shown for a value of the kernel's.
    pub(crate) fn show(&mut self, kernel: u32) -> u32 {
        let passed = i64::from(kernel.wrapping_sub(self.kernel).cast_signed());
        let ticks = (passed * self.rate).div_euclid(KERNEL_HZ * 1_000_000);
        let shown = self.shown.wrapping_add(ticks as u32);
        if shown != self.last.1 {
            self.last = (kernel, shown);
        }
        if passed > FAR {
            // A connection of many days: the line goes on from here, before the difference wraps.
            (self.kernel, self.shown) = (kernel, shown);
        }
        shown
    }

    /// The kernel's value for one that was shown and comes back.
    pub(crate) fn recall(&self, shown: u32) -> u32 {
        let (kernel, last) = self.last;
        let behind = i64::from(last.wrapping_sub(shown).cast_signed());
        let passed = (behind * KERNEL_HZ * 1_000_000).div_euclid(self.rate);
        kernel.wrapping_sub(passed as u32)
    }
}
