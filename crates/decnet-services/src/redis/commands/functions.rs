//! FUNCTION and FCALL of release 7.

use super::glob;
use super::scripting::{ScriptServer, escapes, finish, key_count};
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::lua::{Interpreter, Stop, Value, parse};
use crate::redis::store::rdb;

pub(super) const HANDLERS: super::Group = &[
    ("fcall", |call| fcall(call, false)),
    ("fcall_ro", |call| fcall(call, true)),
    ("function|delete", delete),
    ("function|dump", dump),
    ("function|flush", flush),
    ("function|kill", |_| Err("NOTBUSY No scripts in execution right now.".into())),
    ("function|list", list),
    ("function|load", load),
    ("function|restore", restore),
    ("function|stats", stats),
];

/// A function's name and flags.
type Declared = (Vec<u8>, Vec<Vec<u8>>);

/// A loaded library.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Its text, the line with its name included.
    pub(crate) code: Vec<u8>,
    /// Its functions: name and flags.
    functions: Vec<Declared>,
}

impl Library {
    /// How many functions it has.
    pub(crate) fn count(&self) -> usize {
        self.functions.len()
    }
}

/// Engine and name from the first line: `#!lua name=mylib`.
fn header(code: &[u8]) -> Result<(Vec<u8>, &[u8]), Fault> {
    let Some(rest) = code.strip_prefix(b"#!") else { return Err("ERR Missing library metadata".into()) };
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err("ERR Invalid library metadata".into());
    };
    let mut words = rest[..end].split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or(&[]);
    let mut name = None;
    for word in words {
        match word.strip_prefix(b"name=") {
            Some(value) if name.is_none() => name = Some(value.to_vec()),
            Some(_) => {
                return Err("ERR Invalid metadata value, name argument was given multiple times".into());
            }
            None => return Err(Fault::quoting("ERR Invalid metadata value given: ", word, "")),
        }
    }
    let name = name.ok_or("ERR Library name was not given")?;
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Err("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one \
                    character long"
            .into());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Fault::quoting("ERR Engine '", engine, "' not found"));
    }
    Ok((name, &rest[end..]))
}

/// Runs a library's text; gives what it registers.
fn register(call: &mut Call<'_>, body: &[u8]) -> Result<Vec<Declared>, Fault> {
    let script = parse(body).map_err(|error| {
        Fault::from(format!("ERR Error compiling function: user_function:{}: {}", error.line, error.message))
    })?;
    let mut server = ScriptServer { call, read_only: true };
    let mut interpreter = Interpreter::new(&mut server, "user_function");
    interpreter.registering = true;
    let result = interpreter.run(&script);
    let registered = std::mem::take(&mut interpreter.registered);
    match result {
        Ok(_) => {}
        Err(Stop::Bound) => return Err("ERR FUNCTION LOAD timeout".into()),
        Err(Stop::Error(value, _)) => {
            let text = match &value {
                Value::Table(table) => table.borrow().field("err").bytes().unwrap_or_default(),
                other => other.bytes().unwrap_or_default(),
            };
            return Err(Fault::quoting("ERR Error registering functions: ", &text, ""));
        }
    }
    if registered.is_empty() {
        return Err("ERR No functions registered".into());
    }
    Ok(registered.into_iter().map(|(name, _, flags)| (name, flags)).collect())
}

fn load(call: &mut Call<'_>) -> Answer {
    let replace = match call.len() {
        3 => false,
        4 if call.is(2, "replace") => true,
        _ => return Err(Fault::quoting("ERR Unknown option given: ", call.arg(2), "")),
    };
    let code = call.arg(call.len() - 1).to_vec();
    escapes(call, &code);
    let name = put(call, &code, replace)?;
    Ok(Reply::Bulk(name))
}

fn put(call: &mut Call<'_>, code: &[u8], replace: bool) -> Result<Vec<u8>, Fault> {
    let (name, body) = header(code)?;
    if call.state.libraries.contains_key(&name) && !replace {
        return Err(Fault::quoting("ERR Library '", &name, "' already exists"));
    }
    let functions = register(call, body)?;
    for (function, _) in &functions {
        let taken = call.state.libraries.iter().any(|(other, library)| {
            *other != name && library.functions.iter().any(|(known, _)| known == function)
        });
        if taken {
            return Err(Fault::quoting("ERR Function ", function, " already exists"));
        }
    }
    call.keep_forever(code.len())?;
    call.state.libraries.insert(name.clone(), Library { code: code.to_vec(), functions });
    call.state.dirty += 1;
    Ok(name)
}

fn forget(call: &mut Call<'_>, name: &[u8]) -> bool {
    match call.state.libraries.remove(name) {
        Some(library) => {
            call.state.kept = call.state.kept.saturating_sub(library.code.len() + 64);
            call.state.dirty += 1;
            true
        }
        None => false,
    }
}

fn delete(call: &mut Call<'_>) -> Answer {
    let name = call.arg(2).to_vec();
    if forget(call, &name) { Ok(Reply::OK) } else { Err("ERR Library not found".into()) }
}

