//! What a command gives back: a value that is rendered as JSON or for people, in one place.

use serde::Serialize;

use crate::failure::exit;

/// A finished command.
pub(crate) struct Outcome {
    pub(crate) value: Box<dyn Report>,
    pub(crate) code: u8,
}

/// A value that can be shown both ways.
pub(crate) trait Report {
    /// For programs: one JSON value. `None`: it was shown already, as it came.
    fn json(&self) -> Option<serde_json::Result<String>>;
    /// For people, with colours as ANSI sequences; whoever prints takes them out where they do not belong.
    fn human(&self) -> String;
}

impl Outcome {
    /// Done.
    pub(crate) fn done(value: impl Report + 'static) -> Outcome {
        Outcome { value: Box::new(value), code: exit::DONE }
    }

    /// With another exit code.
    pub(crate) fn with_code(mut self, code: u8) -> Outcome {
        self.code = code;
        self
    }
}

/// Pretty JSON of a value.
pub(crate) fn json(value: &impl Serialize) -> Option<serde_json::Result<String>> {
    Some(serde_json::to_string_pretty(value))
}

/// A number and its noun: "1 error", "2 errors", "0 deckies".
pub(crate) fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// Text that is the same both ways, such as a completion script.
pub(crate) struct Plain(pub(crate) String);

impl Report for Plain {
    fn json(&self) -> Option<serde_json::Result<String>> {
        Some(Ok(self.0.trim_end().to_owned()))
    }

    fn human(&self) -> String {
        self.0.clone()
    }
}

/// Nothing more to show.
pub(crate) struct Shown;

impl Report for Shown {
    fn json(&self) -> Option<serde_json::Result<String>> {
        None
    }

    fn human(&self) -> String {
        String::new()
    }
}

/// One sentence.
#[derive(Serialize)]
pub(crate) struct Message {
    pub(crate) message: String,
}

impl Report for Message {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        format!("{}\n", self.message)
    }
}
