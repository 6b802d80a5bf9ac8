//! The conversation.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decnet_logging::event::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::codec::{Frame, Framer, Reply, Rules};
use super::engine::{Client, Close, Flow, State, execute, spec_of};
use super::persona::Persona;
use super::record::{Done, Recorder};
use crate::connection::Connection;
use crate::host::Host;
use crate::server::{BuildError, Conversation, Server};
use crate::session::Session;

/// Bytes that one connection may send: payloads of several megabytes are common here.
const CONNECTION_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of one request.
const FRAME_BOUND: usize = 8 * 1024 * 1024;
/// Bytes of unfinished requests over all connections.
const BUFFERED_BOUND: usize = 32 * 1024 * 1024;
/// Bytes of replies that are gathered before they are written.
const GATHER: usize = 64 * 1024;
/// How long a client may be silent where the product sets no limit.
const IDLE: Duration = Duration::from_secs(600);
/// How long a client may refuse to read.
const WRITE: Duration = Duration::from_secs(60);
/// How often a replica hears from its master, as `repl-ping-replica-period` says by default.
const PING: Duration = Duration::from_secs(10);

/// Makes the server of a decky.
///
/// # Errors
/// A persona value that cannot be used.
pub(crate) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    Ok(Box::new(Redis {
        persona: Arc::new(Persona::new(host)?),
        host: Arc::clone(host),
        state: Mutex::new(None),
        buffered: AtomicUsize::new(0),
    }))
}

struct Redis {
    host: Arc<Host>,
    persona: Arc<Persona>,
    /// Made when the first connection comes.
    state: Mutex<Option<State>>,
    buffered: AtomicUsize,
}

/// A connection's place in the engine; leaving takes it out.
struct Seat<'a> {
    server: &'a Redis,
    id: u64,
    wake: Arc<Notify>,
    held: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.server.buffered.fetch_sub(self.held, Ordering::Relaxed);
        if let Some(state) = self.server.lock().as_mut() {
            state.forget(self.id);
        }
    }
}

/// What the loop does next.
enum Turn {
    Read(usize),
    Woken,
    Late,
    Paused,
    Idle,
    Ping,
}

impl Redis {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic under the lock is caught above and ends that conversation; the state it leaves is whole
        // enough to go on with, as every command leaves it after each of its steps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the run that is under way began, by the machine's last boot.
    fn boot(&self) -> i64 {
        let now = self.host.clock.seconds();
        let start = self.host.identity().booted_at(now) + self.persona.start_delay;
        start.min(now - 1) * 1_000_000
    }

    /// Runs something on the state, which is made or begun anew where the machine or the server was
    /// restarted meanwhile.
    fn with<T>(&self, port: u16, run: impl FnOnce(&mut State) -> T) -> T {
        let mut slot = self.lock();
        let now = self.host.clock.micros();
        let second = now / 1_000_000;
        let mut state = match slot.take() {
            Some(state) => state,
            None => State::new(&self.host, &self.persona, port, self.boot()),
        };
        if state.checked != second {
            state.checked = second;
            let back = state.away_until.filter(|until| *until <= now);
            // A boot counts when it comes after the start that we know of.
            let booted = Some(self.boot()).filter(|boot| *boot > state.started + 1_000_000);
            if let Some(started) = back.or(booted) {
                state = restarted(&mut state, &self.host, &self.persona, port, started);
            }
        }
        run(slot.insert(state))
    }

