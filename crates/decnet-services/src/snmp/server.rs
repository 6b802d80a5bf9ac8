//! The conversation: who may ask, what is answered, and what is told of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use decnet_logging::event::{Body, Credential, Direction, Outcome};

use super::agent::{self, Agent, Answer, Asker, Change, Written, status};
use super::codec::{
    AUTH, Binding, Message, PRIV, Payload, Pdu, PduKind, REPORTABLE, Scoped, Security, Unparsed, V3, Version,
};
use super::journal::Journal;
use super::mib::live::Moment;
use super::mib::{Tree, build};
use super::pace::Pace;
use super::persona::{Persona, Profile};
use super::stats::{Stats, counter};
use super::usm::{self, TIME_WINDOW, User};
use super::value::Value;
use super::zone;
use crate::asn1::Oid;
use crate::datagram::Exchange;
use crate::host::Host;
use crate::server::{BuildError, Conversation, Server};
use crate::session::Session;

/// The largest reply: what fits an Ethernet frame behind its IP and UDP headers.
const LARGEST_REPLY: usize = 1472;
/// How often remembered things are looked through.
const TIDY: Duration = Duration::from_secs(1);
/// The roots of what intruders write to with consequences.
const NET_SNMP_EXTEND: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 1, 3];
const CISCO_COPY: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9, 96];
const CISCO_OLD_COPY: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 2, 1];

/// The agent of one decky.
pub(super) struct SnmpServer {
    host: Arc<Host>,
    persona: Persona,
    /// From boot to the start of the agent, in microseconds.
    start_delay: i64,
    state: Arc<Mutex<State>>,
}

/// What the agent remembers.
#[derive(Default)]
struct State {
    stats: Stats,
    written: Written,
    /// Made for the first request that is let in, dropped when nobody asks any more.
    tree: Option<Arc<Tree>>,
    journal: Journal,
    pace: Pace,
    tidying: bool,
}

/// A v3 user that was let in, and how the answer has to be sealed.
#[derive(Clone, Copy)]
struct Sealed<'a> {
    user: Option<&'a User>,
    level: u8,
}

/// Makes the agent of a decky.
pub(super) fn build_server(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    let persona = Persona::new(&host.decky, &host.persona("snmp"))?;
    let delay_ms = match persona.profile {
        // Started by the init system like any other daemon.
        Profile::NetSnmp | Profile::Bsnmpd | Profile::Windows => {
            host.identity().draw(&["snmp", "start"]).between(6_000, 28_000)
        }
        _ => 0,
    };
    Ok(Box::new(SnmpServer {
        host: Arc::clone(host),
        persona,
        start_delay: delay_ms as i64 * 1000,
        state: Arc::default(),
    }))
}

impl Server for SnmpServer {
    fn product(&self) -> String {
        self.persona.product()
    }

    fn datagram<'a>(&'a self, exchange: Exchange) -> Conversation<'a> {
        Box::pin(async move {
            let reply = self.react(exchange.session(), exchange.bytes());
            self.keep_tidy();
            let Some(reply) = reply else { return Ok(()) };
            let source = exchange.session().source().ip();
            let limits = &self.host.limits;
            let wait = {
                let mut state = self.state();
                state.stats.add(counter::OUT_PACKETS, 1);
                state.pace.wait(limits, source, exchange.bytes().len(), reply.len())
            };
            match wait {
                None => {
                    self.state().stats.add(counter::SILENT_DROPS, 1);
                    let count = u64::from(limits.large_replies_per_second);
                    exchange
                        .session()
                        .emit(Body::LimitReached { limit: "large replies per second".to_owned(), count });
                    Ok(())
                }
                Some(Duration::ZERO) => exchange.reply(&reply),
                Some(wait) => {
                    // The loop of the socket must not wait for one source.
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        // The socket can only be gone together with the whole decky.
                        let _ = exchange.reply(&reply);
                    });
                    Ok(())
                }
            }
        })
    }
}

