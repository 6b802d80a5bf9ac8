//! What an agent's conversations become as events: one for each request, one for a whole walk.

use std::collections::HashMap;
use std::time::Duration;

use decnet_logging::event::{Body, Outcome, Session as SessionId};
use tokio::time::Instant;

use super::codec::{Pdu, PduKind};
use crate::asn1::Oid;
use crate::session::Session;

/// Objects that a run of requests may return before it is told as one walk.
const WALK: u64 = 50;
/// How long a run may pause.
pub(crate) const PAUSE: Duration = Duration::from_secs(2);
/// Conversations remembered at once.
pub(crate) const MAX_CONVERSATIONS: usize = 256;
/// Credentials of one conversation that are told once only.
const MAX_CREDENTIALS: usize = 32;
/// Variables walked at once that are followed.
const MAX_WIDTH: usize = 64;
/// Names in the target of one event.
const MAX_NAMES: usize = 24;

/// A request that waits to be told.
struct Request {
    method: &'static str,
    target: String,
    status: String,
}

/// A run of GETNEXT or GETBULK requests, each going on where the last one ended.
struct Walk {
    version: &'static str,
    first: Oid,
    /// Where the last answer ended, one for each variable asked at once.
    ends: Vec<Oid>,
    objects: u64,
    waiting: Vec<Request>,
}

struct Conversation {
    session: Session,
    last: Instant,
    walk: Option<Walk>,
    accepted: Vec<Vec<u8>>,
}

/// Remembers conversations for as long as they go on.
#[derive(Default)]
pub(crate) struct Journal {
    conversations: HashMap<SessionId, Conversation>,
}

impl Journal {
    fn conversation(&mut self, session: &Session) -> &mut Conversation {
        if !self.conversations.contains_key(&session.id()) && self.conversations.len() >= MAX_CONVERSATIONS {
            let oldest = self.conversations.iter().min_by_key(|(_, known)| known.last).map(|(id, _)| *id);
            if let Some(mut known) = oldest.and_then(|id| self.conversations.remove(&id)) {
                known.tell_walk();
            }
        }
        let known = self.conversations.entry(session.id()).or_insert_with(|| Conversation {
            session: session.clone(),
            last: Instant::now(),
            walk: None,
            accepted: Vec::new(),
        });
        known.last = Instant::now();
        known
    }

    /// Whether this credential is accepted for the first time in the conversation.
    pub(crate) fn first_time(&mut self, session: &Session, credential: &[u8]) -> bool {
        let known = self.conversation(session);
        if known.accepted.iter().any(|seen| seen == credential) {
            return false;
        }
        if known.accepted.len() < MAX_CREDENTIALS {
            known.accepted.push(credential.to_vec());
        }
        true
    }

    /// Tells a request and its answer, or adds them to the walk they belong to.
    pub(crate) fn request(
        &mut self,
        session: &Session,
        version: &'static str,
        request: &Pdu,
        answer: &Pdu,
        status: &str,
    ) {
        let known = self.conversation(session);
        let walking = matches!(request.kind, PduKind::GetNext | PduKind::GetBulk);
        let told =
            Request { method: request.kind.name(), target: target(request), status: status.to_owned() };
        if !walking {
            known.tell_walk();
            return known.tell(version, told, request);
        }
        let width = request.bindings.len().clamp(1, MAX_WIDTH);
        let ends: Vec<Oid> =
            answer.bindings.iter().rev().take(width).rev().map(|end| end.name.clone()).collect();
        let objects = answer.bindings.iter().filter(|found| !found.value.is_exception()).count() as u64;
        let goes_on = |walk: &Walk| {
            walk.version == version && request.bindings.iter().any(|asked| walk.ends.contains(&asked.name))
        };
        match &mut known.walk {
            Some(walk) if goes_on(walk) => {
                // A walk without an answer has ended; the next request of the client begins another.
                if !ends.is_empty() {
                    walk.ends = ends;
                }
                walk.objects += objects;
                if (walk.waiting.len() as u64) < WALK {
                    walk.waiting.push(told);
                }
            }
            _ => {
                known.tell_walk();
                known.tell(version, told, request);
                if let Some(first) = request.bindings.first() {
                    known.walk =
                        Some(Walk { version, first: first.name.clone(), ends, objects, waiting: Vec::new() });
                }
            }
        }
    }

    /// Tells what has waited long enough; returns whether anything is left to remember.
    pub(crate) fn settle(&mut self) -> bool {
        let now = Instant::now();
        for known in self.conversations.values_mut() {
            if now.duration_since(known.last) >= PAUSE {
                known.tell_walk();
            }
        }
        // A session of the runner lasts a minute; what was accepted need not be remembered longer.
        self.conversations.retain(|_, known| {
            now.duration_since(known.last) < known.session.host().limits.datagram_session_time
        });
        !self.conversations.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.conversations.len()
    }
}

impl Conversation {
    fn tell(&self, version: &str, told: Request, request: &Pdu) {
        let headers = match request.kind {
            PduKind::Set => request
                .bindings
                .iter()
                .take(MAX_NAMES)
                .map(|asked| (asked.name.to_string(), asked.value.describe()))
                .collect(),
            _ => Vec::new(),
        };
        self.emit(version, told, headers);
    }

    fn emit(&self, version: &str, told: Request, headers: Vec<(String, String)>) {
        self.session.emit(Body::Request {
            method: told.method.to_owned(),
            target: told.target,
            status: told.status,
            version: Some(version.to_owned()),
            headers,
            body_len: None,
        });
    }

    /// Ends a run: a long one is told as one walk, a short one request by request.
    fn tell_walk(&mut self) {
        let Some(walk) = self.walk.take() else { return };
        if walk.objects > WALK {
            let last = walk.ends.last().unwrap_or(&walk.first);
            self.session.emit(Body::Query {
                statement: format!("walk {} to {last}", walk.first),
                database: Some(format!("snmp {}", walk.version)),
                outcome: Outcome::Accepted,
                rows: walk.objects,
            });
            return;
        }
        for told in walk.waiting {
            self.emit(walk.version, told, Vec::new());
        }
    }
}

/// The names that are asked, and for a GETBULK how many of each.
fn target(request: &Pdu) -> String {
    let mut names: Vec<String> =
        request.bindings.iter().take(MAX_NAMES).map(|asked| asked.name.to_string()).collect();
    if request.bindings.len() > MAX_NAMES {
        names.push(format!("and {} more", request.bindings.len() - MAX_NAMES));
    }
    let mut target = names.join(" ");
    if request.kind == PduKind::GetBulk {
        target.push_str(&format!(
            " (non-repeaters {}, max-repetitions {})",
            request.error_status, request.error_index
        ));
    }
    target
}
