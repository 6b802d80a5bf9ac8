//! Randomness for what must be fresh in every conversation: salts, nonces, session ids, jitter.
//!
//! What must be stable for a decky is drawn from its identity instead.

use std::sync::Mutex;
use std::time::Duration;

use decnet_core::Seed;
use decnet_core::seed::Draw;

/// A source of fresh bytes: a generator seeded from the operating system, or by a test.
#[derive(Debug)]
pub struct Entropy(Mutex<Generator>);

struct Generator(Draw);

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Generator(..)")
    }
}

impl Entropy {
    /// Seeded from the operating system. Not by the TLS library's generator: that one gathers jitter for
    /// some ten milliseconds in every new process, which is most of what starting a decky costs.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn system() -> Result<Entropy, getrandom::Error> {
        let mut bytes = [0u8; 40];
        getrandom::fill(&mut bytes)?;
        let (number, more) = bytes.split_at(8);
        let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let hex: String = more.iter().map(|byte| format!("{byte:02x}")).collect();
        let draw = Seed::from_number(number).draw(&["entropy", &hex]);
        Ok(Entropy(Mutex::new(Generator(draw))))
    }

    /// Seeded by a test: the same values every time.
    pub fn seeded(seed: Seed) -> Entropy {
        Entropy(Mutex::new(Generator(seed.draw(&["entropy"]))))
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Draw) -> T) -> T {
        let mut generator = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        use_it(&mut generator.0)
    }

    /// `N` fresh bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        self.with(Draw::bytes)
    }

    /// Fills `buffer` with fresh bytes.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.with(|draw| draw.fill(buffer));
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.with(|draw| draw.between(low, high.max(low)))
    }

    /// `length` characters of an ASCII alphabet.
    pub fn text(&self, alphabet: &str, length: usize) -> String {
        self.with(|draw| draw.text(alphabet, length))
    }

    /// A duration between two numbers of milliseconds, with microsecond grain, for delays that must not
    /// be constant.
    pub fn delay(&self, low_ms: u64, high_ms: u64) -> Duration {
        Duration::from_micros(self.between(low_ms.saturating_mul(1000), high_ms.saturating_mul(1000)))
    }
}
