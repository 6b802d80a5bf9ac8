//! What an agent does with a PDU (RFC 3416 section 4.2, RFC 1157 section 4.1): no socket, no clock, no
//! events. The error statuses of SET are those of net-snmp 5.9.3, measured.

use std::collections::BTreeMap;

use super::codec::{Binding, Pdu, PduKind};
use super::mib::live::Moment;
use super::mib::{Node, Rule, Tree};
use super::value::Value;
use crate::asn1::{LengthForm, Oid};

/// error-status (RFC 3416 section 3).
pub(crate) mod status {
    pub(crate) const NO_ERROR: i32 = 0;
    pub(crate) const TOO_BIG: i32 = 1;
    pub(crate) const NO_SUCH_NAME: i32 = 2;
    pub(crate) const BAD_VALUE: i32 = 3;
    pub(crate) const GEN_ERR: i32 = 5;
    pub(crate) const NO_ACCESS: i32 = 6;
    pub(crate) const WRONG_TYPE: i32 = 7;
    pub(crate) const WRONG_LENGTH: i32 = 8;
    pub(crate) const WRONG_VALUE: i32 = 10;
    pub(crate) const NO_CREATION: i32 = 11;
    pub(crate) const RESOURCE_UNAVAILABLE: i32 = 13;
    pub(crate) const AUTHORIZATION_ERROR: i32 = 16;
    pub(crate) const NOT_WRITABLE: i32 = 17;

    /// Its name in events.
    pub(crate) fn name(status: i32) -> &'static str {
        match status {
            NO_ERROR => "noError",
            TOO_BIG => "tooBig",
            NO_SUCH_NAME => "noSuchName",
            BAD_VALUE => "badValue",
            GEN_ERR => "genErr",
            NO_ACCESS => "noAccess",
            WRONG_TYPE => "wrongType",
            WRONG_LENGTH => "wrongLength",
            WRONG_VALUE => "wrongValue",
            NO_CREATION => "noCreation",
            RESOURCE_UNAVAILABLE => "resourceUnavailable",
            AUTHORIZATION_ERROR => "authorizationError",
            NOT_WRITABLE => "notWritable",
            _ => "error",
        }
    }
}

/// Objects that managers wrote; past it a SET fails as on an agent without memory.
pub(crate) const MAX_WRITTEN: usize = 512;
/// Bytes of one written value.
const MAX_WRITTEN_VALUE: usize = 1024;

/// What managers wrote, by name.
pub(crate) type Written = BTreeMap<Oid, Value>;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Whether the asker speaks v1: no exceptions, no 64-bit counters, other errors.
    pub(crate) v1: bool,
    /// Whether the asker may write.
    pub(crate) write: bool,
}

/// An agent at one moment.
pub(crate) struct Agent<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) written: &'a mut Written,
    pub(crate) moment: &'a Moment,
    pub(crate) form: LengthForm,
    /// Bytes that the bindings of a response may take.
    pub(crate) room: usize,
}

/// An object that a SET changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: Oid,
    pub(crate) old: Option<Value>,
    pub(crate) new: Value,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) pdu: Pdu,
    pub(crate) changes: Vec<Change>,
}

