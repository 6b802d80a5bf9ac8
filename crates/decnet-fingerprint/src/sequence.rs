//! Initial sequence numbers, as the claimed system's generator gives them.
//!
//! nmap takes six of them, about 100 ms apart, and looks at the mean and the spread of their differences per
//! second (SP, ISR) and their greatest common divisor (GCD). Entries of its list are narrow: six draws of a
//! plain random generator leave them now and then. So the steps of a peer are stratified: of any five in a row
//! every fifth of the distribution gives one, and what five differences tell of the generator is always about
//! the same. The order of the fifths is drawn anew after every pause.

use crate::facts::InitialSequence;
use crate::random::Random;
use crate::table::{Table, Worth};

/// Peers whose last number is remembered. More scanners at once see ordinary random numbers.
const PEERS: usize = 256;
/// Where the steps of five lie, in standard deviations.
const STRATA: [f64; 5] = [-1.2, -0.6, 0.0, 0.6, 1.2];
/// How far a step strays from its place, either way.
const JITTER: f64 = 0.15;
/// The standard deviation of the five, without which the spread would come out too small.
const UNIT: f64 = 0.95;
/// A step covers at least and at most this time, in seconds: a pause tells nothing of the generator.
const SHORTEST: f64 = 0.002;
const LONGEST: f64 = 0.12;

/// A peer that was silent for so long, in microseconds, begins another scan.
const PAUSE: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
struct Peer {
    micros: u64,
    number: u32,
    order: [u8; 5],
    turn: u8,
}

impl Worth for Peer {
    fn worth(&self) -> (u8, u64) {
        (0, self.micros)
    }
}

#[derive(Debug)]
pub(crate) struct Sequences {
    kind: InitialSequence,
    peers: Table<Peer>,
    base: u64,
}

impl Sequences {
    pub(crate) fn new(kind: InitialSequence, random: &mut Random) -> Sequences {
        Sequences { kind, peers: Table::new(PEERS, random.next()), base: random.next() }
    }

    /// The number for a connection with `peer` that opens now.
    pub(crate) fn next(&mut self, peer: u32, micros: u64, random: &mut Random) -> u32 {
        match self.kind {
            InitialSequence::Clock { unit, hz } => {
                // The clock began at some time before we did.
                let micros = u128::from(micros) + u128::from(self.base >> 24);
                let ticks = (micros * u128::from(hz) + 500_000) / 1_000_000;
                unit.wrapping_mul(ticks as u32)
            }
            InitialSequence::Steady { unit, hz } => {
                let mut state = self.state(peer, random);
                let passed = u128::from(micros.saturating_sub(state.micros));
                let ticks = (passed * u128::from(hz) + 500_000) / 1_000_000;
                state.micros = micros;
                state.number = state.number.wrapping_add(unit.wrapping_mul(ticks.max(1) as u32));
                self.peers.insert(u64::from(peer), state);
                state.number
            }
            InitialSequence::Spread { rate, deviation } => {
                let mut state = self.state(peer, random);
                let passed = micros.saturating_sub(state.micros);
                if passed > PAUSE {
                    for last in (1..state.order.len()).rev() {
                        let other = (random.next() % (last as u64 + 1)) as usize;
                        state.order.swap(last, other);
                    }
                }
                state.turn = (state.turn + 1) % STRATA.len() as u8;
                let stratum = state.order.get(usize::from(state.turn)).copied().unwrap_or(2);
                let place = STRATA.get(usize::from(stratum)).copied().unwrap_or_default();
                let stray = (random.fraction() * 2.0 - 1.0) * JITTER;
                let seconds = (passed as f64 / 1e6).clamp(SHORTEST, LONGEST);
                let step = (rate.exp2() + deviation.exp2() * (place + stray) / UNIT) * seconds;
                state.micros = micros;
                state.number = state.number.wrapping_add(step.max(1.0) as u64 as u32);
                self.peers.insert(u64::from(peer), state);
                state.number
            }
        }
    }

    fn state(&mut self, peer: u32, random: &mut Random) -> Peer {
        match self.peers.get_mut(u64::from(peer)) {
            Some(state) => *state,
            // One that has been silent for ever.
            None => Peer { micros: 0, number: random.next() as u32, order: [0, 1, 2, 3, 4], turn: 0 },
        }
    }
}
