//! Where events go: syslog servers and files.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Octets of a message to a UDP target that names no size: RFC 5426 section 3.2.
pub const UDP_SIZE: u32 = 2048;
/// Octets of a message to a TCP or TLS target that names no size: what RFC 5425 section 4.3.1 says every
/// receiver should take, and what rsyslog takes unless it is told otherwise.
pub const STREAM_SIZE: u32 = 8192;
/// The smallest size: what every receiver must take (RFC 5424 section 6.1).
pub const SMALLEST_SIZE: u32 = 480;
/// The largest size over UDP: 65,535 octets less the headers of IPv4 and UDP.
pub const LARGEST_UDP_SIZE: u32 = 65_507;
/// The largest size over TCP and TLS; no event is longer.
pub const LARGEST_STREAM_SIZE: u32 = 1024 * 1024;

/// How syslog travels to a log target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTransport {
    /// RFC 5426.
    Udp,
    /// RFC 6587.
    Tcp,
    /// RFC 5425.
    Tls,
}

impl LogTransport {
    /// The word before `://`.
    pub const fn scheme(self) -> &'static str {
        match self {
            LogTransport::Udp => "udp",
            LogTransport::Tcp => "tcp",
            LogTransport::Tls => "tls",
        }
    }

    /// The options that a target of this transport may have.
    pub const fn options(self) -> &'static [&'static str] {
        match self {
            LogTransport::Udp => &["size"],
            LogTransport::Tcp => &["size", "framing"],
            LogTransport::Tls => &["size", "ca", "fingerprint", "name", "cert", "key"],
        }
    }
}

/// How messages are told apart on a TCP connection (RFC 6587 section 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// Each message after its length: `framing=octets`.
    #[default]
    Octets,
    /// Each message before a line feed: `framing=lf`. None of ours holds one.
    Lf,
}

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    /// `sha256:` or `sha-256:` (RFC 5425 section 4.2.2) and 64 hexadecimal digits, with or without colons.
    fn from_str(text: &str) -> Result<Self, ()> {
        let folded = text.to_ascii_lowercase();
        let digits = folded.strip_prefix("sha256:").or_else(|| folded.strip_prefix("sha-256:")).ok_or(())?;
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 {
            return Err(());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16).ok_or(());
            // Two hexadecimal digits fit.
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Fingerprint(bytes))
    }
}

/// What stands behind the `?` of a log target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetOptions {
    /// Longest message in octets; see [`LogTarget::size`].
    pub size: Option<u32>,
    /// TCP: how messages are told apart.
    pub framing: Framing,
    /// TLS: a PEM file of the authorities that may vouch for the server.
    pub ca: Option<PathBuf>,
    /// TLS: the server's certificate itself.
    pub fingerprint: Option<Fingerprint>,
    /// TLS: the name in the server's certificate, where it is not the host.
    pub name: Option<String>,
    /// TLS: a PEM file of our own certificate and its chain.
    pub cert: Option<PathBuf>,
    /// TLS: a PEM file of the key of `cert`.
    pub key: Option<PathBuf>,
}

/// Where syslog is sent: `host:port`, `udp://host:port`, `tcp://host:port`, `tls://host:port`, with options
/// such as `?size=64k&framing=lf`. A `%` and two hexadecimal digits stand for a byte that is a separator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogTarget {
    /// How.
    pub transport: LogTransport,
    /// A host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The rest.
    pub options: TargetOptions,
}

impl LogTarget {
    /// Longest message in octets; what is longer is cut and says so.
    pub fn size(&self) -> usize {
        let usual = if self.transport == LogTransport::Udp { UDP_SIZE } else { STREAM_SIZE };
        self.options.size.unwrap_or(usual) as usize
    }

