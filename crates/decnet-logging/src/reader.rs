//! Events, read again: from a journal, or from a file of JSON lines or RFC 5424 lines; also while it grows
//! and is rotated.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::event::{Event, Session, Severity, timestamp};
use crate::journal::Tail;
use crate::syslog;

/// Bytes in one line; a longer one is skipped. Ours are shorter: a report is at most 128 KiB of JSON, and
/// every escape makes it at most six times as long.
const LINE_LIMIT: usize = 2 * 1024 * 1024;

/// How much of a file's end is searched for its last event.
const TAIL: u64 = 8 * 1024 * 1024;

/// Which events are wanted. An empty list wants all; several values of one list mean any of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names of deckies.
    pub deckies: Vec<String>,
    /// Slugs of services.
    pub services: Vec<String>,
    /// Networks of the other side.
    pub sources: Vec<IpNet>,
    /// Kinds: whole (`auth.attempt`) or the part before the dot (`auth`).
    pub kinds: Vec<String>,
    /// Not before this: microseconds since 1970-01-01 UTC.
    pub since: Option<i64>,
    /// Only before this.
    pub until: Option<i64>,
    /// At least so severe.
    pub severity: Option<Severity>,
    /// One conversation.
    pub session: Option<SessionPrefix>,
}

/// A conversation by the beginning of its id, as it is typed: at least four hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPrefix {
    /// The digits, as the highest ones of a number.
    value: u128,
    /// The bits that count.
    mask: u128,
}

/// Text that is no session id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no session id; write its 32 hexadecimal digits, or at least the first four of them")]
pub struct InvalidSession(pub String);

impl std::str::FromStr for SessionPrefix {
    type Err = InvalidSession;

    fn from_str(text: &str) -> Result<Self, InvalidSession> {
        let invalid = || InvalidSession(text.to_owned());
        // from_str_radix would take a sign.
        if !(4..=32).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let value = u128::from_str_radix(text, 16).map_err(|_| invalid())?;
        let rest = 128 - 4 * text.len() as u32;
        Ok(SessionPrefix { value: value << rest, mask: u128::MAX << rest })
    }
}

impl SessionPrefix {
    /// Whether the id begins so.
    pub fn matches(self, session: Session) -> bool {
        session.0 & self.mask == self.value
    }
}

impl Filter {
    /// Whether an event is wanted.
    pub fn matches(&self, event: &Event) -> bool {
        let Event { speaker, report, .. } = event;
        let kind = report.body.kind();
        let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| item == value);
        any(&self.deckies, &speaker.decky)
            && any(&self.services, &speaker.service)
            && (self.sources.is_empty() || self.sources.iter().any(|net| net.contains(&report.src_ip)))
            && (self.kinds.is_empty()
                || self.kinds.iter().any(|want| {
                    kind.strip_prefix(want.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                }))
            && self.since.is_none_or(|since| event.ts >= since)
            && self.until.is_none_or(|until| event.ts < until)
            && self.severity.is_none_or(|least| event.severity <= least)
            && self.session.is_none_or(|session| session.matches(report.session))
    }
}

/// Text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write an age such as 90s, 10m, 2h, 3d, or a time such as 2026-11-22T12:00:00Z")]
pub struct InvalidSince(pub String);

/// A point in time as it is typed: an age before `now` (`90s`, `10m`, `2h`, `3d`, `1w`), a date in UTC, or
/// RFC 3339. Microseconds since 1970-01-01 UTC.
///
/// # Errors
/// [`InvalidSince`].
pub fn parse_since(text: &str, now: i64) -> Result<i64, InvalidSince> {
    let invalid = || InvalidSince(text.to_owned());
    let seconds = match text.bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        Some(b'w') => 604_800,
        _ => {
            return timestamp::parse(text)
                .or_else(|_| timestamp::parse(&format!("{text}T00:00:00Z")))
                .map_err(|_| invalid());
        }
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| invalid())?;
    Ok(now.saturating_sub(i64::from(count) * seconds * 1_000_000))
}

/// Text that is no address or network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no source; write an address such as 198.51.100.7 or a network such as 198.51.100.0/24")]
pub struct InvalidSource(pub String);

/// A source as it is typed: an address or a network.
///
/// # Errors
/// [`InvalidSource`].
pub fn parse_source(text: &str) -> Result<IpNet, InvalidSource> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| InvalidSource(text.to_owned()))
}

/// The event of a line: JSON or RFC 5424. None for any other.
pub fn parse_line(line: &str) -> Option<Event> {
    match line.as_bytes().first()? {
        b'{' => serde_json::from_str(line).ok(),
        b'<' => syslog::parse(line).ok(),
        _ => None,
    }
}

/// Reads events from the beginning of a journal or a file, and on while it grows. A journal is a directory.
/// Follows the path when a file is rotated away, and begins again when it is truncated.
#[derive(Debug)]
pub struct Reader {
    filter: Filter,
    from: From,
}

#[derive(Debug)]
enum From {
    Journal { tail: Tail, unreadable: u64 },
    File(Lines),
}

impl Reader {
    /// Opens a journal's directory or a file.
    ///
    /// # Errors
    /// There is none, or this user may not read it.
    pub fn open(path: &Path, filter: Filter) -> io::Result<Self> {
        let from = if std::fs::metadata(path)?.is_dir() {
            std::fs::read_dir(path)?;
            From::Journal { tail: Tail::new(path, 0), unreadable: 0 }
        } else {
            From::File(Lines::open(path)?)
        };
        Ok(Reader { filter, from })
    }

