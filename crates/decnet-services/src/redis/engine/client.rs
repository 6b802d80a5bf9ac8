//! A connection as the engine sees it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::redis::codec::{Protocol, Reply};

/// Whether and how a connection is to be ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Close {
    /// Not at all.
    #[default]
    No,
    /// When what waits has been written.
    AfterReply,
    /// At once.
    Now,
    /// At once, and because of one of our bounds.
    Limit(&'static str),
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    /// Replies are sent.
    #[default]
    On,
    /// None are.
    Off,
    /// The reply to this command is not, the next is to be skipped.
    SkipNext,
    /// This one is skipped.
    Skip,
}

/// A command that waits for EXEC.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    /// Its arguments.
    pub(crate) arguments: Vec<Vec<u8>>,
}

/// A client that waits for a key.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    /// The keys.
    pub(crate) keys: Vec<Vec<u8>>,
    /// The command to run again when one of them changes.
    pub(crate) arguments: Vec<Vec<u8>>,
    /// How long; forever where `None`.
    pub(crate) wait: Option<Duration>,
    /// What it is told then.
    pub(crate) late: Reply,
    /// Who came first is served first.
    pub(crate) order: u64,
}

/// A client that said PSYNC or SYNC.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    /// Its REPLCONF listening-port.
    pub(crate) port: u16,
    /// Its REPLCONF ip-address.
    pub(crate) address: Option<String>,
    /// The offset it acknowledged.
    pub(crate) acknowledged: i64,
    /// Whether it was sent the data.
    pub(crate) online: bool,
    /// Whether it takes the data without knowing its length first: REPLCONF capa eof.
    pub(crate) eof: bool,
}

/// CLIENT TRACKING.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracking {
    /// Every key with one of the prefixes, not only those that were read.
    pub(crate) broadcast: bool,
    /// The prefixes of a broadcasting client.
    pub(crate) prefixes: Vec<Vec<u8>>,
    /// Keys that were read.
    pub(crate) keys: BTreeSet<Vec<u8>>,
    /// Whose connection is told.
    pub(crate) redirect: u64,
    /// OPTIN
    pub(crate) opt_in: bool,
    /// OPTOUT
    pub(crate) opt_out: bool,
    /// NOLOOP
    pub(crate) no_loop: bool,
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// The other side.
    pub(crate) address: String,
    /// Our side.
    pub(crate) local: String,
    /// Its file descriptor, as CLIENT LIST shows it.
    pub(crate) descriptor: u64,
    /// CLIENT SETNAME
    pub(crate) name: Vec<u8>,
    /// CLIENT SETINFO LIB-NAME and LIB-VER
    pub(crate) library: (Vec<u8>, Vec<u8>),
    /// When it connected, in microseconds since 1970-01-01 UTC.
    pub(crate) connected: i64,
    /// When it last said something.
    pub(crate) active: i64,
    /// SELECT
    pub(crate) database: usize,
    /// HELLO
    pub(crate) protocol: Protocol,
    /// Who it is.
    pub(crate) user: Vec<u8>,
    /// Whether it may do more than log in.
    pub(crate) authenticated: bool,
    /// MULTI
    pub(crate) queue: Option<Vec<Queued>>,
    /// Whether a queued command was refused.
    pub(crate) queue_broken: bool,
    /// WATCH
    pub(crate) watched: Vec<(usize, Vec<u8>)>,
    /// Whether a watched key changed.
    pub(crate) watch_broken: bool,
    /// SUBSCRIBE
    pub(crate) channels: BTreeSet<Vec<u8>>,
    /// PSUBSCRIBE
    pub(crate) patterns: BTreeSet<Vec<u8>>,
    /// SSUBSCRIBE
    pub(crate) shard_channels: BTreeSet<Vec<u8>>,
    /// MONITOR
    pub(crate) monitor: bool,
    /// PSYNC
    pub(crate) replica: Option<Replica>,
    /// BLPOP
    pub(crate) blocked: Option<Blocked>,
    /// CLIENT TRACKING
    pub(crate) tracking: Option<Tracking>,
    /// CLIENT CACHING: yes or no for the next command.
    pub(crate) caching: Option<bool>,
    /// CLIENT REPLY
    pub(crate) replies: ReplyMode,
    /// CLIENT NO-EVICT
    pub(crate) no_evict: bool,
    /// CLIENT NO-TOUCH
    pub(crate) no_touch: bool,
    /// READONLY, ASKING: no effect without a cluster.
    pub(crate) last_command: String,
    /// Bytes of the arguments of the current command.
    pub(crate) argument_bytes: usize,
    /// Bytes read and not yet looked at.
    pub(crate) query_bytes: usize,
    /// Bytes that we keep for it.
    pub(crate) kept: usize,
    /// Bytes to be written.
    pub(crate) pending: Vec<u8>,
    /// Wakes its connection when something was put into `pending` by others.
    pub(crate) wake: Arc<Notify>,
    /// Whether it is to be ended.
    pub(crate) close: Close,
    /// Planted keys that it was seen reading.
    pub(crate) bait_seen: BTreeSet<Vec<u8>>,
}

impl Client {
    /// SUBSCRIBE, PSUBSCRIBE and SSUBSCRIBE together.
    pub(crate) fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Puts a reply out and wakes the connection.
    pub(crate) fn push(&mut self, reply: &Reply) {
        if self.pending.len() > super::OUTPUT_BOUND {
            self.close = Close::Limit("client output buffer");
        } else {
            reply.emit(self.protocol, &mut self.pending);
        }
        self.wake.notify_one();
    }
}