    /// `host:port`, an IPv6 address in brackets.
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidLogTarget> {
        let invalid =
            |wanted| InvalidLogTarget::Value { option: name.to_owned(), value: value.to_owned(), wanted };
        let path = || if value.is_empty() { Err(invalid("the name of a file")) } else { Ok(value.into()) };
        if !self.transport.options().contains(&name) {
            let option = name.to_owned();
            return Err(InvalidLogTarget::Option { option, transport: self.transport });
        }
        let options = &mut self.options;
        match name {
            "size" => {
                let (largest, wanted) = match self.transport {
                    LogTransport::Udp => (LARGEST_UDP_SIZE, "a number of octets from 480 to 65507"),
                    _ => (LARGEST_STREAM_SIZE, "a number of octets from 480 to 1M"),
                };
                let size = bytes(value).and_then(|size| u32::try_from(size).ok());
                let size = size.filter(|size| (SMALLEST_SIZE..=largest).contains(size));
                options.size = Some(size.ok_or_else(|| invalid(wanted))?);
            }
            "framing" => {
                options.framing = match value {
                    "octets" => Framing::Octets,
                    "lf" => Framing::Lf,
                    _ => return Err(invalid("octets or lf")),
                };
            }
            "ca" => options.ca = Some(path()?),
            "cert" => options.cert = Some(path()?),
            "key" => options.key = Some(path()?),
            "name" if is_host(value) => options.name = Some(value.to_owned()),
            "name" => return Err(invalid("a host name or an address")),
            // The last of the known ones.
            _ => {
                let wanted = "sha256: and 64 hexadecimal digits";
                options.fingerprint = Some(value.parse().map_err(|()| invalid(wanted))?);
            }
        }
        Ok(())
    }
}

/// Text that is not a log target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogTarget {
    /// Not the form of one.
    #[error(
        "`{0}` is not a log target; write host:port, udp://host:port, tcp://host:port or tls://host:port"
    )]
    Form(String),
    /// An option that this transport does not have, or that is none.
    #[error("a {} log target has no option `{option}`; there are {}", .transport.scheme(), .transport.options().join(", "))]
    Option {
        /// The option.
        option: String,
        /// The transport.
        transport: LogTransport,
    },
    /// An option twice.
    #[error("the option `{0}` of the log target is given twice")]
    Twice(String),
    /// A value that its option does not take.
    #[error("`{value}` cannot be the {option} of a log target; it is {wanted}")]
    Value {
        /// The option.
        option: String,
        /// Its value.
        value: String,
        /// What it takes.
        wanted: &'static str,
    },
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport.scheme(), self.place())?;
        let options = &self.options;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let given = [
            ("size", options.size.map(|size| size.to_string())),
            ("framing", (options.framing == Framing::Lf).then(|| "lf".to_owned())),
            ("ca", path(&options.ca)),
            ("fingerprint", options.fingerprint.map(|print| print.to_string())),
            ("name", options.name.clone()),
            ("cert", path(&options.cert)),
            ("key", path(&options.key)),
        ];
        let mut mark = '?';
        for (name, value) in given {
            let Some(value) = value else { continue };
            write!(f, "{mark}{name}=")?;
            escape(f, &value)?;
            mark = '&';
        }
        Ok(())
    }
}