    fn enter(&self, session: &Session, port: u16) -> Option<Seat<'_>> {
        let wake = Arc::new(Notify::new());
        let now = self.host.clock.micros();
        let id = self.with(port, |state| {
            if state.away_until.is_some() {
                return None;
            }
            state.live();
            state.expire_cycle();
            let id = state.next_client;
            state.next_client += 1;
            state.stats.connections += 1;
            let open = state.users.get(&b"default"[..]).is_some_and(|user| user.no_password && user.enabled);
            // The lowest descriptor that is free, as the kernel gives them; a few are the server's own.
            let first = if state.persona.release.since(7, 0) { 8 } else { 7 };
            let taken: Vec<u64> = state.clients.values().map(|client| client.descriptor).collect();
            let descriptor = (first..).find(|number| !taken.contains(number)).unwrap_or(first);
            let client = Client {
                address: shown(session.source()),
                local: shown(SocketAddr::new(session.destination().ip(), port)),
                descriptor,
                connected: now,
                active: now,
                user: b"default".to_vec(),
                authenticated: open,
                wake: Arc::clone(&wake),
                ..Client::default()
            };
            state.clients.insert(id, client);
            Some(id)
        })?;
        Some(Seat { server: self, id, wake, held: 0 })
    }

    /// The refusal of protected mode, where it holds for this source.
    fn protected(&self, session: &Session, port: u16) -> Option<&'static str> {
        let local = match session.source().ip() {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => address.is_loopback(),
        };
        if local {
            return None;
        }
        let denied = self.with(port, |state| {
            let open = state.users.get(&b"default"[..]).is_some_and(|user| user.no_password);
            open && state.setting("protected-mode") == b"yes"
        });
        denied.then_some(if self.persona.release.since(7, 0) {
            include_str!("data/denied-7.txt").trim_end()
        } else {
            include_str!("data/denied-3.txt").trim_end()
        })
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let port = connection.port().number;
        if let Some(denied) = self.protected(&session, port) {
            connection.write_all(format!("-{denied}\r\n").as_bytes()).await?;
            return connection.shutdown().await;
        }
        // A server that was shut down does not accept; the closest that is left to us is to close.
        let Some(mut seat) = self.enter(&session, port) else { return connection.shutdown().await };
        let mut recorder = Recorder::default();
        let mut framer = Framer::default();
        let result = self.serve(&mut connection, &session, port, &mut seat, &mut framer, &mut recorder).await;
        let silent = connection.traffic().received() == 0;
        recorder.closed(&session, framer.rest(), silent);
        drop(seat);
        result?;
        connection.shutdown().await
    }

    async fn serve(
        &self,
        connection: &mut Connection,
        session: &Session,
        port: u16,
        seat: &mut Seat<'_>,
        framer: &mut Framer,
        recorder: &mut Recorder,
    ) -> io::Result<()> {
        let id = seat.id;
        let mut buffer = vec![0u8; 16 * 1024];
        let mut late: Option<Instant> = None;
        let mut waiting: Option<(Vec<Vec<u8>>, Vec<u8>, usize)> = None;
        let mut idle = Instant::now();
        loop {
            let mut paused = None;
            let (close, blocked) = loop {
                // Replies gather until nothing more can be read, as in the product, whose clients then lose
                // them where it closes without a word.
                let (out, status) = self.with(port, |state| status(state, id, GATHER));
                if !out.is_empty() {
                    self.write(connection, port, &out).await?;
                }
                if status.close != Close::No || status.blocked {
                    break (status.close, status.blocked);
                }
                let next = match waiting.take() {
                    Some((arguments, raw, length)) => Some(Frame::Request { arguments, raw, length }),
                    None => framer.next(Rules {
                        max_arguments: if self.persona.release.since(7, 0) {
                            i64::from(i32::MAX)
                        } else {
                            1024 * 1024
                        },
                        restricted: status.restricted && self.persona.release.since(5, 0),
                        frame_bound: FRAME_BOUND,
                    }),
                };
                match next {
                    None => break (Close::No, false),
                    Some(Frame::Request { arguments, raw, length }) => {
                        if let Some(until) = self.with(port, |state| pause(state, id, &arguments)) {
                            paused = Some(until);
                            waiting = Some((arguments, raw, length));
                            break (Close::No, false);
                        }
                        let query = framer.unread() + length;
                        let (accepted, open, notes) = self.with(port, |state| {
                            if let Some(client) = state.clients.get_mut(&id) {
                                client.query_bytes = query;
                            }
                            state.live();
                            let accepted = execute(state, id, &arguments);
                            let open = state.clients.get(&id).is_some_and(|client| client.authenticated);
                            (accepted, open, std::mem::take(&mut state.notes))
                        });
                        let done =
                            Done { arguments: &arguments, raw: &raw, raw_length: length, accepted, open };
                        recorder.request(session, &done, notes);
                    }
                    Some(Frame::Broken { text, raw }) => {
                        recorder.broken(session, &raw);
                        let error = Reply::error(format!("ERR Protocol error: {text}"));
                        let out = self.with(port, |state| {
                            state.stats.count_error(b"ERR");
                            let Some(client) = state.clients.get_mut(&id) else { return Vec::new() };
                            error.emit(client.protocol, &mut client.pending);
                            std::mem::take(&mut client.pending)
                        });
                        self.write(connection, port, &out).await?;
                        return Ok(());
                    }
                    Some(Frame::TooLarge(count)) => {
                        session.emit(Body::LimitReached {
                            limit: "request bytes".to_owned(),
                            count: count as u64,
                        });
                        return Ok(());
                    }
                }
            };
            let (out, _) = self.with(port, |state| status(state, id, 0));
            if !out.is_empty() {
                self.write(connection, port, &out).await?;
            }
            match close {
                Close::No => {}
                Close::AfterReply | Close::Now => return Ok(()),
                Close::Limit(limit) => {
                    session.emit(Body::LimitReached { limit: limit.to_owned(), count: 1 });
                    return Ok(());
                }
            }
            self.account(seat, framer, session)?;
            if !blocked {
                late = None;
            } else if late.is_none() {
                let wait = self.with(port, |state| {
                    let blocked = state.clients.get(&id).and_then(|client| client.blocked.as_ref());
                    blocked.and_then(|blocked| blocked.wait)
                });
                // A deadline that lies past any connection's life is none.
                late = wait.filter(|wait| wait.as_secs() < 1_000_000).map(|wait| Instant::now() + wait);
            }
            let (patience, replica) = self.with(port, |state| patience(state, id));
            let idle_end = patience.map(|patience| idle + patience);
            let ping_end = replica.then(|| Instant::now() + PING);
            let far = Instant::now() + Duration::from_secs(86_400);
            let turn = tokio::select! {
                biased;
                () = seat.wake.notified() => Turn::Woken,
                () = sleep_until(late.unwrap_or(far)), if late.is_some() => Turn::Late,
                () = sleep_until(paused.unwrap_or(far)), if paused.is_some() => Turn::Paused,
                read = connection.read(&mut buffer) => Turn::Read(read?),
                () = sleep_until(ping_end.unwrap_or(far)), if ping_end.is_some() => Turn::Ping,
                () = sleep_until(idle_end.unwrap_or(far)), if idle_end.is_some() => Turn::Idle,
            };
            match turn {
                Turn::Read(0) => return Ok(()),
                Turn::Read(read) => {
                    idle = Instant::now();
                    framer.push(&buffer[..read]);
                    self.with(port, |state| {
                        state.stats.bytes_in += read as u64;
                        let second = state.host.clock.seconds();
                        state.stats.flow(second, Flow { bytes_in: read as u64, ..Flow::default() });
                        state.stats.reads += 1;
                    });
                }
                Turn::Late => {
                    late = None;
                    self.with(port, |state| state.end_wait(id));
                }
                Turn::Woken | Turn::Paused => {}
                Turn::Ping => self.with(port, |state| {
                    let mut bytes = Vec::new();
                    Reply::bulks(["PING"]).emit(super::codec::Protocol::Resp2, &mut bytes);
                    state.feed_replicas(bytes);
                }),
                Turn::Idle => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    /// Counts what this connection holds of unfinished requests; over the decky's bound it is closed.
    fn account(&self, seat: &mut Seat<'_>, framer: &Framer, session: &Session) -> io::Result<()> {
        let held = framer.held();
        if held >= seat.held {
            self.buffered.fetch_add(held - seat.held, Ordering::Relaxed);
        } else {
            self.buffered.fetch_sub(seat.held - held, Ordering::Relaxed);
        }
        seat.held = held;
        let all = self.buffered.load(Ordering::Relaxed);
        if held > 0 && all > BUFFERED_BOUND {
            session.emit(Body::LimitReached { limit: "buffered bytes".to_owned(), count: all as u64 });
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    async fn write(&self, connection: &mut Connection, port: u16, out: &[u8]) -> io::Result<()> {
        self.with(port, |state| {
            state.stats.bytes_out += out.len() as u64;
            let second = state.host.clock.seconds();
            state.stats.flow(second, Flow { bytes_out: out.len() as u64, ..Flow::default() });
            state.stats.writes += 1;
        });
        for piece in out.chunks(GATHER) {
            timeout(WRITE, connection.write_all(piece))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        }
        connection.flush().await
    }
}

struct Status {
    close: Close,
    blocked: bool,
    restricted: bool,
}

/// What waits to be written where it is more than `least`, and whether to go on.
fn status(state: &mut State, id: u64, least: usize) -> (Vec<u8>, Status) {
    match state.clients.get_mut(&id) {
        Some(client) => {
            let status = Status {
                close: client.close,
                blocked: client.blocked.is_some(),
                restricted: !client.authenticated,
            };
            // Closed at once means that what waits is lost.
            let kept = client.pending.len() <= least;
            let out = if kept || matches!(client.close, Close::Now | Close::Limit(_)) {
                Vec::new()
            } else {
                std::mem::take(&mut client.pending)
            };
            (out, status)
        }
        // The server was begun anew under it.
        None => (Vec::new(), Status { close: Close::Now, blocked: false, restricted: false }),
    }
}

/// Until when CLIENT PAUSE holds a request back.
fn pause(state: &mut State, id: u64, arguments: &[Vec<u8>]) -> Option<Instant> {
    let (until, only_writes) = state.paused?;
    let left = until - state.now_ms();
    if left <= 0 {
        state.paused = None;
        return None;
    }
    if state.clients.get(&id).is_some_and(|client| client.replica.is_some()) {
        return None;
    }
    let writes = spec_of(arguments, state.persona.release).is_ok_and(|spec| {
        spec.has("write") || matches!(spec.name, "exec" | "eval" | "evalsha" | "fcall" | "publish")
    });
    let free = spec_of(arguments, state.persona.release).is_ok_and(|spec| spec.name == "client|unpause");
    ((!only_writes || writes) && !free).then(|| Instant::now() + Duration::from_millis(left as u64))
}

/// How long the client may be silent, and whether it is a replica that is to hear from us.
fn patience(state: &State, id: u64) -> (Option<Duration>, bool) {
    let Some(client) = state.clients.get(&id) else { return (Some(IDLE), false) };
    let replica = client.replica.as_ref().is_some_and(|replica| replica.online);
    let listens = client.subscriptions() + client.shard_channels.len() > 0
        || client.monitor
        || client.blocked.is_some()
        || replica;
    if listens {
        return (None, replica);
    }
    let configured = u64::try_from(state.setting_number("timeout")).unwrap_or(0);
    (Some(if configured > 0 { Duration::from_secs(configured).min(IDLE) } else { IDLE }), false)
}

/// A run that begins with what the last one saved.
fn restarted(old: &mut State, host: &Arc<Host>, persona: &Arc<Persona>, port: u16, started: i64) -> State {
    let mut new = State::new(host, persona, port, started);
    std::mem::swap(&mut new.databases, &mut old.databases);
    new.libraries = std::mem::take(&mut old.libraries);
    for client in old.clients.values() {
        client.wake.notify_one();
    }
    new.live();
    new
}

fn shown(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => format!("{mapped}:{}", address.port()),
            None => format!("[{ip}]:{}", address.port()),
        },
        IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
    }
}

impl Server for Redis {
    fn product(&self) -> String {
        format!("redis/{}", self.persona.version)
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }

    fn refusal(&self) -> Option<Vec<u8>> {
        Some(b"-ERR max number of clients reached\r\n".to_vec())
    }
}
