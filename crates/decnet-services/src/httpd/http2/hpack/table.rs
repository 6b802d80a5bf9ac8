//! The two tables that header blocks refer to (RFC 7541 section 2.3 and appendix A).

use std::collections::VecDeque;

/// What an entry costs beside its bytes (RFC 7541 section 4.1).
pub(super) const ENTRY_COST: usize = 32;

/// The static table; entry 1 stands first.
pub(super) const STATIC: &[(&str, &str)] = &[
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The entries that one side added, newest first, never more than its bound in bytes.
#[derive(Clone, Debug)]
pub(super) struct Dynamic {
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    bound: usize,
}

impl Dynamic {
    /// Empty, with a bound in bytes.
    pub(super) fn new(bound: usize) -> Dynamic {
        Dynamic { entries: VecDeque::new(), size: 0, bound }
    }

    /// Its bound.
    pub(super) fn bound(&self) -> usize {
        self.bound
    }

    /// Its size in bytes, as RFC 7541 counts.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Sets another bound and drops what no longer fits.
    pub(super) fn resize(&mut self, bound: usize) {
        self.bound = bound;
        self.evict(0);
    }

    fn evict(&mut self, room: usize) {
        while self.size + room > self.bound {
            let Some((name, value)) = self.entries.pop_back() else { return };
            self.size -= name.len() + value.len() + ENTRY_COST;
        }
    }

    /// Adds an entry; one that is larger than the table empties it (RFC 7541 section 4.4).
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let cost = name.len() + value.len() + ENTRY_COST;
        self.evict(cost);
        if cost <= self.bound {
            self.size += cost;
            self.entries.push_front((name.to_vec(), value.to_vec()));
        }
    }

    /// The entry of an index that counts both tables.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        match index.checked_sub(1)? {
            at if at < STATIC.len() => Some((STATIC[at].0.as_bytes(), STATIC[at].1.as_bytes())),
            at => self.entries.get(at - STATIC.len()).map(|(name, value)| (&name[..], &value[..])),
        }
    }

    /// The index of an entry with both parts, and of one with that name: the static table first.
    pub(super) fn find(&self, name: &[u8], value: &[u8]) -> (Option<usize>, Option<usize>) {
        let mut named = None;
        for (at, (key, text)) in STATIC.iter().enumerate() {
            if key.as_bytes() == name {
                if text.as_bytes() == value {
                    return (Some(at + 1), Some(at + 1));
                }
                named = named.or(Some(at + 1));
            }
        }
        for (at, (key, text)) in self.entries.iter().enumerate() {
            if key == name {
                if text == value {
                    return (Some(at + STATIC.len() + 1), named);
                }
                named = named.or(Some(at + STATIC.len() + 1));
            }
        }
        (None, named)
    }
}
