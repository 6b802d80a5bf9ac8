//! Calls of procedures: EXEC in batches, and remote procedure calls.

use super::super::codec::{Call, Notice, Procedure};
use super::script::{Kind, Token};
use super::{Run, errors};
use crate::sql::Value;

/// Statements that one connection keeps prepared.
const MOST_PREPARED: usize = 1000;

/// A prepared statement.
#[derive(Clone, Debug)]
pub(in super::super) struct Prepared {
    names: Vec<String>,
    text: String,
}

/// An argument: its name in lower case where it has one, and its value.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Value,
}

/// The arguments of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments(pub(super) Vec<Argument>);

impl Arguments {
    /// The argument of that name, or at that place.
    pub(super) fn get(&self, place: usize, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|argument| argument.name.as_deref() == Some(name))
            .or_else(|| self.0.get(place).filter(|argument| argument.name.is_none()))
            .map(|argument| &argument.value)
            .filter(|value| !value.is_null())
    }

    /// The same as text.
    pub(super) fn text(&self, place: usize, name: &str) -> Option<String> {
        self.get(place, name).map(Value::to_string)
    }
}

/// The names in `@a int, @b nvarchar(10) output`.
fn declared(text: &str) -> Vec<String> {
    let mut depth = 0;
    text.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .filter_map(|part| part.split_whitespace().next())
    .filter(|name| name.starts_with('@'))
    .map(str::to_lowercase)
    .collect()
}

