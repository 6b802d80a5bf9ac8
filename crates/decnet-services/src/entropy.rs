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
    /// Seeded from the operating system.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn system() -> Result<Entropy, aws_lc_rs::error::Unspecified> {
        let mut number = [0u8; 8];
        let mut more = [0u8; 32];
        aws_lc_rs::rand::fill(&mut number)?;
        aws_lc_rs::rand::fill(&mut more)?;
        let hex: String = more.iter().map(|byte| format!("{byte:02x}")).collect();
        let draw = Seed::from_number(u64::from_be_bytes(number)).draw(&["entropy", &hex]);
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