fn flush(call: &mut Call<'_>) -> Answer {
    match (call.len(), call.word(2).as_str()) {
        (2, _) | (3, "async" | "sync") => {}
        _ => return Err("ERR FUNCTION FLUSH only supports SYNC|ASYNC option".into()),
    }
    let names: Vec<Vec<u8>> = call.state.libraries.keys().cloned().collect();
    for name in names {
        forget(call, &name);
    }
    Ok(Reply::OK)
}

fn list(call: &mut Call<'_>) -> Answer {
    let mut with_code = false;
    let mut pattern = None;
    let mut at = 2;
    while at < call.len() {
        match call.word(at).as_str() {
            "withcode" => with_code = true,
            "libraryname" if at + 1 < call.len() => {
                pattern = Some(call.arg(at + 1).to_vec());
                at += 1;
            }
            "libraryname" => return Err("ERR library name argument was not given".into()),
            _ => return Err(Fault::quoting("ERR Unknown argument ", call.arg(at), "")),
        }
        at += 1;
    }
    let field = |name: &str, value: Reply| (Reply::text(name), value);
    let rows = call
        .state
        .libraries
        .iter()
        .filter(|(name, _)| pattern.as_ref().is_none_or(|pattern| glob(pattern, name, true)))
        .map(|(name, library)| {
            let functions = library
                .functions
                .iter()
                .map(|(name, flags)| {
                    let flags = flags
                        .iter()
                        .map(|flag| Reply::Simple(String::from_utf8_lossy(flag).into_owned().into()))
                        .collect();
                    Reply::Map(vec![
                        field("name", Reply::bulk(name)),
                        field("description", Reply::Null),
                        field("flags", Reply::Set(flags)),
                    ])
                })
                .collect();
            let mut row = vec![
                field("library_name", Reply::bulk(name)),
                field("engine", Reply::text("LUA")),
                field("functions", Reply::Array(functions)),
            ];
            if with_code {
                row.push(field("library_code", Reply::bulk(&library.code)));
            }
            Reply::Map(row)
        })
        .collect();
    Ok(Reply::Array(rows))
}

fn stats(call: &mut Call<'_>) -> Answer {
    let functions: usize = call.state.libraries.values().map(|library| library.count()).sum();
    let engine = Reply::Map(vec![
        (Reply::text("libraries_count"), Reply::Integer(call.state.libraries.len() as i64)),
        (Reply::text("functions_count"), Reply::Integer(functions as i64)),
    ]);
    Ok(Reply::Map(vec![
        (Reply::text("running_script"), Reply::Null),
        (Reply::text("engines"), Reply::Map(vec![(Reply::text("LUA"), engine)])),
    ]))
}

/// The libraries in the dump format: a mark and the text of each, format number, checksum.
fn dump(call: &mut Call<'_>) -> Answer {
    let codes: Vec<&[u8]> = call.state.libraries.values().map(|library| library.code.as_slice()).collect();
    Ok(Reply::Bulk(rdb::dump_libraries(&codes, call.release())))
}

fn restore(call: &mut Call<'_>) -> Answer {
    let policy = match (call.len(), call.word(3).as_str()) {
        (3, _) | (4, "append") => "append",
        (4, "replace") => "replace",
        (4, "flush") => "flush",
        _ => {
            return Err(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.".into()
            );
        }
    };
    let payload = call.arg(2).to_vec();
    if !rdb::verify(&payload, call.release()) {
        return Err("ERR DUMP payload version or checksum are wrong".into());
    }
    let codes = rdb::load_libraries(&payload).ok_or("ERR failed loading functions payload")?;
    if policy == "flush" {
        let names: Vec<Vec<u8>> = call.state.libraries.keys().cloned().collect();
        for name in names {
            forget(call, &name);
        }
    }
    for code in codes {
        escapes(call, &code);
        put(call, &code, policy == "replace")?;
    }
    Ok(Reply::OK)
}

fn fcall(call: &mut Call<'_>, read_only: bool) -> Answer {
    let wanted = call.arg(1).to_vec();
    let found = call.state.libraries.values().find_map(|library| {
        let (_, flags) = library.functions.iter().find(|(name, _)| *name == wanted)?;
        Some((library.code.clone(), flags.iter().any(|flag| flag == b"no-writes")))
    });
    let Some((code, no_writes)) = found else { return Err("ERR Function not found".into()) };
    if read_only && !no_writes {
        return Err("ERR Can not execute a script with write flag using *_ro command.".into());
    }
    let count = key_count(call)?;
    let (_, body) = header(&code)?;
    let script = parse(body).map_err(|_| SYNTAX)?;
    let (keys, values) = call.args[3..].split_at(count);
    let list = |words: &[Vec<u8>]| Value::list(words.iter().map(Value::text).collect());
    let arguments = vec![list(keys), list(values)];
    let mut server = ScriptServer { call, read_only: no_writes };
    let mut interpreter = Interpreter::new(&mut server, "user_function");
    interpreter.registering = true;
    let result = interpreter.run(&script).and_then(|_| {
        interpreter.registering = false;
        let registered = std::mem::take(&mut interpreter.registered);
        match registered.into_iter().find(|(name, ..)| *name == wanted) {
            Some((_, function, _)) => interpreter.invoke(&function, arguments),
            None => Ok(Value::Nil),
        }
    });
    let name = String::from_utf8_lossy(&wanted).into_owned();
    finish(call, result, &name, "user_function")
}
