//! What a service implements.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use decnet_core::service::KeyKind;

use crate::connection::Connection;
use crate::datagram::Exchange;
use crate::host::Host;

/// A conversation under way.
pub type Conversation<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// Makes the server of one decky from its identity and persona values. No work is done before.
pub type Build = fn(&Arc<Host>) -> Result<Box<dyn Server>, BuildError>;

/// A persona that no server can be made of. Resolving catches what it can; this is for the rest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A persona value that the service cannot use.
    #[error("{service}.{key} = `{value}` {why}")]
    Persona {
        /// The service.
        service: &'static str,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// The second half of the sentence.
        why: String,
    },
    /// The identity has no product for the service.
    #[error("the identity of {hostname} has no product for {component}; deploy again to make a new plan")]
    NoProduct {
        /// The decky.
        hostname: String,
        /// The missing component.
        component: &'static str,
    },
    /// Keys or certificates could not be made.
    #[error("no key material for {hostname}: {why}")]
    KeyMaterial {
        /// The decky.
        hostname: String,
        /// What went wrong.
        why: String,
    },
}

impl BuildError {
    /// A persona value that [`KeyKind::check`] refuses.
    ///
    /// # Errors
    /// The refusal.
    pub fn check(
        service: &'static str,
        key: &'static str,
        kind: KeyKind,
        value: &str,
    ) -> Result<(), BuildError> {
        kind.check(value).map_err(|why| BuildError::Persona { service, key, value: value.to_owned(), why })
    }
}

/// A service of one decky: made once when its worker starts, then asked for every conversation.
///
/// It has no way to the network, the file system or other deckies but what it is handed. `Ok` and `Err`
/// both just end the conversation: `Err` is for a connection that broke.
pub trait Server: Send + Sync {
    /// What it shows, for events: `redis/7.0.15`.
    fn product(&self) -> String;

    /// Holds the whole conversation of an accepted TCP connection. Returning closes it.
    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        drop(connection);
        Box::pin(async { Ok(()) })
    }

    /// Answers one datagram.
    fn datagram<'a>(&'a self, exchange: Exchange) -> Conversation<'a> {
        drop(exchange);
        Box::pin(async { Ok(()) })
    }

    /// What a client is told when the decky has no room for its connection, before it is closed.
    fn refusal(&self) -> Option<Vec<u8>> {
        None
    }
}