impl SnmpServer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task that tells finished walks and drops the tree, unless it runs.
    fn keep_tidy(&self) {
        let mut state = self.state();
        if state.tidying {
            return;
        }
        state.tidying = true;
        let state = Arc::downgrade(&self.state);
        tokio::spawn(tidy(state));
    }

    fn moment(&self, stats: Stats) -> Moment {
        let identity = self.host.identity();
        let now = self.host.clock.micros();
        let booted = identity.booted_at(now.div_euclid(1_000_000));
        let uptime = (now - booted.saturating_mul(1_000_000)).max(0);
        let period = identity.times.reboot_period.max(1);
        let boots = ((booted - identity.times.installed).max(0) / period)
            .saturating_add(identity.draw(&["snmp", "boots"]).between(1, 4) as i64);
        Moment {
            now,
            uptime,
            agent_uptime: (uptime - self.start_delay).max(0),
            utc_offset: zone::utc_offset(&identity.times.timezone, now.div_euclid(1_000_000)),
            boots: i32::try_from(boots).unwrap_or(i32::MAX),
            stats,
        }
    }

    /// What is sent back.
    fn react(&self, session: &Session, bytes: &[u8]) -> Option<Vec<u8>> {
        self.state().stats.add(counter::IN_PACKETS, 1);
        match Message::parse(bytes) {
            Ok(Message::Community { version, community, pdu }) => {
                self.react_to_community(session, bytes, version, community, pdu)
            }
            Ok(Message::V3(_)) if !self.persona.v3 => {
                self.state().stats.add(counter::IN_BAD_VERSIONS, 1);
                session.emit_raw(Body::ScanProbe { kind: "snmpv3".to_owned() }, bytes);
                None
            }
            Ok(Message::V3(message)) => self.react_to_v3(session, bytes, message),
            Err(why) => {
                self.state().stats.add(
                    match why {
                        Unparsed::Version(_) => counter::IN_BAD_VERSIONS,
                        Unparsed::SecurityModel(_) => counter::UNKNOWN_SECURITY_MODELS,
                        _ => counter::IN_ASN_PARSE_ERRORS,
                    },
                    1,
                );
                let kind = match (bytes.first(), &why) {
                    (None, _) => "empty",
                    (Some(0x30), _) | (_, Unparsed::Version(_)) => "malformed",
                    _ => "wrong_protocol",
                };
                let report = session.report(Body::ScanProbe { kind: kind.to_owned() });
                session.send(report.with_raw(bytes).with_tag(why.to_string()));
                None
            }
        }
    }

    fn react_to_community(
        &self,
        session: &Session,
        bytes: &[u8],
        version: Version,
        community: Vec<u8>,
        pdu: Pdu,
    ) -> Option<Vec<u8>> {
        let known = self.persona.community(&community);
        let mut state = self.state();
        let Some(known) = known else {
            state.stats.add(counter::IN_BAD_COMMUNITY_NAMES, 1);
            drop(state);
            let credential = Credential::password("community", b"", &community);
            session.emit_raw(Body::AuthAttempt { credential, outcome: Outcome::Failed }, bytes);
            return None;
        };
        let label = match version {
            Version::V1 => "v1",
            Version::V2c => "v2c",
        };
        if state.journal.first_time(session, &community) {
            let credential = Credential::password("community", b"", &community);
            session.emit_raw(Body::AuthAttempt { credential, outcome: Outcome::Accepted }, bytes);
            session.emit(Body::SessionStarted {
                username: String::new(),
                privilege: if known.write { "write" } else { "read" }.to_owned(),
            });
        }
        let asker = Asker { v1: version == Version::V1, write: known.write };
        if pdu.kind == PduKind::Set && !known.write {
            state.stats.add(counter::IN_BAD_COMMUNITY_USES, 1);
        }
        // Around the bindings: version, community, and the headers and numbers of the PDU.
        let overhead = community.len() + 56;
        let answer = self.answer(&mut state, asker, &pdu, LARGEST_REPLY.saturating_sub(overhead));
        self.tell(&mut state, session, bytes, label, &pdu, answer.as_ref());
        let pdu = answer?.pdu;
        drop(state);
        Some(Message::Community { version, community, pdu }.encode(self.persona.form))
    }

    /// Asks the agent; `None` for what is no request.
    fn answer(&self, state: &mut State, asker: Asker, pdu: &Pdu, room: usize) -> Option<Answer> {
        let tree = match &state.tree {
            Some(tree) => Arc::clone(tree),
            None => {
                let tree = Arc::new(build(&self.host.decky, &self.persona));
                state.tree = Some(Arc::clone(&tree));
                tree
            }
        };
        count_request(&mut state.stats, pdu);
        let moment = self.moment(state.stats.clone());
        let mut agent = Agent {
            tree: &tree,
            written: &mut state.written,
            moment: &moment,
            form: self.persona.form,
            room,
        };
        let answer = agent.answer(asker, pdu)?;
        state.stats.add(counter::OUT_GET_RESPONSES, 1);
        match answer.pdu.error_status {
            status::TOO_BIG => state.stats.add(counter::OUT_TOO_BIGS, 1),
            status::NO_SUCH_NAME => state.stats.add(counter::OUT_NO_SUCH_NAMES, 1),
            status::BAD_VALUE => state.stats.add(counter::OUT_BAD_VALUES, 1),
            _ => {}
        }
        Some(answer)
    }

    fn tell(
        &self,
        state: &mut State,
        session: &Session,
        bytes: &[u8],
        version: &'static str,
        pdu: &Pdu,
        answer: Option<&Answer>,
    ) {
        let Some(answer) = answer else {
            // A trap, an inform or a stray response: an agent does not answer those.
            session.emit_raw(
                Body::Request {
                    method: pdu.kind.name().to_owned(),
                    target: String::new(),
                    status: "ignored".to_owned(),
                    version: Some(version.to_owned()),
                    headers: Vec::new(),
                    body_len: Some(bytes.len() as u64),
                },
                bytes,
            );
            return;
        };
        let shown = match answer.pdu.error_status {
            status::NO_ERROR => answer
                .pdu
                .bindings
                .iter()
                .find(|found| found.value.is_exception())
                .map_or("noError".to_owned(), |found| found.value.describe()),
            error => status::name(error).to_owned(),
        };
        state.journal.request(session, version, pdu, &answer.pdu, &shown);
        if pdu.kind != PduKind::Set {
            return;
        }
        for change in &answer.changes {
            session.emit(Body::StateChanged {
                object: change.name.to_string(),
                old: change.old.as_ref().map(Value::describe),
                new: change.new.describe(),
            });
        }
        if pdu.bindings.iter().any(|asked| asked.name.is_below(NET_SNMP_EXTEND)) {
            // Programs that snmpd would run: writing them is the known way from a community to a shell.
            session
                .emit_raw(Body::ExploitAttempt { name: "net-snmp extend".to_owned(), confidence: 95 }, bytes);
        }
        for url in ordered_copies(&answer.changes, &state.written) {
            session.emit_raw(
                Body::FileDownload {
                    name: None,
                    url: Some(url),
                    direction: Direction::Requested,
                    size: None,
                    bait: None,
                },
                bytes,
            );
        }
    }

    /// RFC 3414 section 3.2, in the order in which net-snmp 5.9.3 does it.
    fn react_to_v3(&self, session: &Session, bytes: &[u8], message: V3) -> Option<Vec<u8>> {
        let security = &message.security;
        let mut state = self.state();
        let moment = self.moment(state.stats.clone());
        if security.engine_id != self.persona.engine_id {
            state.stats.add(counter::UNKNOWN_ENGINE_IDS, 1);
            session.emit(Body::Request {
                method: "discovery".to_owned(),
                target: String::from_utf8_lossy(&security.user).into_owned(),
                status: "unknownEngineID".to_owned(),
                version: Some("v3".to_owned()),
                headers: Vec::new(),
                body_len: None,
            });
            return self.report(&state, &moment, &message, counter::UNKNOWN_ENGINE_IDS, None);
        }
        let user = self.persona.user(&security.user);
        let level = message.flags & (AUTH | PRIV);
        let attempt = |outcome| {
            let credential = self.credential(user, bytes, &message);
            session.emit_raw(Body::AuthAttempt { credential, outcome }, bytes);
        };
        let fail = |state: &mut State, which: usize, signer: Option<&User>| {
            state.stats.add(which, 1);
            self.report(state, &moment, &message, which, signer)
        };
        let Some(user) = user else {
            attempt(Outcome::Failed);
            return fail(&mut state, counter::UNKNOWN_USER_NAMES, None);
        };
        let lacks_auth = level & AUTH != 0 && user.auth.is_none();
        let lacks_privacy = level & PRIV != 0 && (user.privacy.is_none() || level & AUTH == 0);
        if lacks_auth || lacks_privacy {
            attempt(Outcome::Failed);
            return fail(&mut state, counter::UNSUPPORTED_SECURITY_LEVELS, None);
        }
        if level & AUTH != 0 {
            if !user.verifies(&self.persona.engine_id, bytes, security.authentication_at) {
                attempt(Outcome::Failed);
                return fail(&mut state, counter::WRONG_DIGESTS, None);
            }
            let off = (i64::from(security.time) - i64::from(moment.engine_time())).abs();
            if security.boots != moment.boots || off > TIME_WINDOW {
                // The digest was right, so the report can be signed: the client learns the time from it.
                return fail(&mut state, counter::NOT_IN_TIME_WINDOWS, Some(user));
            }
        }
        let scoped = match &message.payload {
            Payload::Plain(scoped) => scoped.clone(),
            Payload::Encrypted(sealed) => {
                let Some(plain) = user.decrypt(
                    &self.persona.engine_id,
                    security.boots,
                    security.time,
                    &security.privacy,
                    sealed,
                ) else {
                    attempt(Outcome::Failed);
                    return fail(&mut state, counter::DECRYPTION_ERRORS, Some(user));
                };
                // A wrong key gives noise, which is dropped like any malformed message.
                match Scoped::parse(&plain) {
                    Ok(scoped) => scoped,
                    Err(_) => {
                        state.stats.add(counter::IN_ASN_PARSE_ERRORS, 1);
                        attempt(Outcome::Failed);
                        return None;
                    }
                }
            }
            Payload::Unreadable(_) => {
                state.stats.add(counter::IN_ASN_PARSE_ERRORS, 1);
                session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, bytes);
                return None;
            }
        };
        if !scoped.context_name.is_empty() {
            state.stats.add(counter::UNKNOWN_CONTEXTS, 1);
            return None;
        }
        let sufficient = level & AUTH != 0 || user.auth.is_none();
        let sufficient = sufficient && (level & PRIV != 0 || user.privacy.is_none());
        if sufficient {
            let key = [b"v3 ", security.user.as_slice()].concat();
            if state.journal.first_time(session, &key) {
                attempt(Outcome::Accepted);
                session.emit(Body::SessionStarted {
                    username: user.name.clone(),
                    privilege: if user.write { "write" } else { "read" }.to_owned(),
                });
            }
        } else {
            attempt(Outcome::Failed);
        }
        let overhead = 150 + self.persona.engine_id.len() * 2 + security.user.len();
        let room =
            usize::try_from(message.max_size).unwrap_or(0).clamp(484, LARGEST_REPLY) - overhead.min(400);
        let answer = if sufficient {
            self.answer(&mut state, Asker { v1: false, write: user.write }, &scoped.pdu, room)
        } else {
            let pdu = agent::refuse(&scoped.pdu, status::AUTHORIZATION_ERROR, 0);
            Some(Answer { pdu, changes: Vec::new() })
        };
        self.tell(&mut state, session, bytes, "v3", &scoped.pdu, answer.as_ref());
        let response = Scoped {
            context_engine_id: scoped.context_engine_id,
            context_name: scoped.context_name,
            pdu: answer?.pdu,
        };
        drop(state);
        self.seal(&moment, &message, response, Sealed { user: Some(user), level })
    }

    /// A report that names one counter and its value (RFC 3412 section 7.1.3).
    fn report(
        &self,
        state: &State,
        moment: &Moment,
        message: &V3,
        which: usize,
        signer: Option<&User>,
    ) -> Option<Vec<u8>> {
        if message.flags & REPORTABLE == 0 {
            return None;
        }
        let request_id = match &message.payload {
            Payload::Plain(scoped) => scoped.pdu.request_id,
            _ => 0,
        };
        let number = (which - counter::UNSUPPORTED_SECURITY_LEVELS + 1) as u32;
        let name = Oid::new(&[1, 3, 6, 1, 6, 3, 15, 1, 1, number, 0]);
        let pdu = Pdu {
            kind: PduKind::Report,
            request_id,
            error_status: 0,
            error_index: 0,
            bindings: vec![Binding { name, value: Value::Counter32(state.stats.get(which)) }],
        };
        let scoped =
            Scoped { context_engine_id: self.persona.engine_id.clone(), context_name: Vec::new(), pdu };
        let level = if signer.is_some() { AUTH } else { 0 };
        self.seal(moment, message, scoped, Sealed { user: signer, level })
    }

    /// Wraps an answer into a v3 message, encrypted and signed as the level says.
    fn seal(&self, moment: &Moment, request: &V3, scoped: Scoped, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let form = self.persona.form;
        let engine_id = &self.persona.engine_id;
        let (boots, time) = (moment.boots, moment.engine_time());
        let mut privacy = Vec::new();
        let payload = match sealed.user.filter(|_| sealed.level & PRIV != 0) {
            None => Payload::Plain(scoped),
            Some(user) => {
                privacy = self.host.entropy.bytes::<8>().to_vec();
                Payload::Encrypted(user.encrypt(engine_id, boots, time, &privacy, &scoped.encode(form))?)
            }
        };
        let authentication = if sealed.level & AUTH != 0 { vec![0; usm::DIGEST_LENGTH] } else { Vec::new() };
        let response = Message::V3(V3 {
            message_id: request.message_id,
            max_size: self.persona.max_size,
            flags: sealed.level,
            security: Security {
                engine_id: engine_id.clone(),
                boots,
                time,
                user: request.security.user.clone(),
                authentication,
                authentication_at: 0,
                privacy,
            },
            payload,
        });
        let mut bytes = response.encode(form);
        if let Some(user) = sealed.user.filter(|_| sealed.level & AUTH != 0)
            && let Ok(Message::V3(written)) = Message::parse(&bytes)
        {
            user.sign(engine_id, &mut bytes, written.security.authentication_at);
        }
        Some(bytes)
    }

    /// What a v3 message says of who sent it.
    fn credential(&self, user: Option<&User>, bytes: &[u8], message: &V3) -> Credential {
        let name = &message.security.user;
        if message.flags & AUTH == 0 {
            return Credential::password("snmpv3-noauth", name, b"");
        }
        let method =
            user.and_then(|user| user.auth.as_ref()).map_or("snmpv3", |(protocol, _)| protocol.method());
        let packet = message.message_id.unsigned_abs();
        let at = message.security.authentication_at;
        let is_96 = message.security.authentication.len() == usm::DIGEST_LENGTH;
        match usm::hashcat_line(packet, &message.security.engine_id, bytes, at).filter(|_| is_96) {
            Some(line) => Credential::hash(method, name, line, "hashcat-25000"),
            None => Credential::password(method, name, b""),
        }
    }
}

