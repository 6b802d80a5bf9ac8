//! Replies to bytes.

use std::borrow::Cow;

/// The dialect of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Until HELLO 3.
    #[default]
    Resp2,
    /// After HELLO 3.
    Resp3,
}

/// A reply, with the types of RESP3; RESP2 has a fallback for each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// `+OK`
    Simple(Cow<'static, str>),
    /// `-ERR …`, without the dash.
    Error(Vec<u8>),
    /// `:1`
    Integer(i64),
    /// `$3`
    Bulk(Vec<u8>),
    /// `$-1` or `_`
    Null,
    /// `*-1` or `_`
    NullArray,
    /// `*n`
    Array(Vec<Reply>),
    /// `%n`, or an array of twice as many
    Map(Vec<(Reply, Reply)>),
    /// `~n`, or an array
    Set(Vec<Reply>),
    /// `,1.5`, or a bulk
    Double(f64),
    /// `,1.5` in a text of its own, or a bulk
    Decimal(String),
    /// `#t`, or 1 and 0
    Bool(bool),
    /// `=` with its three letters, or a bulk
    Verbatim(&'static str, Vec<u8>),
    /// `>n`, or an array
    Push(Vec<Reply>),
    /// Several replies to one request, as to SUBSCRIBE; none where empty.
    Many(Vec<Reply>),
    /// Bytes that stand on the wire as they are: an RDB file to a replica.
    Raw(Vec<u8>),
}

impl Reply {
    /// `+OK`
    pub(crate) const OK: Reply = Reply::Simple(Cow::Borrowed("OK"));

    /// A bulk of some text.
    pub(crate) fn text(text: impl Into<String>) -> Reply {
        Reply::Bulk(text.into().into_bytes())
    }

    /// A bulk of some bytes.
    pub(crate) fn bulk(bytes: &[u8]) -> Reply {
        Reply::Bulk(bytes.to_vec())
    }

    /// An error of some text.
    pub(crate) fn error(text: impl Into<Vec<u8>>) -> Reply {
        Reply::Error(text.into())
    }

    /// A bulk, or nil.
    pub(crate) fn maybe(bytes: Option<Vec<u8>>) -> Reply {
        bytes.map_or(Reply::Null, Reply::Bulk)
    }

    /// An array of bulks.
    pub(crate) fn bulks<T: Into<Vec<u8>>>(items: impl IntoIterator<Item = T>) -> Reply {
        Reply::Array(items.into_iter().map(|item| Reply::Bulk(item.into())).collect())
    }

    /// Nothing at all.
    pub(crate) fn nothing() -> Reply {
        Reply::Many(Vec::new())
    }

    /// Whether it is an error.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Reply::Simple(text) => text.len() + 3,
            Reply::Error(text) => text.len() + 3,
            Reply::Decimal(text) => text.len() + 16,
            Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) | Reply::Raw(bytes) => bytes.len() + 16,
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Many(items) => {
                16 + items.iter().map(Reply::weight).sum::<usize>()
            }
            Reply::Map(pairs) => {
                16 + pairs.iter().map(|(key, value)| key.weight() + value.weight()).sum::<usize>()
            }
            Reply::Integer(_) | Reply::Null | Reply::NullArray | Reply::Double(_) | Reply::Bool(_) => 16,
        }
    }

    /// Appends the reply as it stands on the wire.
    pub(crate) fn emit(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let resp3 = protocol == Protocol::Resp3;
        match self {
            Reply::Simple(text) => line(out, b'+', text.as_bytes()),
            Reply::Error(text) => line(out, b'-', text),
            Reply::Integer(number) => line(out, b':', number.to_string().as_bytes()),
            Reply::Bulk(bytes) => bulk(out, bytes),
            Reply::Null => out.extend_from_slice(if resp3 { b"_\r\n" } else { b"$-1\r\n" }),
            Reply::NullArray => out.extend_from_slice(if resp3 { b"_\r\n" } else { b"*-1\r\n" }),
            Reply::Array(items) => many(out, b'*', items, protocol),
            Reply::Set(items) => many(out, if resp3 { b'~' } else { b'*' }, items, protocol),
            Reply::Push(items) => many(out, if resp3 { b'>' } else { b'*' }, items, protocol),
            Reply::Map(pairs) => {
                let (mark, count) = if resp3 { (b'%', pairs.len()) } else { (b'*', pairs.len() * 2) };
                line(out, mark, count.to_string().as_bytes());
                for (key, value) in pairs {
                    key.emit(protocol, out);
                    value.emit(protocol, out);
                }
            }
            Reply::Double(number) if resp3 => line(out, b',', double(*number).as_bytes()),
            Reply::Double(number) => bulk(out, double(*number).as_bytes()),
            Reply::Decimal(text) if resp3 => line(out, b',', text.as_bytes()),
            Reply::Decimal(text) => bulk(out, text.as_bytes()),
            Reply::Bool(value) if resp3 => line(out, b'#', if *value { b"t" } else { b"f" }),
            Reply::Bool(value) => line(out, b':', if *value { b"1" } else { b"0" }),
            Reply::Verbatim(kind, bytes) if resp3 => {
                line(out, b'=', (bytes.len() + 4).to_string().as_bytes());
                out.extend_from_slice(kind.as_bytes());
                out.push(b':');
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Reply::Verbatim(_, bytes) => bulk(out, bytes),
            Reply::Many(items) => items.iter().for_each(|item| item.emit(protocol, out)),
            Reply::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

fn line(out: &mut Vec<u8>, mark: u8, text: &[u8]) {
    out.push(mark);
    // A line break inside would let a client forge replies; the product writes a space instead.
    out.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    out.extend_from_slice(b"\r\n");
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    line(out, b'$', bytes.len().to_string().as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn many(out: &mut Vec<u8>, mark: u8, items: &[Reply], protocol: Protocol) {
    line(out, mark, items.len().to_string().as_bytes());
    for item in items {
        item.emit(protocol, out);
    }
}

/// A double as the product prints it: C's `%.17g`, shortest where an integer, `inf`, `-inf`, `nan`.
pub(crate) fn double(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    if number.fract() == 0.0 && number.abs() < 4_503_599_627_370_496.0 {
        return format!("{}", number as i64);
    }
    general(number, 17)
}

/// C's `%.{digits}g` for a finite number.
pub(crate) fn general(number: f64, digits: usize) -> String {
    let scientific = format!("{:.*e}", digits.saturating_sub(1), number);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    } else {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trim(&format!("{number:.decimals$}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply, protocol: Protocol) -> String {
        let mut out = Vec::new();
        reply.emit(protocol, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_type_in_both_dialects() {
        let reply = Reply::Array(vec![
            Reply::Map(vec![(Reply::text("k"), Reply::Double(1.5))]),
            Reply::Set(vec![Reply::Bool(true)]),
            Reply::Null,
            Reply::NullArray,
            Reply::Verbatim("txt", b"hi".to_vec()),
            Reply::Push(vec![Reply::OK]),
        ]);
        assert_eq!(
            wire(&reply, Protocol::Resp2),
            "*6\r\n*2\r\n$1\r\nk\r\n$3\r\n1.5\r\n*1\r\n:1\r\n$-1\r\n*-1\r\n$2\r\nhi\r\n*1\r\n+OK\r\n"
        );
        assert_eq!(
            wire(&reply, Protocol::Resp3),
            "*6\r\n%1\r\n$1\r\nk\r\n,1.5\r\n~1\r\n#t\r\n_\r\n_\r\n=6\r\ntxt:hi\r\n>1\r\n+OK\r\n"
        );
    }

    #[test]
    fn an_error_stays_on_its_line() {
        assert_eq!(wire(&Reply::error("ERR a\r\n+OK"), Protocol::Resp2), "-ERR a  +OK\r\n");
    }

    #[test]
    fn doubles_read_as_printf_writes_them() {
        for (number, text) in [
            (3.0, "3"),
            (0.1, "0.10000000000000001"),
            (1e21, "1e+21"),
            (1.5e-7, "1.4999999999999999e-07"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "inf"),
            (123456789.25, "123456789.25"),
            (17_179_869_184.0, "17179869184"),
        ] {
            assert_eq!(double(number), text);
        }
    }
}