impl Agent<'_> {
    /// Answers a request; `None` for what is no request.
    pub(crate) fn answer(&mut self, asker: Asker, request: &Pdu) -> Option<Answer> {
        let mut changes = Vec::new();
        let response = match request.kind {
            PduKind::Get | PduKind::GetNext => self.get(asker, request),
            PduKind::GetBulk => self.get_bulk(asker, request),
            PduKind::Set => self.set(asker, request, &mut changes),
            _ => return None,
        };
        Some(Answer { pdu: response, changes })
    }

    fn get(&self, asker: Asker, request: &Pdu) -> Pdu {
        let mut bindings = Vec::with_capacity(request.bindings.len());
        let mut length = 0;
        for (place, asked) in (1..).zip(&request.bindings) {
            let found = match request.kind {
                PduKind::Get => self.exact(asker, &asked.name),
                _ => self.following(asker, &asked.name),
            };
            if asker.v1 && found.value.is_exception() {
                return refuse(request, status::NO_SUCH_NAME, place);
            }
            length += found.encoded_length(self.form);
            if length > self.room {
                return too_big(asker, request);
            }
            bindings.push(found);
        }
        respond(request, bindings)
    }

    fn exact(&self, asker: Asker, name: &Oid) -> Binding {
        let value = match self.tree.get(name) {
            Some(node) => match self.value(node) {
                Value::Counter64(_) if asker.v1 => Value::NoSuchInstance,
                value => value,
            },
            None => self.written.get(name).cloned().unwrap_or_else(|| self.tree.exception(name)),
        };
        Binding { name: name.clone(), value }
    }

    fn following(&self, asker: Asker, name: &Oid) -> Binding {
        let mut at = name.clone();
        loop {
            let node = self.tree.next(&at);
            // Rows that managers created lie between those of the tree.
            let created = self
                .written
                .range((std::ops::Bound::Excluded(&at), std::ops::Bound::Unbounded))
                .find(|(written, _)| self.tree.get(written).is_none());
            let (next, value) = match (node, created) {
                (None, None) => return Binding { name: name.clone(), value: Value::EndOfMibView },
                (Some(node), Some((written, value))) if *written < node.name => (written, value.clone()),
                (Some(node), _) => (&node.name, self.value(node)),
                (None, Some((written, value))) => (written, value.clone()),
            };
            if asker.v1 && matches!(value, Value::Counter64(_)) {
                at = next.clone();
                continue;
            }
            return Binding { name: next.clone(), value };
        }
    }

    fn value(&self, node: &Node) -> Value {
        if node.rule.is_some()
            && let Some(value) = self.written.get(&node.name)
        {
            return value.clone();
        }
        node.value(self.moment)
    }

    /// RFC 3416 section 4.2.3. What does not fit is left out; a response never fails for its length.
    fn get_bulk(&self, asker: Asker, request: &Pdu) -> Pdu {
        let singles = usize::try_from(request.error_status).unwrap_or(0).min(request.bindings.len());
        let repetitions = usize::try_from(request.error_index).unwrap_or(0);
        let (singles, repeated) = request.bindings.split_at(singles);
        let mut bindings = Vec::new();
        let mut length = 0;
        let mut push = |bindings: &mut Vec<Binding>, binding: Binding| {
            length += binding.encoded_length(self.form);
            let fits = length <= self.room;
            if fits {
                bindings.push(binding);
            }
            fits
        };
        for asked in singles {
            if !push(&mut bindings, self.following(asker, &asked.name)) {
                return respond(request, bindings);
            }
        }
        let mut at: Vec<Oid> = repeated.iter().map(|asked| asked.name.clone()).collect();
        for _ in 0..repetitions {
            let mut ended = true;
            for name in &mut at {
                let binding = self.following(asker, name);
                ended &= binding.value == Value::EndOfMibView;
                *name = binding.name.clone();
                if !push(&mut bindings, binding) {
                    return respond(request, bindings);
                }
            }
            if ended {
                break;
            }
        }
        respond(request, bindings)
    }

    /// All or nothing: everything is checked before anything is written.
    fn set(&mut self, asker: Asker, request: &Pdu, changes: &mut Vec<Change>) -> Pdu {
        let refuse_with = |error: i32, place: i32| {
            let error = if asker.v1 { v1_status(error) } else { error };
            refuse(request, error, place)
        };
        for (place, asked) in (1..).zip(&request.bindings) {
            if !asker.write {
                return refuse_with(status::NO_ACCESS, place);
            }
            if let Err(error) = self.may_write(&asked.name, &asked.value) {
                return refuse_with(error, place);
            }
        }
        let fresh = request.bindings.iter().filter(|asked| !self.written.contains_key(&asked.name)).count();
        if self.written.len() + fresh > MAX_WRITTEN {
            return refuse_with(status::RESOURCE_UNAVAILABLE, 1);
        }
        for asked in &request.bindings {
            let old = match self.tree.get(&asked.name) {
                Some(node) => Some(self.value(node)),
                None => self.written.get(&asked.name).cloned(),
            };
            self.written.insert(asked.name.clone(), asked.value.clone());
            changes.push(Change { name: asked.name.clone(), old, new: asked.value.clone() });
        }
        respond(request, request.bindings.clone())
    }

    fn may_write(&self, name: &Oid, value: &Value) -> Result<(), i32> {
        if let Value::Octets(bytes) | Value::Opaque(bytes) | Value::Unknown(_, bytes) = value
            && bytes.len() > MAX_WRITTEN_VALUE
        {
            return Err(status::WRONG_LENGTH);
        }
        match self.tree.get(name) {
            Some(Node { rule: Some(rule), .. }) => match (rule, value) {
                (Rule::Text(most), Value::Octets(bytes)) if bytes.len() > *most => Err(status::WRONG_LENGTH),
                (Rule::Text(_), Value::Octets(_)) => Ok(()),
                (Rule::OneOf(numbers), Value::Integer(number)) if numbers.contains(number) => Ok(()),
                (Rule::OneOf(_), Value::Integer(_)) => Err(status::WRONG_VALUE),
                _ => Err(status::WRONG_TYPE),
            },
            Some(_) => Err(status::NOT_WRITABLE),
            None if self.tree.in_writable_area(name) => match value {
                Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {
                    Err(status::WRONG_TYPE)
                }
                _ => Ok(()),
            },
            None if self.tree.is_beside_writable(name) => Err(status::NO_CREATION),
            None => Err(status::NOT_WRITABLE),
        }
    }
}

fn respond(request: &Pdu, bindings: Vec<Binding>) -> Pdu {
    Pdu { kind: PduKind::Response, request_id: request.request_id, error_status: 0, error_index: 0, bindings }
}

/// An error response: the variables as they were asked.
pub(crate) fn refuse(request: &Pdu, error_status: i32, error_index: i32) -> Pdu {
    Pdu { kind: PduKind::Response, error_status, error_index, ..request.clone() }
}

/// v1 sends the variables back (RFC 1157 section 4.1.2), v2 an empty list (RFC 3416 section 4.2.1).
fn too_big(asker: Asker, request: &Pdu) -> Pdu {
    let mut response = refuse(request, status::TOO_BIG, 0);
    if !asker.v1 {
        response.bindings.clear();
    }
    response
}

/// The error of v1 for one of v2 (RFC 3584 section 4.4).
fn v1_status(error: i32) -> i32 {
    match error {
        status::WRONG_VALUE | status::WRONG_TYPE | status::WRONG_LENGTH => status::BAD_VALUE,
        status::NO_ACCESS | status::NOT_WRITABLE | status::NO_CREATION | status::AUTHORIZATION_ERROR => {
            status::NO_SUCH_NAME
        }
        status::RESOURCE_UNAVAILABLE => status::GEN_ERR,
        other => other,
    }
}