/// What must not stand as itself in a value: the separators of options, of lists, of comments.
fn escape(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    for c in value.chars() {
        if c.is_control() || c.is_whitespace() || matches!(c, '%' | '&' | ',' | '#' | ';' | '"') {
            c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

/// A value with its `%XX` read; none where they make no UTF-8 or are none.
fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (pair, after) = after.split_at_checked(2)?;
        let digit = |c: u8| char::from(c).to_digit(16);
        // Two hexadecimal digits fit.
        bytes.push((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        || text.parse::<std::net::Ipv6Addr>().is_ok()
}

impl FromStr for LogTarget {
    type Err = InvalidLogTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidLogTarget::Form(text.to_owned());
        let (place, options) = text.split_once('?').map_or((text, None), |(place, rest)| (place, Some(rest)));
        let (transport, rest) = match place.split_once("://") {
            None => (LogTransport::Udp, place),
            Some(("udp", rest)) => (LogTransport::Udp, rest),
            Some(("tcp", rest)) => (LogTransport::Tcp, rest),
            Some(("tls", rest)) => (LogTransport::Tls, rest),
            Some(_) => return Err(invalid()),
        };
        // RFC 5425 section 4.1 gives TLS a port of its own; the others have more than one habit.
        let bare_host = is_host(rest) && !rest.contains(':') || rest.ends_with(']');
        let (host, port) = match rest.rsplit_once(':') {
            _ if transport == LogTransport::Tls && bare_host => (rest, 6514),
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?),
            None => return Err(invalid()),
        };
        let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let host = match bare {
            Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
            Some(_) => return Err(invalid()),
            None if host.contains(':') || !is_host(host) => return Err(invalid()),
            None => host,
        };
        let mut target =
            LogTarget { transport, host: host.to_owned(), port, options: TargetOptions::default() };
        let mut seen = Vec::new();
        for option in options.into_iter().flat_map(|options| options.split('&')) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = unescape(value).ok_or_else(|| InvalidLogTarget::Value {
                option: name.to_owned(),
                value: value.to_owned(),
                wanted: "text in which `%` stands before two hexadecimal digits",
            })?;
            if seen.contains(&name) {
                return Err(InvalidLogTarget::Twice(name.to_owned()));
            }
            seen.push(name);
            target.set(name, &value)?;
        }
        Ok(target)
    }
}

impl Serialize for LogTarget {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogTarget {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What the lines of a log file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// RFC 5424.
    #[default]
    Syslog,
    /// One JSON object per event, under our own names.
    Json,
    /// One JSON object per event, under the names of the Elastic Common Schema.
    Ecs,
}

/// A file of events: `/var/log/decnet.log`, `json:/var/log/decnet.jsonl`, `ecs:/var/log/decnet.ecs.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogFile {
    /// What its lines are.
    pub form: LogForm,
    /// The file.
    pub path: PathBuf,
}

impl FromStr for LogFile {
    type Err = InvalidLogFile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (form, path) = match text.split_once(':') {
            Some(("syslog", path)) => (LogForm::Syslog, path),
            Some(("json", path)) => (LogForm::Json, path),
            Some(("ecs", path)) => (LogForm::Ecs, path),
            // `jason:/var/log/x` is a mistake; `./a:b` and `dir/a:b` are names.
            Some((word, path)) if path.starts_with('/') && !word.contains(['/', '.']) => {
                return Err(InvalidLogFile::Form(word.to_owned()));
            }
            _ => (LogForm::Syslog, text),
        };
        if path.is_empty() || path.ends_with('/') {
            return Err(InvalidLogFile::Name(path.to_owned()));
        }
        Ok(LogFile { form, path: path.into() })
    }
}

/// Text that is not a log file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogFile {
    /// Nothing, or a folder.
    #[error("`{0}` is not the name of a log file")]
    Name(String),
    /// A word before the colon that is no form.
    #[error("`{0}` is no form of a log file; there are syslog, json and ecs")]
    Form(String),
}

/// When a log file is put aside, and how many of those are kept. Without size and age never: others may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rotation {
    /// Before it grows past this many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it is this many seconds old and there is something to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// How many are kept: FILE.1 is the youngest.
    pub keep: u32,
}

impl Rotation {
    /// How many files are kept where nothing is said.
    pub const KEEP: u32 = 5;
    /// The most that can be kept: each rotation renames them all.
    pub const LARGEST_KEEP: u32 = 1000;
    /// The smallest size: some events are longer than 100 KiB.
    pub const SMALLEST_SIZE: u64 = 1024 * 1024;
    /// The shortest age, in seconds.
    pub const SHORTEST_AGE: u64 = 60;
}

impl Default for Rotation {
    fn default() -> Self {
        Rotation { size: None, age: None, keep: Rotation::KEEP }
    }
}

/// A number of bytes: `8192`, `64k`, `100M`, `1G`; KiB, MiB and GiB are meant.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix("ib").or_else(|| text.strip_suffix('b')).unwrap_or(&text);
    let (number, unit) = match text.strip_suffix(['k', 'm', 'g']) {
        Some(number) if text.ends_with('k') => (number, 1 << 10),
        Some(number) if text.ends_with('m') => (number, 1 << 20),
        Some(number) => (number, 1 << 30),
        None => (text, 1),
    };
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

