//! A plan made real.
//!
//! An [`Engine`] converges what runs towards a plan, tells what really runs, and takes it away again.
//! Setting up fails fast and takes back what it made; tearing down goes on and returns what it could not
//! do. Both can be repeated: "already so" and "already gone" are success.

//!
//! ```no_run
//! use decnet_core::Plan;
//! use decnet_engine::native::NativeEngine;
//! use decnet_engine::{Engine, EngineError};
//!
//! /// Deploys a plan. The program's `main` must hand `internal` arguments to
//! /// [`decnet_engine::internal::run`], as the engine starts its processes from the program's own file.
//! fn deploy(plan: &Plan) -> Result<(), EngineError> {
//!     let engine = NativeEngine::new("/var/lib/decnet".as_ref());
//!     let changes = engine.converge(plan, &mut |step| drop(step))?;
//!     assert_eq!(changes.started.len(), plan.deckies.len());
//!     Ok(())
//! }
//! ```

pub mod docker;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod files;
pub mod internal;
pub mod lab;
mod listen;
pub mod native;
pub mod preflight;
mod process;
mod sys;

pub use engine::{
    Converged, DeckyStatus, Engine, FleetStatus, Health, Phase, Progress, Scope, ServiceStatus,
};
pub use error::EngineError;
