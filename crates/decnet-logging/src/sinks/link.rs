//! One connection to a log target: TCP, or TLS on it. Nothing here blocks but by its own deadline.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use decnet_core::plan::{LogTarget, LogTransport};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use rustls::ClientConnection;

use super::readiness::wait_for;
use super::trust;
use super::unacknowledged::unacknowledged;
use crate::target::resolve;

/// How long connecting and the handshake may take together.
const SETUP_LIMIT: Duration = Duration::from_secs(10);

/// Silence after which the kernel asks whether the other side is still there, how often it asks, and how
/// many times.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// How long the kernel tries to bring bytes over before it gives the connection up (RFC 5482).
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads of what a server says, in a row. Syslog servers say nothing.
const READS: usize = 16;

/// A connection.
pub(crate) struct Link {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    phase: Phase,
    begun: Instant,
    /// Bytes for the kernel; the first `taken` it has already.
    out: Vec<u8>,
    taken: usize,
    /// Bytes that the kernel has taken since the connection began; of TLS those of the handshake too.
    sent: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshaking,
    Open,
}

impl Link {
    /// Begins to connect.
    pub(crate) fn begin(target: &LogTarget) -> io::Result<Link> {
        let address = resolve(target).map_err(io::Error::other)?;
        let tls = match target.transport {
            LogTransport::Tls => {
                let (config, name) = trust::client(target).map_err(io::Error::other)?;
                let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
                // What is encrypted goes to `out` at once, which is bounded by whoever fills it.
                connection.set_buffer_limit(None);
                Some(Box::new(connection))
            }
            LogTransport::Tcp | LogTransport::Udp => None,
        };
        let (socket, phase) = dial(address)?;
        Ok(Link { socket, tls, phase, begun: Instant::now(), out: Vec::new(), taken: 0, sent: 0 })
    }

    /// Goes on with connecting and shaking hands. False where that is not done at the deadline.
    pub(crate) fn ready(&mut self, deadline: Instant) -> io::Result<bool> {
        while self.phase != Phase::Open {
            let now = Instant::now();
            if now.saturating_duration_since(self.begun) > SETUP_LIMIT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.phase {
                Phase::Connecting => {
                    if wait_for(
                        &[PollFd::new(&self.socket, PollFlags::OUT)],
                        deadline.saturating_duration_since(now),
                    )? {
                        self.socket.take_error()?.map_or(Ok(()), Err)?;
                        self.phase = if self.tls.is_some() { Phase::Handshaking } else { Phase::Open };
                        continue;
                    }
                }
                Phase::Handshaking => {
                    self.encrypt()?;
                    self.flush()?;
                    if self.tls.as_ref().is_some_and(|tls| !tls.is_handshaking()) {
                        self.phase = Phase::Open;
                        continue;
                    }
                    if self.wait(deadline.saturating_duration_since(now))? {
                        self.listen()?;
                        continue;
                    }
                }
                Phase::Open => {}
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether nothing was heard against an open connection.
    pub(crate) fn is_sound(&mut self) -> bool {
        self.phase != Phase::Open || self.listen().is_ok()
    }

    /// Takes bytes for the other side.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.out.extend_from_slice(bytes),
            Some(tls) => {
                tls.writer().write_all(bytes)?;
                self.encrypt()?;
            }
        }
        Ok(())
    }

    /// Where the last byte pushed ends, counted like [`Link::acknowledged`].
    pub(crate) fn end(&self) -> u64 {
        self.sent + self.pending() as u64
    }

    /// Bytes that the kernel has not taken yet.
    pub(crate) fn pending(&self) -> usize {
        self.out.len() - self.taken
    }

    /// Gives the kernel what it takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.pending() > 0 {
            match self.socket.write(&self.out[self.taken..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.taken += count;
                    self.sent += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.taken = 0;
        Ok(())
    }

    /// Hears what the server says, which of syslog is nothing but its end, and of TLS also that it refuses.
    ///
    /// # Errors
    /// The server has closed, or reset, or refuses.
    pub(crate) fn listen(&mut self) -> io::Result<()> {
        for _ in 0..READS {
            let count = match &mut self.tls {
                None => self.socket.read(&mut [0; 1024]),
                Some(tls) => tls.read_tls(&mut self.socket),
            };
            match count {
                Ok(0) => return Err(closed()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let Some(tls) = &mut self.tls else { continue };
            let state = match tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert that tells the server why.
                    let _ = self.encrypt().and_then(|()| self.flush());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, trust::explain(&error)));
                }
            };
            if state.peer_has_closed() {
                return Err(closed());
            }
            // Nobody reads what it says.
            let mut said = vec![0; state.plaintext_bytes_to_read().min(16 * 1024)];
            if !said.is_empty() {
                tls.reader().read_exact(&mut said)?;
            }
            self.encrypt()?;
        }
        Ok(())
    }

    /// How many bytes the other side's kernel has acknowledged.
    pub(crate) fn acknowledged(&self) -> io::Result<u64> {
        Ok(self.sent.saturating_sub(unacknowledged(&self.socket)?))
    }

    /// Waits until the server says something, or the kernel takes more of what is pending.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<bool> {
        let wanted = if self.pending() > 0 { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        wait_for(&[PollFd::new(&self.socket, wanted)], patience)
    }

    /// Moves what TLS wants to say to `out`.
    fn encrypt(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.out)?;
            }
        }
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A server sees an end, and not a connection torn off.
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.encrypt().and_then(|()| self.flush());
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server closed the connection")
}

/// A socket on its way to a server.
fn dial(address: SocketAddr) -> io::Result<(TcpStream, Phase)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    let (idle, interval, count) = KEEPALIVE;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, idle)?;
    sockopt::set_tcp_keepintvl(&socket, interval)?;
    sockopt::set_tcp_keepcnt(&socket, count)?;
    sockopt::set_tcp_user_timeout(&socket, USER_TIMEOUT.as_millis() as u32)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok((TcpStream::from(socket), Phase::Connecting))
}