/// A number of seconds: `90s`, `30m`, `12h`, `7d`, `4w`.
pub fn seconds(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    text[..text.len() - 1].trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

/// Where events go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Syslog servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<LogTarget>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<LogFile>,
    /// When the files are put aside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rotation: Rotation,
}

fn is_default(rotation: &Rotation) -> bool {
    *rotation == Rotation::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_targets() {
        for (text, shown) in [
            ("10.0.0.1:514", "udp://10.0.0.1:514"),
            ("tcp://siem.corp.example:601", "tcp://siem.corp.example:601"),
            ("tls://[2001:db8::1]:6514", "tls://[2001:db8::1]:6514"),
            ("tls://[2001:db8::1]", "tls://[2001:db8::1]:6514"),
            ("tls://siem?ca=/etc/x", "tls://siem:6514?ca=/etc/x"),
            ("udp://h:1?size=8k", "udp://h:1?size=8192"),
            ("tcp://h:1?framing=lf&size=256k", "tcp://h:1?size=262144&framing=lf"),
            ("tls://h:1?key=/k&cert=/a%2Cb%25%26&name=x", "tls://h:1?name=x&cert=/a%2Cb%25%26&key=/k"),
        ] {
            let target: LogTarget = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse::<LogTarget>().unwrap(), target);
        }
        for text in [
            "",
            "host",
            "udp://host",
            "tcp://host",
            "host:",
            "host:0",
            "host:70000",
            "ftp://host:1",
            ":514",
            "a b:514",
            "[::1:514",
            "::1:514",
            "h:1?",
            "h:1?size=0",
            "h:1?size=64k",
            "h:1?framing=lf",
            "tcp://h:1?framing=crlf",
            "tcp://h:1?framing=lf&framing=lf",
            "tls://h:1?name=a b",
            "tls://h:1?ca=",
            "tls://h:1?ca=%2",
            "tls://h:1?ca=%ff",
            "tls://h:1?fingerprint=sha256:00",
            "tls://h:1?fingerprint=é",
        ] {
            assert!(text.parse::<LogTarget>().is_err(), "{text}");
        }
    }

    #[test]
    fn fingerprints_are_read_as_openssl_and_the_rfc_write_them() {
        let plain = format!("sha256:{}", "0a".repeat(32));
        let colons = format!("SHA-256:{}", ["0A"; 32].join(":"));
        assert_eq!(plain.parse::<Fingerprint>().unwrap(), colons.parse().unwrap());
        assert_eq!(plain.parse::<Fingerprint>().unwrap().to_string(), plain);
        assert!("0a".repeat(32).parse::<Fingerprint>().is_err());
        assert!(format!("sha256:{}", "0g".repeat(32)).parse::<Fingerprint>().is_err());
    }

    #[test]
    fn log_files() {
        let form = |text: &str| text.parse::<LogFile>().map(|file| (file.form, file.path));
        assert_eq!(form("/var/log/x").unwrap(), (LogForm::Syslog, "/var/log/x".into()));
        assert_eq!(form("json:x").unwrap(), (LogForm::Json, "x".into()));
        assert_eq!(form("ecs:/x").unwrap(), (LogForm::Ecs, "/x".into()));
        assert_eq!(form("dir/a:b").unwrap(), (LogForm::Syslog, "dir/a:b".into()));
        assert_eq!(form("xml:/x").unwrap_err(), InvalidLogFile::Form("xml".into()));
        assert!(form("json:").is_err() && form("").is_err() && form("/var/").is_err());
    }

    #[test]
    fn amounts() {
        assert_eq!(bytes("100M"), Some(100 << 20));
        assert_eq!(bytes("64 KiB"), Some(64 << 10));
        assert_eq!(bytes("8192"), Some(8192));
        assert_eq!(seconds("7d"), Some(7 * 86_400));
        assert_eq!(seconds("12h"), Some(43_200));
        for bad in ["", "k", "-1k", "1.5M", "20000000000G"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        for bad in ["", "7", "d", "1é", "-1d"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