    /// The next event that is wanted. None: there is no more at present; whoever follows asks again after a
    /// while.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        match &mut self.from {
            From::File(lines) => loop {
                if !lines.fill_line()? {
                    if lines.turn_over()? {
                        continue;
                    }
                    return Ok(None);
                }
                if let Some(event) = lines.take_line(&self.filter) {
                    return Ok(Some(event));
                }
            },
            From::Journal { tail, unreadable } => {
                while tail.advance()? {
                    let Some(record) = tail.record() else { continue };
                    if self.filter.since.is_some_and(|since| record.time < since) {
                        continue;
                    }
                    match serde_json::from_slice(record.json) {
                        Ok(event) if self.filter.matches(&event) => return Ok(Some(event)),
                        Ok(_) => {}
                        Err(_) => *unreadable += 1,
                    }
                }
                Ok(None)
            }
        }
    }

    /// The event in a file's last line without line feed, for those who do not follow. A journal has none: its
    /// last line is being written, or torn.
    pub fn finish(&mut self) -> Option<Event> {
        match &mut self.from {
            From::File(lines) if !lines.line.is_empty() || lines.overlong => lines.take_line(&self.filter),
            _ => None,
        }
    }

    /// How many lines were no events: another program's, torn ones, another version's.
    pub fn unreadable(&self) -> u64 {
        match &self.from {
            From::File(lines) => lines.unreadable,
            From::Journal { tail, unreadable } => tail.unreadable() + unreadable,
        }
    }
}

/// A file of lines.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    /// Device and inode.
    id: (u64, u64),
    /// Bytes read of this file.
    position: u64,
    /// The line so far.
    line: Vec<u8>,
    /// The line so far is longer than any of ours.
    overlong: bool,
    unreadable: u64,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Self> {
        let (file, id) = open(path)?;
        Ok(Lines {
            path: path.to_owned(),
            file,
            id,
            position: 0,
            line: Vec::new(),
            overlong: false,
            unreadable: 0,
        })
    }

    /// Reads up to a line feed. False if the file ends before.
    fn fill_line(&mut self) -> io::Result<bool> {
        loop {
            let chunk = match self.file.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(false);
            }
            let end = chunk.iter().position(|b| *b == b'\n');
            let (part, used) = match end {
                Some(end) => (&chunk[..end], end + 1),
                None => (chunk, chunk.len()),
            };
            if self.overlong || self.line.len() + part.len() > LINE_LIMIT {
                self.overlong = true;
                self.line.clear();
            } else {
                self.line.extend_from_slice(part);
            }
            self.file.consume(used);
            self.position += used as u64;
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The line's event, if it is one and wanted.
    fn take_line(&mut self, filter: &Filter) -> Option<Event> {
        // What was read of a line that is too long was thrown away.
        let empty = self.line.is_empty() && !std::mem::take(&mut self.overlong);
        let event = std::str::from_utf8(&self.line).ok().and_then(parse_line);
        self.line.clear();
        match event {
            Some(event) => filter.matches(&event).then_some(event),
            None => {
                self.unreadable += u64::from(!empty);
                None
            }
        }
    }

    /// At the end of the file: whether there is another one to go on with.
    fn turn_over(&mut self) -> io::Result<bool> {
        if self.file.get_ref().metadata()?.len() < self.position {
            self.file.seek(SeekFrom::Start(0))?;
        } else {
            match std::fs::metadata(&self.path) {
                Ok(meta) if (meta.dev(), meta.ino()) != self.id => {
                    // Between the two looks the old file may have got its last lines.
                    if self.file.get_ref().metadata()?.len() > self.position {
                        return Ok(true);
                    }
                    (self.file, self.id) = open(&self.path)?;
                }
                // Rotated away, and the new one is not there yet.
                _ => return Ok(false),
            }
        }
        self.position = 0;
        self.unreadable += u64::from(!self.line.is_empty() || self.overlong);
        self.line.clear();
        self.overlong = false;
        Ok(true)
    }
}

fn open(path: &Path) -> io::Result<(BufReader<File>, (u64, u64))> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    Ok((BufReader::with_capacity(64 * 1024, file), (meta.dev(), meta.ino())))
}

/// The sequence number of the last event in a file, or, where it holds none, in the one that was rotated
/// away from it (`FILE.1`). None if there is no file or no event. A torn last line is passed over.
/// `sequence` reads the number of a line.
///
/// # Errors
/// A file is there and cannot be read.
pub fn last_seq(path: &Path, sequence: impl Fn(&str) -> Option<u64>) -> io::Result<Option<u64>> {
    let mut rotated = path.as_os_str().to_owned();
    rotated.push(".1");
    for path in [path, Path::new(&rotated)] {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        // What stands there and is no file, a directory, holds no event.
        if !meta.is_file() {
            continue;
        }
        let length = meta.len();
        let searched = length.min(TAIL);
        let mut tail = vec![0; searched as usize];
        file.read_exact_at(&mut tail, length - searched)?;
        let last = tail
            .rsplit(|b| *b == b'\n')
            .filter_map(|line| std::str::from_utf8(line).ok())
            .find_map(&sequence);
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}
