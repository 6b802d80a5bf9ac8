//! What is reported of a conversation besides the events of the commands themselves.

use decnet_logging::event::{Body, Outcome};

use super::engine::quoted;
use crate::session::Session;

/// Values longer than this are reported on their own.
const LARGE: usize = 1024;
/// Large values reported of one command.
const LARGE_BOUND: usize = 4;
/// Bytes of a command's line; all of it is in the raw bytes.
const LINE_BOUND: usize = 4096;

/// What a connection has been up to.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    requests: u64,
    /// Anything beyond the greetings of clients and scanners.
    worked: bool,
    started: bool,
    wrong_protocol: bool,
    broken: bool,
}

/// A request and what came of it.
pub(crate) struct Done<'a> {
    /// The arguments.
    pub(crate) arguments: &'a [Vec<u8>],
    /// The bytes on the wire, cut at the bound of events.
    pub(crate) raw: &'a [u8],
    /// How many bytes there were.
    pub(crate) raw_length: usize,
    /// Whether it ended without an error.
    pub(crate) accepted: bool,
    /// Whether the client may work without a login.
    pub(crate) open: bool,
}

/// Commands that tell nothing of an intention: clients send them on their own, scanners stop after them.
fn is_greeting(verb: &str) -> bool {
    matches!(verb, "ping" | "info" | "hello" | "command" | "client" | "quit" | "echo" | "reset" | "auth")
}

impl Recorder {
    /// Reports one request and the events that its command made.
    pub(crate) fn request(
        &mut self,
        session: &Session,
        done: &Done<'_>,
        notes: Vec<(Body, Option<Vec<u8>>)>,
    ) {
        self.requests += 1;
        let verb = done
            .arguments
            .first()
            .map(|verb| String::from_utf8_lossy(&verb[..verb.len().min(64)]).to_ascii_lowercase())
            .unwrap_or_default();
        let outcome = if done.accepted { Outcome::Accepted } else { Outcome::Failed };
        if !is_greeting(&verb) {
            self.worked = true;
            if done.accepted && done.open && !self.started {
                self.started = true;
                session.emit(Body::SessionStarted {
                    username: "default".to_owned(),
                    privilege: "admin".to_owned(),
                });
            }
        }
        let http = matches!(verb.as_str(), "post" | "host:")
            || (done.arguments.len() == 3 && done.arguments[2].starts_with(b"HTTP/1."))
            || (is_foreign(done.raw) && verb != "get");
        if http && !self.wrong_protocol {
            self.wrong_protocol = true;
            session.emit_raw(Body::ScanProbe { kind: "wrong_protocol".to_owned() }, done.raw);
        }
        if matches!(verb.as_str(), "[[,[[" | "help") {
            session.emit_raw(
                Body::HoneypotTest {
                    rule: format!("redis.{}", if verb == "help" { "help" } else { "garbage" }),
                },
                done.raw,
            );
        }
        let login = notes.iter().any(|(body, _)| matches!(body, Body::AuthAttempt { .. }));
        if !login || verb != "auth" {
            let mut report =
                session.report(Body::Command { command: verb, line: line(done.arguments), outcome });
            report = report.with_raw(done.raw);
            report.raw_len = Some(done.raw_length as u64);
            report.raw_truncated = done.raw.len() < done.raw_length;
            session.send(report);
        }
        for (body, raw) in notes {
            match (body, raw) {
                // The file that a save would have written: its hash is made where it is kept.
                (Body::FileUpload { name, .. }, Some(file)) => session.upload(&name, &file),
                (body, Some(raw)) => session.emit_raw(body, &raw),
                (body @ Body::AuthAttempt { .. }, None) => session.emit_raw(body, done.raw),
                (body, None) => session.emit(body),
            }
        }
        let large = done.arguments.iter().enumerate().skip(1).filter(|(_, argument)| argument.len() > LARGE);
        for (at, argument) in large.take(LARGE_BOUND) {
            let key = done.arguments.get(1).filter(|key| at > 1 && key.len() < 256);
            let name = match key {
                Some(key) => String::from_utf8_lossy(key).into_owned(),
                None => format!("argument {at}"),
            };
            session.upload(&name, argument);
        }
    }

    /// Reports bytes that are no request.
    pub(crate) fn broken(&mut self, session: &Session, raw: &[u8]) {
        self.broken = true;
        let kind = if is_foreign(raw) { "wrong_protocol" } else { "malformed" };
        session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, raw);
    }

    /// Reports what the whole connection was, at its end. `rest` was sent and never
    /// became a request; a silent connection is reported by whoever runs us.
    pub(crate) fn closed(&self, session: &Session, rest: &[u8], silent: bool) {
        if self.broken || self.wrong_protocol || silent {
            return;
        }
        if !rest.is_empty() && self.requests == 0 {
            let kind = if is_foreign(rest) { "wrong_protocol" } else { "malformed" };
            session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, rest);
        } else if !self.worked {
            session.emit(Body::ScanProbe { kind: "handshake_only".to_owned() });
        }
    }
}

/// Whether bytes are the beginning of TLS, SSH, SMB, RDP or HTTP.
fn is_foreign(bytes: &[u8]) -> bool {
    [&b"\x16\x03"[..], b"SSH-", b"\x00\x00\x00", b"\x03\x00\x00", b"GET /", b"OPTIONS", b"HEAD /"]
        .iter()
        .any(|start| bytes.starts_with(start))
}

/// The arguments as one line: quoted where they hold anything but plain characters.
fn line(arguments: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for argument in arguments {
        if !text.is_empty() {
            text.push(' ');
        }
        let plain = !argument.is_empty()
            && argument.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\'));
        let shown = &argument[..argument.len().min(LINE_BOUND)];
        if plain {
            text.push_str(&String::from_utf8_lossy(shown));
        } else {
            text.push_str(&quoted(shown));
        }
        if text.len() > LINE_BOUND {
            let mut end = LINE_BOUND;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push('…');
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_readable_and_bounded() {
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
        assert_eq!(line(&words(&[b"SET", b"a b", b"\x00\xff", b""])), r#"SET "a b" "\x00\xff" """#);
        assert!(line(&words(&[b"SET", &[b'x'; 100_000]])).len() < LINE_BOUND + 8);
    }
}
