//! Keeps large replies within what the runner lets pass.
//!
//! A reply of more than a few times its request counts against a budget per second and source, so that a
//! decky is no amplifier; what is over it is dropped, and a client that walks the tree would wait for its
//! timeout each time. So the agent itself answers such requests no faster than the budget allows: it looks
//! like a device with a slow processor, and no reply is lost.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// Longest wait; what would have to wait longer is not answered, as on an agent whose queue is full.
const LONGEST: Duration = Duration::from_millis(900);
/// Sources remembered at once.
const MAX_SOURCES: usize = 1024;

/// The time at which each source's budget is full again.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    full_at: HashMap<IpAddr, Instant>,
}

impl Pace {
    /// How long a reply has to wait; `None` if it may not be sent at all.
    pub(crate) fn wait(
        &mut self,
        limits: &Limits,
        source: IpAddr,
        request: usize,
        reply: usize,
    ) -> Option<Duration> {
        if reply <= request.saturating_mul(limits.datagram_factor) {
            return Some(Duration::ZERO);
        }
        // A fifth of the budget at once, the rest evenly: never more than the whole in any second.
        let per_second = f64::from(limits.large_replies_per_second.max(1));
        let burst = (per_second / 5.0).max(1.0);
        let every = Duration::from_secs_f64(1.0 / (per_second - burst).max(0.5));
        let now = Instant::now();
        if self.full_at.len() >= MAX_SOURCES && !self.full_at.contains_key(&source) {
            self.full_at.retain(|_, full| *full > now);
            if self.full_at.len() >= MAX_SOURCES {
                return None;
            }
        }
        let full_at = self.full_at.entry(source).or_insert(now);
        let spent = full_at.saturating_duration_since(now);
        let wait = spent.saturating_sub(every.mul_f64(burst - 1.0));
        if wait > LONGEST {
            return None;
        }
        *full_at = (*full_at).max(now) + every;
        Some(wait)
    }

    /// Forgets sources whose budget is full.
    pub(crate) fn settle(&mut self) -> bool {
        let now = Instant::now();
        self.full_at.retain(|_, full| *full > now);
        !self.full_at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_holds_more_than_the_budget() {
        let limits = Limits { large_replies_per_second: 20, ..Limits::default() };
        let source: IpAddr = [198, 51, 100, 1].into();
        let mut pace = Pace::default();
        assert_eq!(pace.wait(&limits, source, 40, 120), Some(Duration::ZERO), "small replies never wait");
        let began = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..100 {
            let wait = pace.wait(&limits, source, 40, 1400).unwrap();
            tokio::time::advance(wait).await;
            sent.push(Instant::now().duration_since(began));
        }
        for (place, at) in sent.iter().enumerate() {
            let within = sent[place..].iter().filter(|other| **other < *at + Duration::from_secs(1)).count();
            assert!(within <= 20, "{within} replies within a second from {at:?}");
        }
        assert!(sent[99] < Duration::from_secs(8), "and yet it goes on: {:?}", sent[99]);
    }

    #[tokio::test(start_paused = true)]
    async fn queue_and_table_are_bounded() {
        let limits = Limits { large_replies_per_second: 20, ..Limits::default() };
        let mut pace = Pace::default();
        let source: IpAddr = [198, 51, 100, 1].into();
        let granted = (0..200).filter(|_| pace.wait(&limits, source, 40, 1400).is_some()).count();
        assert!((4..40).contains(&granted), "{granted}");
        for number in 0..2000u32 {
            let _ = pace.wait(&limits, IpAddr::from(number.to_be_bytes()), 40, 1400);
        }
        assert!(pace.full_at.len() <= MAX_SOURCES);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!pace.settle());
    }
}
