//! Accepting connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use decnet_core::service::{Port, Transport};
use decnet_logging::event::{Body, CloseReason};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::{Admission, Guarded, Running};
use crate::connection::Connection;
use crate::session::Session;

/// How long to wait after the system refused a connection for lack of memory or descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Accepts for as long as the runtime lives.
pub(crate) async fn accept(
    listener: TcpListener,
    port: Port,
    service: Arc<Running>,
    admission: Arc<Admission>,
) {
    let Ok(destination) = listener.local_addr() else { return };
    loop {
        match listener.accept().await {
            Ok((stream, source)) => {
                let service = Arc::clone(&service);
                let admission = Arc::clone(&admission);
                tokio::spawn(async move {
                    converse(stream, source, destination, port, &service, &admission).await
                });
            }
            // The client was gone before we came: nothing happened. Anything else is our own shortage.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn converse(
    mut stream: TcpStream,
    source: SocketAddr,
    destination: SocketAddr,
    port: Port,
    service: &Running,
    admission: &Arc<Admission>,
) {
    let session = Session::new(
        Arc::clone(&service.host),
        Arc::clone(&service.sink),
        source,
        destination,
        Transport::Tcp,
        Some(service.persona.clone()),
    );
    // Products of this kind answer small writes at once; so do we.
    let _ = stream.set_nodelay(true);
    session.emit(Body::ConnectionOpened);
    let began = Instant::now();
    let place = match admission.enter(source.ip()) {
        Ok(place) => place,
        Err(full) => {
            session.emit(Body::LimitReached { limit: full.limit.to_owned(), count: full.count as u64 });
            let mut sent = 0;
            if let Some(refusal) = service.server.refusal()
                && stream.write_all(&refusal).await.is_ok()
            {
                sent = refusal.len() as u64;
            }
            session.emit(Body::ConnectionClosed {
                reason: CloseReason::Limit,
                duration_ms: elapsed_ms(began),
                bytes_in: 0,
                bytes_out: sent,
            });
            return;
        }
    };
    let connection = Connection::new(Box::new(stream), port, session.clone());
    let traffic = connection.traffic();
    let conversation = Guarded(service.server.connection(connection));
    let reason = match timeout(service.host.limits.connection_time, conversation).await {
        Err(_) => {
            let seconds = service.host.limits.connection_time.as_secs();
            session.emit(Body::LimitReached { limit: "connection time".to_owned(), count: seconds });
            CloseReason::Limit
        }
        Ok(Err(message)) => {
            session.emit(Body::ServerFailed { message });
            CloseReason::Error
        }
        Ok(Ok(_)) if traffic.limited() => CloseReason::Limit,
        Ok(Ok(Err(error))) if error.kind() == std::io::ErrorKind::TimedOut => CloseReason::Idle,
        Ok(Ok(Err(_))) => CloseReason::Error,
        Ok(Ok(Ok(()))) if traffic.client_closed() => CloseReason::Client,
        Ok(Ok(Ok(()))) => CloseReason::Server,
    };
    drop(place);
    if traffic.received() == 0 {
        session.emit(Body::ScanProbe { kind: "empty".to_owned() });
    }
    session.emit(Body::ConnectionClosed {
        reason,
        duration_ms: elapsed_ms(began),
        bytes_in: traffic.received(),
        bytes_out: traffic.sent(),
    });
}

fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