impl Run<'_> {
    /// EXEC, with the tokens behind the word.
    pub(super) fn execute(&mut self, text: &str, tokens: &[Token<'_>], line: u32) {
        let mut tokens = tokens;
        // @result = procedure.
        let mut result = None;
        if let [name, sign, rest @ ..] = tokens
            && name.text.starts_with('@')
            && sign.sign("=")
        {
            result = Some(name.text.to_lowercase());
            tokens = rest;
        }
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return self.fail(errors::syntax("", line));
        };
        if first.sign("(") {
            // EXEC ('text') [AT server].
            let close = tokens.iter().rposition(|token| token.sign(")")).unwrap_or(tokens.len() - 1);
            if tokens.get(close + 1).is_some_and(|token| token.is("at")) {
                let server = tokens.get(close + 2).map(Token::plain).unwrap_or_default();
                return self.remote(&server, &text[first.start..last.end]);
            }
            let inner = text[first.end..tokens[close].start].to_owned();
            if let Some(value) = self.value(&inner) {
                self.depth += 1;
                self.text(&value.to_string());
                self.depth -= 1;
                self.tokens.done_procedure(false);
            }
            return;
        }
        let mut path = Vec::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at).filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted))
        {
            path.push(token.plain());
            at += 1;
            while tokens.get(at).is_some_and(|token| token.sign(".")) {
                at += 1;
            }
            if !tokens.get(at - 1).is_some_and(|token| token.sign(".")) {
                break;
            }
        }
        let name = if path.len() == 1 && path[0].starts_with('@') {
            let held = self.client.session.variables.get(&path[0].to_lowercase()).map(Value::to_string);
            held.unwrap_or_default().split('.').map(str::to_owned).collect()
        } else {
            path
        };
        let Some(arguments) = self.arguments(text, &tokens[at..], line) else { return };
        let status = self.procedure(&name, &arguments);
        let Some(status) = status else { return };
        if let Some(variable) = result {
            self.client.session.variables.insert(variable, Value::Integer(status.into()));
        }
        self.tokens.return_status(status);
        self.tokens.done_procedure(status != 0);
    }

    fn arguments(&mut self, text: &str, tokens: &[Token<'_>], line: u32) -> Option<Arguments> {
        let mut arguments = Arguments::default();
        let mut from = 0;
        let mut depth = 0;
        for at in 0..=tokens.len() {
            let ends = match tokens.get(at) {
                None => true,
                Some(token) => {
                    depth += i32::from(token.sign("(")) - i32::from(token.sign(")"));
                    depth == 0 && token.sign(",")
                }
            };
            if !ends {
                continue;
            }
            let part = &tokens[from..at];
            from = at + 1;
            let (name, part) = match part {
                [name, sign, rest @ ..] if name.text.starts_with('@') && sign.sign("=") => {
                    (Some(name.text.to_lowercase()), rest)
                }
                _ => (None, part),
            };
            let part = match part {
                [rest @ .., word] if word.is_any(&["output", "out"]) && !rest.is_empty() => rest,
                _ => part,
            };
            let [first, ..] = part else { continue };
            let value = match part {
                [only] if only.kind == Kind::Text => Value::text(only.plain()),
                [only] if only.is("null") || only.is("default") => Value::Null,
                [only]
                    if only.kind == Kind::Quoted
                        || only.kind == Kind::Word && !only.text.starts_with('@') =>
                {
                    Value::text(only.plain())
                }
                [.., last] => self.value(&text[first.start..last.end])?,
                [] => continue,
            };
            arguments.0.push(Argument { name, value });
        }
        let _ = line;
        Some(arguments)
    }

    /// A remote procedure call.
    pub(in super::super) fn call(&mut self, call: &Call) {
        self.client.session.variables.clear();
        let name = call.procedure.name();
        let short = name.rsplit('.').next().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
        let values: Vec<&Value> = call.parameters.iter().map(|parameter| &parameter.value).collect();
        let text = |at: usize| values.get(at).map(|value| value.to_string()).unwrap_or_default();
        match short.as_str() {
            "sp_executesql" => {
                let names = declared(&text(1));
                self.prepared(&Prepared { names, text: text(0) }, call, 2);
            }
            "sp_prepexec" | "sp_prepare" => {
                let prepared = Prepared { names: declared(&text(1)), text: text(2) };
                let handle = self.keep(prepared.clone());
                if short == "sp_prepexec" {
                    self.depth += 1;
                    self.bind(&prepared, call, 3);
                    self.text(&prepared.text);
                    self.depth -= 1;
                }
                self.finish_call(Some(handle));
            }
            "sp_execute" => {
                let handle = values.first().and_then(|value| value.integer()).unwrap_or(0);
                match i32::try_from(handle).ok().and_then(|handle| self.client.prepared.get(&handle)).cloned()
                {
                    Some(prepared) => self.prepared(&prepared, call, 1),
                    None => {
                        let said = format!("Could not find prepared statement with handle {handle}.");
                        self.fail(Notice::new(8179, 16, 4, said));
                        self.finish_call(None);
                    }
                }
            }
            "sp_unprepare" => {
                let handle = values.first().and_then(|value| value.integer()).unwrap_or(0);
                i32::try_from(handle).ok().and_then(|handle| self.client.prepared.remove(&handle));
                self.finish_call(None);
            }
            "sp_cursoropen" | "sp_cursorprepexec" => {
                let at = if short == "sp_cursoropen" { 1 } else { 3 };
                let prepared = Prepared { names: Vec::new(), text: text(at) };
                self.prepared(&prepared, call, usize::MAX);
            }
            "sp_cursorclose" | "sp_cursorfetch" | "sp_cursoroption" | "sp_cursorunprepare" | "sp_cursor" => {
                self.finish_call(None);
            }
            _ => {
                let path: Vec<String> =
                    name.split('.').map(|part| part.trim_matches(['[', ']', '"']).to_owned()).collect();
                let arguments = Arguments(
                    call.parameters
                        .iter()
                        .map(|parameter| Argument {
                            name: (!parameter.name.is_empty()).then(|| parameter.name.to_lowercase()),
                            value: parameter.value.clone(),
                        })
                        .collect(),
                );
                if let Some(status) = self.procedure(&path, &arguments) {
                    self.tokens.return_status(status);
                }
                self.tokens.done_procedure(false);
            }
        }
        let _ = matches!(call.procedure, Procedure::Numbered(_));
    }

    fn keep(&mut self, prepared: Prepared) -> i32 {
        self.client.next_handle += 1;
        let handle = self.client.next_handle;
        if self.client.prepared.len() >= MOST_PREPARED {
            self.client.prepared.pop_first();
        }
        self.client.prepared.insert(handle, prepared);
        handle
    }

    fn bind(&mut self, prepared: &Prepared, call: &Call, from: usize) {
        for (at, parameter) in call.parameters.iter().skip(from).enumerate() {
            let name = match parameter.name.as_str() {
                "" => prepared.names.get(at).cloned().unwrap_or_else(|| format!("@p{}", at + 1)),
                name => name.to_lowercase(),
            };
            self.client.session.variables.insert(name, parameter.value.clone());
        }
    }

    fn prepared(&mut self, prepared: &Prepared, call: &Call, from: usize) {
        self.bind(prepared, call, from);
        self.depth += 1;
        self.text(&prepared.text);
        self.depth -= 1;
        self.tokens.return_status(0);
        for (at, parameter) in call.parameters.iter().enumerate().skip(from.min(call.parameters.len())) {
            if !parameter.output {
                continue;
            }
            let name = match parameter.name.as_str() {
                "" => prepared.names.get(at - from).cloned().unwrap_or_default(),
                name => name.to_lowercase(),
            };
            let value = self.client.session.variables.get(&name).cloned().unwrap_or(Value::Null);
            self.tokens.return_value((at - from) as u16, &name, &value);
        }
        self.tokens.done_procedure(false);
    }

    fn finish_call(&mut self, handle: Option<i32>) {
        self.tokens.return_status(0);
        if let Some(handle) = handle {
            self.tokens.return_value(0, "", &Value::Integer(handle.into()));
        }
        self.tokens.done_procedure(false);
    }
}
