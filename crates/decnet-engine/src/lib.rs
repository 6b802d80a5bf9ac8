//! A plan made real.
//!
//! An [`Engine`] converges what runs towards a plan, tells what really runs, and takes it away again.
//! Setting up fails fast and takes back what it made; tearing down goes on and returns what it could not
//! do. Both can be repeated: "already so" and "already gone" are success.

pub mod engine;
pub mod error;
pub mod lab;
pub mod native;
pub mod preflight;
mod process;
mod sys;

pub use engine::{
    Converged, DeckyStatus, Engine, FleetStatus, Health, Phase, Progress, Scope, ServiceStatus,
};
pub use error::EngineError;