fn count_request(stats: &mut Stats, pdu: &Pdu) {
    let variables = pdu.bindings.len();
    match pdu.kind {
        PduKind::Get => {
            stats.add(counter::IN_GET_REQUESTS, 1);
            stats.add(counter::IN_TOTAL_REQUEST_VARIABLES, variables);
        }
        PduKind::GetNext => {
            stats.add(counter::IN_GET_NEXTS, 1);
            stats.add(counter::IN_TOTAL_REQUEST_VARIABLES, variables);
        }
        PduKind::GetBulk => stats.add(counter::IN_TOTAL_REQUEST_VARIABLES, variables),
        PduKind::Set => {
            stats.add(counter::IN_SET_REQUESTS, 1);
            stats.add(counter::IN_TOTAL_SET_VARIABLES, variables);
        }
        _ => {}
    }
}

/// The copies between a Cisco device and a server that these writes order: CISCO-CONFIG-COPY-MIB's rows
/// once they have an address and a file name, and OLD-CISCO-SYSTEM-MIB's writeNet and hostConfigSet.
fn ordered_copies(changes: &[Change], written: &Written) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Octets(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.describe(),
    };
    let mut urls = Vec::new();
    for change in changes {
        if let Some([1, 1, 1, 1, column @ (5 | 6 | 14), row]) = change.name.arcs().strip_prefix(CISCO_COPY)
            && (*column != 14 || change.new == Value::Integer(1))
        {
            let cell =
                |column: u32| written.get(&Oid::new(CISCO_COPY).with(&[1, 1, 1, 1, column, *row])).map(text);
            if let (Some(server), Some(file)) = (cell(5), cell(6)) {
                urls.push(format!("tftp://{server}/{file}"));
            }
        }
        if let Some([53 | 55, a, b, c, d]) = change.name.arcs().strip_prefix(CISCO_OLD_COPY) {
            urls.push(format!("tftp://{a}.{b}.{c}.{d}/{}", text(&change.new)));
        }
    }
    urls
}

/// Tells finished walks, forgets what nobody needs, and ends when nothing is left.
async fn tidy(state: Weak<Mutex<State>>) {
    loop {
        tokio::time::sleep(TIDY).await;
        let Some(state) = state.upgrade() else { return };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let talking = state.journal.settle();
        let pacing = state.pace.settle();
        if !talking && !pacing {
            state.tree = None;
            state.tidying = false;
            return;
        }
    }
}
