//! What a fleet **is**: the request that a user typed, the catalogues it draws on, the identity of each
//! decoy, the plan that everything downstream reads, and the state file that remembers it.
//!
//! Nothing here touches a network or a clock, and nothing here reads or writes a file except
//! [`state`]. Resolving is a pure function: the same request, facts, catalogue and seed give the same
//! plan, byte for byte.
#![forbid(unsafe_code)]

pub mod address;
pub mod catalogue;
pub mod diagnostic;
pub mod facts;
pub mod identity;
pub mod plan;
pub mod request;
pub mod resolve;
pub mod seed;
pub mod service;
pub mod state;
pub mod suggest;

pub use address::MacAddress;
pub use catalogue::Catalogue;
pub use diagnostic::{Diagnostic, Level, Origin, Spanned};
pub use facts::HostFacts;
pub use identity::Identity;
pub use plan::{Decky, Plan};
pub use request::Request;
pub use resolve::{ResolveOptions, resolve};
pub use seed::Seed;
pub use service::ServiceDescriptor;
