//! Runs the services of one decky on the sockets that it was given.
//!
//! What every service needs is done here once: accepting, bounds, the session and its opened and closed
//! events, and that a panic ends one conversation and nothing else.

mod admission;
mod tcp;
mod udp;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use decnet_core::service::Port;
use decnet_logging::sink::EventSink;

use crate::host::Host;
use crate::registry;
use crate::server::{BuildError, Server};

pub use admission::Admission;

/// A socket bound to one of a decky's ports. It is made by whoever has the right to; a server only
/// accepts from it.
#[derive(Debug)]
pub enum Socket {
    /// Listening.
    Tcp(TcpListener),
    /// Bound.
    Udp(UdpSocket),
}

/// A socket and what it is for.
#[derive(Debug)]
pub struct Bound {
    /// The service's slug.
    pub service: String,
    /// The declared port.
    pub port: Port,
    /// The socket.
    pub socket: Socket,
}

/// Why a decky could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No service of that name is linked in.
    #[error("no service `{0}` is linked into this binary")]
    Unknown(String),
    /// The service is known but cannot be run yet.
    #[error("service `{0}` has no server yet; it can be planned and rendered, not deployed")]
    NoServer(String),
    /// The service refuses its persona.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A socket could not be used.
    #[error("port {port} of {service}: {source}")]
    Socket {
        /// The service.
        service: String,
        /// The port.
        port: Port,
        /// Why.
        source: io::Error,
    },
}

/// A service that runs: the server, and where its events go.
pub(crate) struct Running {
    pub(crate) server: Box<dyn Server>,
    pub(crate) host: Arc<Host>,
    pub(crate) sink: Arc<dyn EventSink>,
    pub(crate) persona: String,
}

/// Starts every service that has a socket in `sockets` on the current tokio runtime, and returns: the
/// conversations go on as tasks until the runtime is dropped. `sink` gives the way out for a service's
/// events.
///
/// # Errors
/// A service that cannot be started; the ones before it are running then, so the caller drops the runtime.
pub fn start(
    host: &Arc<Host>,
    sockets: Vec<Bound>,
    mut sink: impl FnMut(&str) -> Arc<dyn EventSink>,
) -> Result<(), RunError> {
    let admission = Arc::new(Admission::new(&host.limits));
    let mut running: BTreeMap<String, Arc<Running>> = BTreeMap::new();
    for bound in sockets {
        let service = match running.get(&bound.service) {
            Some(service) => Arc::clone(service),
            None => {
                let service = Arc::new(build(host, &bound.service, sink(&bound.service))?);
                running.insert(bound.service.clone(), Arc::clone(&service));
                service
            }
        };
        let port = bound.port;
        let failed = |source| RunError::Socket { service: bound.service.clone(), port, source };
        match bound.socket {
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true).map_err(failed)?;
                let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
                tokio::spawn(tcp::accept(listener, port, service, Arc::clone(&admission)));
            }
            Socket::Udp(socket) => {
                socket.set_nonblocking(true).map_err(failed)?;
                let socket = tokio::net::UdpSocket::from_std(socket).map_err(failed)?;
                tokio::spawn(udp::receive(Arc::new(socket), port, service));
            }
        }
    }
    Ok(())
}

fn build(host: &Arc<Host>, slug: &str, sink: Arc<dyn EventSink>) -> Result<Running, RunError> {
    let service = registry::find(slug).ok_or_else(|| RunError::Unknown(slug.to_owned()))?;
    let build = service.build.ok_or_else(|| RunError::NoServer(slug.to_owned()))?;
    let server = build(host)?;
    let persona = server.product();
    Ok(Running { server, host: Arc::clone(host), sink, persona })
}

/// A future whose panic becomes a value, so that a bug in one conversation ends only that one.
pub(crate) struct Guarded<F>(pub(crate) F);

impl<F: Future + Unpin> Future for Guarded<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = Pin::new(&mut self.0);
        // The future is dropped right after a panic and shares nothing but what is made for sharing, so
        // no broken invariant is seen again.
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => {
                let message = payload
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| payload.downcast_ref::<String>().cloned())
                    .unwrap_or_else(|| "panic without a message".to_owned());
                Poll::Ready(Err(message))
            }
        }
    }
}
