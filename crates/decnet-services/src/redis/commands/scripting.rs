//! EVAL and SCRIPT.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use decnet_logging::event::Body;

use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Fault, perform, spec_of};
use crate::redis::lua::{Interpreter, Redis, Stop, SyntaxError, Value, parse};

pub(super) const HANDLERS: super::Group = &[
    ("eval", |call| eval(call, false, false)),
    ("eval_ro", |call| eval(call, false, true)),
    ("evalsha", |call| eval(call, true, false)),
    ("evalsha_ro", |call| eval(call, true, true)),
    ("script|debug", |call| match call.word(2).as_str() {
        "yes" | "no" | "sync" => Ok(Reply::OK),
        _ => Err("ERR Use SCRIPT DEBUG YES/SYNC/NO".into()),
    }),
    ("script|exists", |call| {
        let known = |sha: &Vec<u8>| {
            let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
            Reply::Integer(i64::from(call.state.scripts.contains_key(&sha)))
        };
        Ok(Reply::Array(call.args[2..].iter().map(known).collect()))
    }),
    ("script|flush", flush),
    ("script|kill", |_| Err("NOTBUSY No scripts in execution right now.".into())),
    ("script|load", load),
];

/// The SHA-1 of some bytes in hexadecimal digits, as the product names scripts.
pub(crate) fn sha1_hex(bytes: &[u8]) -> String {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn flush(call: &mut Call<'_>) -> Answer {
    match (call.len(), call.word(2).as_str()) {
        (2, _) => {}
        (3, "async" | "sync") if call.since(6, 2) => {}
        _ => return Err("ERR SCRIPT FLUSH only support SYNC|ASYNC option".into()),
    }
    let bytes: usize = call.state.scripts.values().map(|script| script.len() + 64).sum();
    call.state.scripts.clear();
    call.state.kept = call.state.kept.saturating_sub(bytes);
    Ok(Reply::OK)
}

fn compile_error(error: &SyntaxError) -> Fault {
    format!("ERR Error compiling script (new function): user_script:{}: {}", error.line, error.message).into()
}

/// Keeps a script that compiles; gives its name.
fn remember(call: &mut Call<'_>, script: &[u8]) -> Result<String, Fault> {
    let sha = sha1_hex(script);
    if !call.state.scripts.contains_key(&sha) {
        parse(body(script)).map_err(|error| compile_error(&error))?;
        call.keep_forever(script.len())?;
        call.state.scripts.insert(sha.clone(), script.to_vec());
    }
    Ok(sha)
}

/// A script without the line of flags that release 7 knows.
fn body(script: &[u8]) -> &[u8] {
    if script.starts_with(b"#!") {
        script.iter().position(|byte| *byte == b'\n').map_or(&[], |at| &script[at..])
    } else {
        script
    }
}

fn load(call: &mut Call<'_>) -> Answer {
    let script = call.arg(2).to_vec();
    escapes(call, &script);
    Ok(Reply::text(remember(call, &script)?))
}

/// Reports the known ways out of the sandbox.
pub(super) fn escapes(call: &mut Call<'_>, script: &[u8]) {
    let text = String::from_utf8_lossy(script);
    let found = [
        ("package.loadlib", "CVE-2022-0543", 95),
        ("luaopen_", "CVE-2022-0543", 95),
        ("io.popen", "CVE-2022-0543", 90),
        ("os.execute", "redis.lua_escape", 90),
        ("io.open", "redis.lua_escape", 80),
        ("dofile", "redis.lua_escape", 80),
        ("loadfile", "redis.lua_escape", 80),
        ("string.dump", "CVE-2015-4335", 85),
        ("loadstring", "CVE-2015-4335", 60),
        ("bit.tohex", "CVE-2024-31449", 40),
        ("cmsgpack", "CVE-2018-11218", 40),
        ("struct.pack", "CVE-2018-11219", 40),
        ("struct.unpack", "CVE-2018-11219", 40),
        ("collectgarbage", "CVE-2024-46981", 70),
        ("newproxy", "CVE-2025-46817", 60),
        ("getmetatable(\"\")", "CVE-2025-46818", 60),
        ("getmetatable('')", "CVE-2025-46818", 60),
        ("debug.", "redis.lua_escape", 50),
        ("setfenv", "redis.lua_escape", 50),
        ("getfenv", "redis.lua_escape", 50),
    ]
    .into_iter()
    .find(|(pattern, ..)| text.contains(pattern));
    if let Some((_, name, confidence)) = found {
        call.state.note(Body::ExploitAttempt { name: name.to_owned(), confidence });
    }
}

fn eval(call: &mut Call<'_>, by_sha: bool, read_only: bool) -> Answer {
    let count = call.integer(2)?;
    if count > call.len() as i64 - 3 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    if count < 0 {
        return Err("ERR Number of keys can't be negative".into());
    }
    let (sha, script) = if by_sha {
        let sha = String::from_utf8_lossy(call.arg(1)).to_ascii_lowercase();
        match call.state.scripts.get(&sha) {
            Some(script) => (sha, script.clone()),
            None => return Err("NOSCRIPT No matching script. Please use EVAL.".into()),
        }
    } else {
        let script = call.arg(1).to_vec();
        escapes(call, &script);
        (remember(call, &script)?, script)
    };
    let parsed = parse(body(&script)).map_err(|error| compile_error(&error))?;
    let (keys, values) = call.args[3..].split_at(count as usize);
    let list = |words: &[Vec<u8>]| Value::list(words.iter().map(Value::text).collect());
    let (keys, values) = (list(keys), list(values));
    let mut server = ScriptServer { call, read_only };
    let mut interpreter = Interpreter::new(&mut server, "user_script");
    interpreter.set_global("KEYS", keys);
    interpreter.set_global("ARGV", values);
    let result = interpreter.run(&parsed);
    finish(call, result, &sha, "user_script")
}

/// The reply to what a script gave.
pub(super) fn finish(call: &mut Call<'_>, result: Result<Value, Stop>, name: &str, chunk: &str) -> Answer {
    match result {
        Ok(value) => {
            let reply = to_reply(&value, 0);
            call.spend(reply.weight())?;
            Ok(reply)
        }
        Err(Stop::Bound) => {
            call.state.note(Body::LimitReached { limit: "script".to_owned(), count: 1 });
            Err(format!("ERR Error running script (call to f_{name}): @{chunk}:1: Script killed by user with SCRIPT KILL...").into())
        }
        Err(Stop::Error(value, line)) => Err(thrown(call, &value, line, name, chunk)),
    }
}

fn thrown(call: &Call<'_>, value: &Value, line: u32, name: &str, chunk: &str) -> Fault {
    let (text, from_command) = match value {
        Value::Table(table) => (table.borrow().field("err").bytes().unwrap_or_default(), true),
        other => (other.bytes().unwrap_or_default(), false),
    };
    if call.since(7, 0) {
        let text = if from_command { text } else { [b"ERR ".as_slice(), &text].concat() };
        return Fault([&text[..], format!(" script: {name}, on @{chunk}:{line}.").as_bytes()].concat());
    }
    let strict = text.windows(22).any(|window| window == b"nonexistent global var")
        || text.windows(24).any(|window| window == b"to create global variabl");
    let place = if strict { "@enable_strict_lua:15".to_owned() } else { format!("@{chunk}:{line}") };
    let before = format!("ERR Error running script (call to f_{name}): {place}: ");
    let text = if from_command { [format!("@{chunk}: {line}: ").as_bytes(), &text].concat() } else { text };
    Fault([before.as_bytes(), &text].concat())
}

/// A value of a script as a reply: numbers lose their fraction, a table ends at its first nil.
fn to_reply(value: &Value, depth: u32) -> Reply {
    if depth > 60 {
        return Reply::error("ERR reached lua stack limit");
    }
    match value {
        Value::Nil | Value::Bool(false) | Value::Closure(_) | Value::Builtin(_) => Reply::Null,
        Value::Bool(true) => Reply::Integer(1),
        Value::Number(number) => Reply::Integer(*number as i64),
        Value::Text(text) => Reply::bulk(text),
        Value::Table(table) => {
            let table = table.borrow();
            if let Some(error) = table.field("err").bytes() {
                return Reply::error(error);
            }
            if let Some(status) = table.field("ok").bytes() {
                return Reply::Simple(String::from_utf8_lossy(&status).into_owned().into());
            }
            if let Value::Number(number) = table.field("double") {
                return Reply::Double(number);
            }
            let mut items = Vec::new();
            for at in 1..=table.len() {
                match table.get(&Value::Number(at as f64)) {
                    Value::Nil => break,
                    item => items.push(to_reply(&item, depth + 1)),
                }
            }
            Reply::Array(items)
        }
    }
}

/// A reply as a value of a script, in the rules of RESP2.
fn to_value(reply: &Reply) -> Value {
    match reply {
        Reply::Simple(text) => Value::with_field("ok", Value::text(text.as_bytes())),
        Reply::Error(text) => Value::with_field("err", Value::text(text)),
        Reply::Integer(number) => Value::Number(*number as f64),
        Reply::Bulk(bytes) | Reply::Verbatim(_, bytes) | Reply::Raw(bytes) => Value::text(bytes),
        Reply::Null | Reply::NullArray => Value::Bool(false),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Many(items) => {
            Value::list(items.iter().map(to_value).collect())
        }
        Reply::Map(pairs) => {
            Value::list(pairs.iter().flat_map(|(key, value)| [to_value(key), to_value(value)]).collect())
        }
        Reply::Double(number) => Value::text(crate::redis::codec::double(*number)),
        Reply::Decimal(text) => Value::text(text),
        Reply::Bool(value) => Value::Number(f64::from(u8::from(*value))),
    }
}

/// The server as a script sees it.
pub(super) struct ScriptServer<'a, 'b> {
    /// The command that runs the script.
    pub(super) call: &'a mut Call<'b>,
    /// Whether writes are refused.
    pub(super) read_only: bool,
}

impl Redis for ScriptServer<'_, '_> {
    fn command(&mut self, arguments: Vec<Vec<u8>>) -> Value {
        to_value(&self.run(&arguments).unwrap_or_else(|fault| Reply::Error(fault.0)))
    }

    fn random(&mut self) -> f64 {
        self.call.state.host.entropy.between(0, (1 << 53) - 1) as f64 / (1u64 << 53) as f64
    }

    fn version(&self) -> String {
        self.call.state.persona.version.clone()
    }

    fn seven(&self) -> bool {
        self.call.since(7, 0)
    }
}

impl ScriptServer<'_, '_> {
    fn run(&mut self, arguments: &[Vec<u8>]) -> Answer {
        let call = &mut *self.call;
        let seven = call.since(7, 0);
        let (id, now, spent) = (call.id, call.now, call.spent);
        // A script speaks RESP2 whatever its client speaks.
        let protocol = std::mem::take(&mut call.client().protocol);
        let mut inner =
            Call { state: call.state, id, args: arguments, now, nested: true, retry: false, spent };
        let answer = inner_run(&mut inner, self.read_only, seven);
        call.spent = inner.spent;
        call.client().protocol = protocol;
        let answer = answer?;
        call.spend(answer.weight())?;
        Ok(answer)
    }
}

fn inner_run(inner: &mut Call<'_>, read_only: bool, seven: bool) -> Answer {
    let unknown = if seven {
        "ERR Unknown Redis command called from script"
    } else {
        "Unknown Redis command called from Lua script"
    };
    let spec = spec_of(inner.args, inner.release()).map_err(|_| unknown)?;
    if !spec.takes(inner.len()) {
        return Err(if seven {
            "ERR Wrong number of args calling Redis command from script"
        } else {
            "Wrong number of args calling Redis command From Lua script"
        }
        .into());
    }
    if spec.has("noscript") {
        return Err(if seven {
            "ERR This Redis command is not allowed from script"
        } else {
            "This Redis command is not allowed from scripts"
        }
        .into());
    }
    if read_only && spec.has("write") {
        return Err("ERR Write commands are not allowed from read-only scripts.".into());
    }
    inner.permitted(spec, "lua")?;
    if inner.state.master.is_some() && spec.has("write") && inner.state.setting("replica-read-only") == b"yes"
    {
        return Err("READONLY You can't write against a read only replica.".into());
    }
    perform(inner, spec, "lua")
}

/// The number of keys of FCALL.
pub(super) fn key_count(call: &Call<'_>) -> Result<usize, Fault> {
    let count = number(call.arg(2)).ok_or("ERR Bad number of keys provided")?;
    if count > call.len() as i64 - 3 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    usize::try_from(count).map_err(|_| "ERR Number of keys can't be negative".into())
}
