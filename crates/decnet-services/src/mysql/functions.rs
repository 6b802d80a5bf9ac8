//! Functions that these products have beyond those that all databases have.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA224, SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use md5::{Digest as _, Md5};

use super::auth::{hex, stored_native};
use super::product::Dialect;
use crate::sql::{Context, SqlError, Value, moment};

/// The longest that one SLEEP holds a connection.
const SLEEP: f64 = 120.0;
/// Bytes of one value.
const VALUE: usize = 1024 * 1024;

fn product(code: &str, message: String) -> SqlError {
    SqlError::Product { code: code.to_owned(), message }
}

fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        other => string(other).into_bytes(),
    }
}

/// A value as text, where a truth is a number.
pub(crate) fn string(value: &Value) -> String {
    match value {
        Value::Bool(truth) => u8::from(*truth).to_string(),
        Value::Float(number) => super::codec::float(*number),
        other => other.to_string(),
    }
}

/// Carries a function out; `None` where it is none of these products' own.
pub(crate) fn call(
    dialect: &Dialect<'_>,
    context: &Context<'_>,
    name: &str,
    arguments: &[Value],
) -> Option<Result<Value, SqlError>> {
    let session = context.session;
    let text = |index: usize| arguments.get(index).map(string).unwrap_or_default();
    let number = |index: usize| arguments.get(index).and_then(Value::integer);
    let null = arguments.iter().any(Value::is_null);
    let count = |wanted: usize| {
        if arguments.len() == wanted { Ok(()) } else { Err(SqlError::ArgumentCount(name.to_uppercase())) }
    };
    let value = match (name, arguments.len()) {
        ("version", 0) => Value::text(&dialect.persona.version),
        ("database" | "schema", 0) => match session.path.first() {
            Some(database) if !database.is_empty() => Value::text(database),
            _ => Value::Null,
        },
        ("user" | "session_user" | "system_user", 0) => {
            Value::text(format!("{}@{}", session.user, dialect.host))
        }
        ("current_user", 0) => Value::text(dialect.account()),
        ("current_role", 0) => {
            if dialect.persona.maria() {
                Value::Null
            } else {
                Value::text("NONE")
            }
        }
        ("connection_id", 0) => Value::Integer(i64::from(session.connection)),
        ("last_insert_id", 0) => Value::Integer(session.last_id),
        ("last_insert_id", 1) => arguments[0].clone(),
        ("row_count", 0) => Value::Integer(session.row_count),
        ("found_rows", 0) => Value::Integer(dialect.found_rows),
        ("sleep", _) => {
            if let Err(error) = count(1) {
                return Some(Err(error));
            }
            context.sleep(Duration::from_secs_f64(arguments[0].float().unwrap_or(0.0).clamp(0.0, SLEEP)));
            Value::Integer(0)
        }
        ("benchmark", 2) => {
            // About what one MD5 takes on a server of these years.
            let times = number(0).unwrap_or(0).clamp(0, 1 << 40) as f64;
            context.sleep(Duration::from_secs_f64((times * 2.5e-7).min(SLEEP)));
            Value::Integer(0)
        }
        ("get_lock", 2) => Value::Integer(1),
        ("release_lock" | "is_free_lock", 1) => Value::Integer(1),
        ("is_used_lock", 1) => Value::Null,
        ("load_file", 1) => Value::Null,
        ("uuid", 0) => {
            let mut draw = dialect.fresh.clone();
            for at in [8, 13, 18, 23] {
                draw.insert(at, '-');
            }
            draw.replace_range(14..15, "1");
            Value::text(draw)
        }
        ("rand", _) => Value::Float(dialect.random()),
        ("if", 3) => arguments[if arguments[0].truth() == Some(true) { 1 } else { 2 }].clone(),
        ("ifnull" | "nvl", 2) => arguments[usize::from(arguments[0].is_null())].clone(),
        ("isnull", 1) => Value::Bool(arguments[0].is_null()),
        ("concat", 1..) => {
            if null {
                return Some(Ok(Value::Null));
            }
            let joined: String = arguments.iter().map(string).collect();
            if joined.len() > VALUE {
                return Some(Err(SqlError::TooComplex));
            }
            Value::text(joined)
        }
        ("concat_ws", 2..) => {
            let parts: Vec<String> =
                arguments[1..].iter().filter(|value| !value.is_null()).map(string).collect();
            Value::text(parts.join(&text(0)))
        }
        ("name_const", 2) => arguments[1].clone(),
        ("charset", 1) => Value::text("utf8mb4"),
        ("collation", 1) => {
            Value::text(if dialect.persona.maria() { "utf8mb4_general_ci" } else { "utf8mb4_0900_ai_ci" })
        }
        ("coercibility", 1) => Value::Integer(4),
        ("unix_timestamp", 1) => match arguments[0].timestamp() {
            Some(at) => Value::Integer(at.div_euclid(1_000_000)),
            None => Value::Integer(0),
        },
        ("interval", _) => return None,
        (
            "md5" | "sha" | "sha1" | "sha2" | "password" | "crc32" | "to_base64" | "from_base64"
            | "extractvalue" | "updatexml" | "substring_index" | "conv" | "bin" | "oct" | "strcmp"
            | "inet_aton" | "inet_ntoa" | "inet6_aton" | "find_in_set" | "insert" | "from_unixtime"
            | "date_format" | "bit_length" | "compress" | "uncompress" | "json_extract" | "json_unquote"
            | "exp" | "format" | "make_set" | "char_length" | "soundex" | "ord" | "gtid_subset"
            | "gtid_subtract" | "datediff" | "date" | "time",
            1..,
        ) if null => Value::Null,
        ("md5", 1) => Value::text(hex(&Md5::digest(bytes(&arguments[0])))),
        ("sha" | "sha1", 1) => {
            Value::text(hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes(&arguments[0])).as_ref()))
        }
        ("sha2", 2) => {
            let algorithm = match number(1) {
                Some(224) => &SHA224,
                Some(256 | 0) => &SHA256,
                Some(384) => &SHA384,
                Some(512) => &SHA512,
                _ => return Some(Ok(Value::Null)),
            };
            Value::text(hex(digest(algorithm, &bytes(&arguments[0])).as_ref()))
        }
        // MySQL 8 has it no more.
        ("password", 1) if dialect.persona.maria() || !dialect.persona.release.since(8, 0) => {
            Value::text(stored_native(&bytes(&arguments[0])))
        }
        ("crc32", 1) => {
            let mut sum = flate2::Crc::new();
            sum.update(&bytes(&arguments[0]));
            Value::Integer(i64::from(sum.sum()))
        }
        ("to_base64", 1) => {
            Value::text(base64::engine::general_purpose::STANDARD.encode(bytes(&arguments[0])))
        }
        ("from_base64", 1) => match base64::engine::general_purpose::STANDARD.decode(bytes(&arguments[0])) {
            Ok(bytes) => Value::bytes(bytes),
            Err(_) => Value::Null,
        },
        ("extractvalue", 2) | ("updatexml", 3) => {
            let path = text(1);
            // A path that begins with anything but these is no XPath, and is shown from there.
            if path.starts_with(|c: char| {
                c.is_ascii_alphabetic() || matches!(c, '/' | '.' | '@' | '*' | '_' | '(')
            }) {
                Value::text("")
            } else {
                let mut shown = path;
                let end = shown.char_indices().nth(32).map_or(shown.len(), |(at, _)| at);
                shown.truncate(end);
                return Some(Err(product("1105/HY000", format!("XPATH syntax error: '{shown}'"))));
            }
        }
        ("substring_index", 3) => substring_index(&text(0), &text(1), number(2).unwrap_or(0)),
        ("conv", 3) => {
            let from = u32::try_from(number(1).unwrap_or(10).unsigned_abs()).unwrap_or(10);
            let to = u32::try_from(number(2).unwrap_or(10).unsigned_abs()).unwrap_or(10);
            conv(&text(0), from, to)
        }
        ("bin", 1) => conv(&text(0), 10, 2),
        ("oct", 1) => conv(&text(0), 10, 8),
        ("strcmp", 2) => {
            let order = arguments[0].compare(&arguments[1], true);
            Value::Integer(order.map_or(0, |order| order as i64))
        }
        ("inet_aton", 1) => match text(0).parse::<std::net::Ipv4Addr>() {
            Ok(address) => Value::Integer(i64::from(u32::from(address))),
            Err(_) => Value::Null,
        },
        ("inet_ntoa", 1) => match number(0).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Value::text(std::net::Ipv4Addr::from(number).to_string()),
            None => Value::Null,
        },
        ("find_in_set", 2) => {
            let wanted = text(0);
            let found = text(1).split(',').position(|part| part.eq_ignore_ascii_case(&wanted));
            Value::Integer(found.map_or(0, |index| index as i64 + 1))
        }
        ("bit_length", 1) => Value::Integer(bytes(&arguments[0]).len() as i64 * 8),
        ("from_unixtime", 1) => match number(0) {
            Some(at) => Value::Timestamp(at.saturating_mul(1_000_000)),
            None => Value::Null,
        },
        ("date", 1) => match arguments[0].timestamp() {
            Some(at) => Value::Date(i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0)),
            None => Value::Null,
        },
        ("time", 1) => match arguments[0].timestamp() {
            Some(at) => Value::text(moment::timestamp(at).get(11..19).unwrap_or("00:00:00")),
            None => Value::Null,
        },
        ("datediff", 2) => match (arguments[0].timestamp(), arguments[1].timestamp()) {
            (Some(a), Some(b)) => Value::Integer(a.div_euclid(moment::DAY) - b.div_euclid(moment::DAY)),
            _ => Value::Null,
        },
        ("date_format", 2) => match arguments[0].timestamp() {
            Some(at) => Value::text(date_format(at, &text(1))),
            None => Value::Null,
        },
        ("exp", 1) => {
            let power = arguments[0].float().unwrap_or(0.0);
            if power > 709.0 {
                return Some(Err(product(
                    "1690/22003",
                    format!("DOUBLE value is out of range in 'exp({})'", text(0)),
                )));
            }
            Value::Float(power.exp())
        }
        ("format", 2) => Value::text(grouped(arguments[0].float().unwrap_or(0.0), number(1).unwrap_or(0))),
        ("gtid_subset" | "gtid_subtract", 2) => {
            return Some(Err(product(
                "1772/HY000",
                format!("Malformed GTID set specification '{}'.", text(0)),
            )));
        }
        ("json_unquote", 1) => Value::text(text(0).trim_matches('"')),
        _ => return None,
    };
    Some(Ok(value))
}

