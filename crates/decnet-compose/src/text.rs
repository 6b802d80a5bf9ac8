//! Text in a compose file: escaped for compose, written so that a reader of YAML 1.1 (docker-compose 1
//! reads with PyYAML) and one of YAML 1.2 understand it alike: `yes`, `22:22` and MAC addresses are quoted.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_saphyr::DoubleQuoted;

use crate::template::Slot;

/// A string value. Compose replaces `$NAME` and `${NAME}` in every value (never in a key) and reads `$$` as
/// one `$`, so each `$` is doubled here, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// The text itself.
    Text(Cow<'a, str>),
    /// The place of a text that differs from container to container.
    Slot(Slot),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => Key(&escaped(text)).serialize(serializer),
            Value::Slot(slot) => serializer.serialize_str(&slot.mark()),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<Slot> for Value<'_> {
    fn from(slot: Slot) -> Self {
        Value::Slot(slot)
    }
}

/// A key, or text in which `$` means nothing special. It is quoted unless it is a plain word: the library
/// leaves bare what is so in YAML 1.2, and PyYAML does not read all of that (`?` in a list on one line).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'a>(pub(crate) &'a str);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if is_word(self.0) {
            serializer.serialize_str(self.0)
        } else {
            DoubleQuoted(self.0).serialize(serializer)
        }
    }
}

/// A value's text with every `$` doubled.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains('$') { Cow::Owned(text.replace('$', "$$")) } else { Cow::Borrowed(text) }
}

/// Writes YAML. Block scalars are left out: quoted text with escapes shows what is in it, and every scalar
/// stays on its line.
pub(crate) fn to_yaml<T: Serialize>(value: &T) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, options)?;
    Ok(text)
}

/// A value that may stand anywhere: in a block, in a line, as a value.
pub(crate) fn scalar(text: &str) -> Result<Cow<'_, str>, serde_saphyr::ser::Error> {
    match escaped(text) {
        Cow::Borrowed(text) => key(text),
        Cow::Owned(text) => key(&text).map(|scalar| Cow::Owned(scalar.into_owned())),
    }
}

/// A key, or a value without a `$`. Words are left as they are; all that another reader could take for
/// something else is quoted.
pub(crate) fn key(text: &str) -> Result<Cow<'_, str>, serde_saphyr::ser::Error> {
    if is_word(text) {
        return Ok(Cow::Borrowed(text));
    }
    let quoted = to_yaml(&DoubleQuoted(text))?;
    Ok(Cow::Owned(quoted.trim_end_matches('\n').to_owned()))
}

/// Whether a text reads as itself without quotes, in YAML 1.1 and 1.2: it begins with a letter or slash, so
/// it is no number, date or operator, and is none of the words for truth, nothing and the odd numbers.
fn is_word(text: &str) -> bool {
    const RESERVED: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
        && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests;