fn substring_index(text: &str, mark: &str, count: i64) -> Value {
    if mark.is_empty() || count == 0 {
        return Value::text("");
    }
    let parts: Vec<&str> = text.split(mark).collect();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(parts.len());
    let kept = if count > 0 { &parts[..wanted] } else { &parts[parts.len() - wanted..] };
    Value::text(kept.join(mark))
}

fn conv(text: &str, from: u32, to: u32) -> Value {
    if !(2..=36).contains(&from) || !(2..=36).contains(&to) {
        return Value::Null;
    }
    let digits: String = text.trim().chars().take_while(|digit| digit.is_digit(from)).collect();
    let mut number = u64::from_str_radix(&digits, from).unwrap_or(0);
    let mut out = Vec::new();
    loop {
        let digit = (number % u64::from(to)) as u32;
        out.push(char::from_digit(digit, to).unwrap_or('0').to_ascii_uppercase());
        number /= u64::from(to);
        if number == 0 {
            break;
        }
    }
    Value::text(out.iter().rev().collect::<String>())
}

fn grouped(number: f64, decimals: i64) -> String {
    let text = format!("{:.*}", usize::try_from(decimals.clamp(0, 30)).unwrap_or(0), number.abs());
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    if number < 0.0 { format!("-{out}") } else { out }
}

fn date_format(at: i64, format: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let day = at.div_euclid(moment::DAY);
    let (year, month, of_month) = moment::calendar(i32::try_from(day).unwrap_or(0));
    let rest = at.rem_euclid(moment::DAY) / 1_000_000;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let month_name = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
    let day_name = DAYS[day.rem_euclid(7) as usize];
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('Y') => out.push_str(&format!("{year:04}")),
            Some('y') => out.push_str(&format!("{:02}", year % 100)),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('c') => out.push_str(&month.to_string()),
            Some('M') => out.push_str(month_name),
            Some('b') => out.push_str(&month_name[..3]),
            Some('d') => out.push_str(&format!("{of_month:02}")),
            Some('e') => out.push_str(&of_month.to_string()),
            Some('W') => out.push_str(day_name),
            Some('a') => out.push_str(&day_name[..3]),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('k') => out.push_str(&hour.to_string()),
            Some('i') => out.push_str(&format!("{minute:02}")),
            Some('s' | 'S') => out.push_str(&format!("{second:02}")),
            Some('T') => out.push_str(&format!("{hour:02}:{minute:02}:{second:02}")),
            Some('f') => out.push_str(&format!("{:06}", at.rem_euclid(1_000_000))),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
