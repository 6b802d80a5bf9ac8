//! The functions that a script finds.

mod json;
mod strings;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::interpreter::{Interpreter, Redis, Stop};
use super::value::{Table, Value, show_number};

/// A function by its name in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Builtin(pub(in crate::redis::lua) &'static str);

const PLAIN: &[&str] = &[
    "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select",
    "tonumber", "tostring", "type", "unpack", "xpcall",
];
const MODULES: &[(&str, &[&str])] = &[
    (
        "redis",
        &[
            "redis.call",
            "redis.pcall",
            "redis.log",
            "redis.sha1hex",
            "redis.error_reply",
            "redis.status_reply",
            "redis.setresp",
            "redis.set_repl",
            "redis.replicate_commands",
            "redis.breakpoint",
            "redis.debug",
            "redis.acl_check_cmd",
            "redis.register_function",
        ],
    ),
    (
        "string",
        &[
            "string.byte",
            "string.char",
            "string.find",
            "string.format",
            "string.gmatch",
            "string.gsub",
            "string.len",
            "string.lower",
            "string.match",
            "string.rep",
            "string.reverse",
            "string.sub",
            "string.upper",
        ],
    ),
    ("table", &["table.concat", "table.getn", "table.insert", "table.remove", "table.sort"]),
    (
        "math",
        &[
            "math.abs",
            "math.ceil",
            "math.floor",
            "math.fmod",
            "math.log",
            "math.max",
            "math.min",
            "math.pow",
            "math.random",
            "math.randomseed",
            "math.sqrt",
        ],
    ),
    (
        "bit",
        &[
            "bit.band",
            "bit.bnot",
            "bit.bor",
            "bit.bxor",
            "bit.lshift",
            "bit.rshift",
            "bit.tobit",
            "bit.tohex",
        ],
    ),
    ("cjson", &["cjson.decode", "cjson.encode"]),
    ("os", &["os.clock"]),
];

/// The globals of a fresh script.
pub(in crate::redis::lua) fn globals(redis: &dyn Redis) -> BTreeMap<String, Value> {
    let mut globals = BTreeMap::new();
    for name in PLAIN {
        globals.insert((*name).to_owned(), Value::Builtin(Builtin(name)));
    }
    for (module, names) in MODULES {
        // Only `os.clock` was left of it, and release 7 took that away.
        if *module == "os" && redis.seven() {
            continue;
        }
        let mut table = Table::default();
        for name in *names {
            let short = name.rsplit('.').next().unwrap_or(name);
            table.set(&Value::text(short), Value::Builtin(Builtin(name)));
        }
        let mut constant = |name: &str, value: f64| {
            table.set(&Value::text(name), Value::Number(value));
        };
        if *module == "redis" {
            for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"].iter().enumerate()
            {
                constant(name, level as f64);
            }
            for (name, value) in [
                ("REPL_NONE", 0.0),
                ("REPL_AOF", 1.0),
                ("REPL_SLAVE", 2.0),
                ("REPL_REPLICA", 2.0),
                ("REPL_ALL", 3.0),
            ] {
                constant(name, value);
            }
            if redis.seven() {
                let version = redis.version();
                let number = version
                    .split('.')
                    .filter_map(|part| part.parse::<u32>().ok())
                    .fold(0, |n, part| n << 8 | part);
                constant("REDIS_VERSION_NUM", f64::from(number));
                table.set(&Value::text("REDIS_VERSION"), Value::text(version));
            }
        } else if *module == "math" {
            constant("pi", std::f64::consts::PI);
            constant("huge", f64::INFINITY);
        }
        table.read_only = redis.seven();
        globals.insert((*module).to_owned(), Value::Table(Rc::new(RefCell::new(table))));
    }
    globals.insert("_VERSION".to_owned(), Value::text("Lua 5.1"));
    globals
}

type Many = Result<Vec<Value>, Stop>;

struct Arguments(Vec<Value>, &'static str);

impl Arguments {
    fn get(&self, at: usize) -> Value {
        self.0.get(at).cloned().unwrap_or(Value::Nil)
    }

    fn short(&self) -> &'static str {
        self.1.rsplit('.').next().unwrap_or(self.1)
    }

    fn bad(&self, run: &Interpreter<'_>, at: usize, expected: &str) -> Stop {
        let got = match self.0.get(at) {
            None => "no value",
            Some(value) => value.kind(),
        };
        run.fail(&format!("bad argument #{} to '{}' ({expected} expected, got {got})", at + 1, self.short()))
    }

    fn number(&self, run: &Interpreter<'_>, at: usize) -> Result<f64, Stop> {
        self.get(at).number().ok_or_else(|| self.bad(run, at, "number"))
    }

    fn bytes(&self, run: &Interpreter<'_>, at: usize) -> Result<Vec<u8>, Stop> {
        self.get(at).bytes().ok_or_else(|| self.bad(run, at, "string"))
    }

    fn table(&self, run: &Interpreter<'_>, at: usize) -> Result<Rc<RefCell<Table>>, Stop> {
        match self.0.get(at) {
            Some(Value::Table(table)) => Ok(Rc::clone(table)),
            _ => Err(self.bad(run, at, "table")),
        }
    }
}

/// Calls a function of the library.
pub(in crate::redis::lua) fn call(
    run: &mut Interpreter<'_>,
    name: &'static str,
    arguments: Vec<Value>,
) -> Many {
    let arguments = Arguments(arguments, name);
    match name.split_once('.') {
        None => plain(run, name, &arguments),
        Some(("redis", name)) => redis(run, name, &arguments),
        Some(("string", name)) => strings::call(run, name, &arguments),
        Some(("table", name)) => table(run, name, &arguments),
        Some(("math", name)) => math(run, name, &arguments),
        Some(("bit", name)) => bit(run, name, &arguments),
        Some(("cjson", name)) => json::call(run, name, &arguments),
        // The clock of the process; scripts only take differences.
        Some((_, _)) => Ok(vec![Value::Number(run.redis.random() / 1000.0)]),
    }
}

/// What `tostring` gives. A table's address is that of an allocator we do not have.
fn show(value: &Value) -> Vec<u8> {
    match value {
        Value::Nil => b"nil".to_vec(),
        Value::Bool(value) => value.to_string().into_bytes(),
        Value::Number(number) => show_number(*number).into_bytes(),
        Value::Text(text) => text.to_vec(),
        Value::Table(table) => format!("table: {:p}", Rc::as_ptr(table)).into_bytes(),
        Value::Closure(closure) => format!("function: {:p}", Rc::as_ptr(closure)).into_bytes(),
        Value::Builtin(Builtin(name)) => format!("function: {:p}", name.as_ptr()).into_bytes(),
    }
}

fn plain(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    let first = arguments.get(0);
    Ok(match name {
        "type" => {
            if arguments.0.is_empty() {
                return Err(arguments.bad(run, 0, "value"));
            }
            vec![Value::text(first.kind())]
        }
        "tostring" => vec![Value::text(show(&first))],
        "tonumber" => match arguments.0.get(1).and_then(Value::number) {
            Some(base) if base != 10.0 && (2.0..=36.0).contains(&base) => {
                let text = String::from_utf8_lossy(&arguments.bytes(run, 0)?).trim().to_owned();
                let number = i64::from_str_radix(&text, base as u32).ok();
                vec![number.map_or(Value::Nil, |number| Value::Number(number as f64))]
            }
            _ => vec![first.number().map_or(Value::Nil, Value::Number)],
        },
        "error" => {
            let level = arguments.get(1).number().unwrap_or(1.0);
            return Err(match (&first, level) {
                (Value::Text(_) | Value::Number(_), level) if level > 0.0 => {
                    run.fail(&String::from_utf8_lossy(&first.bytes().unwrap_or_default()))
                }
                _ => run.throw(first),
            });
        }
        "assert" => {
            if !first.truth() {
                let message = arguments.0.get(1).and_then(Value::bytes);
                return Err(match message {
                    Some(message) => run.throw(Value::text(message)),
                    None => run.throw(Value::text("assertion failed!")),
                });
            }
            arguments.0.clone()
        }
        "pcall" | "xpcall" => {
            let (rest, handler) = if name == "pcall" {
                (arguments.0.get(1..).unwrap_or(&[]).to_vec(), None)
            } else {
                (Vec::new(), Some(arguments.get(1)))
            };
            match run.call(&first, rest, None) {
                Ok(values) => std::iter::once(Value::Bool(true)).chain(values).collect(),
                Err(Stop::Error(value, _)) => match handler {
                    Some(handler) => {
                        let values = run.call(&handler, vec![value], None)?;
                        std::iter::once(Value::Bool(false)).chain(values).collect()
                    }
                    None => vec![Value::Bool(false), value],
                },
                Err(Stop::Bound) => return Err(Stop::Bound),
            }
        }
        "next" => {
            let table = arguments.table(run, 0)?;
            let found = table.borrow().next(&arguments.get(1));
            match found {
                Some((key, value)) => vec![key, value],
                None => vec![Value::Nil],
            }
        }
        "pairs" => {
            arguments.table(run, 0)?;
            vec![Value::Builtin(Builtin("next")), first, Value::Nil]
        }
        "ipairs" => {
            arguments.table(run, 0)?;
            match &arguments.0[..] {
                // Called by the loop with the table and the last index.
                [_, Value::Number(at)] => {
                    let next = at + 1.0;
                    let value = arguments.table(run, 0)?.borrow().get(&Value::Number(next));
                    if matches!(value, Value::Nil) {
                        vec![Value::Nil]
                    } else {
                        vec![Value::Number(next), value]
                    }
                }
                _ => vec![Value::Builtin(Builtin("ipairs")), first, Value::Number(0.0)],
            }
        }
        "select" => match &first {
            Value::Text(text) if **text == *b"#" => vec![Value::Number(arguments.0.len() as f64 - 1.0)],
            _ => {
                let at = arguments.number(run, 0)?;
                if at < 1.0 {
                    return Err(run.fail("bad argument #1 to 'select' (index out of range)"));
                }
                arguments.0.get(at as usize..).unwrap_or(&[]).to_vec()
            }
        },
        "unpack" => {
            let table = arguments.table(run, 0)?;
            let from = arguments.get(1).number().unwrap_or(1.0);
            let to = arguments.get(2).number().unwrap_or(table.borrow().len() as f64);
            if to - from > 8000.0 {
                return Err(run.fail("too many results to unpack"));
            }
            let mut values = Vec::new();
            let mut at = from;
            while at <= to {
                values.push(table.borrow().get(&Value::Number(at)));
                at += 1.0;
            }
            values
        }
        "rawequal" => vec![Value::Bool(first.same(&arguments.get(1)))],
        "rawget" => vec![arguments.table(run, 0)?.borrow().get(&arguments.get(1))],
        _ => {
            let table = arguments.table(run, 0)?;
            if table.borrow().read_only {
                return Err(run.fail("Attempt to modify a readonly table"));
            }
            run.take(64)?;
            table.borrow_mut().set(&arguments.get(1), arguments.get(2));
            vec![first]
        }
    })
}

fn redis(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    Ok(match name {
        "call" | "pcall" => {
            let mut words = Vec::new();
            for value in &arguments.0 {
                match value {
                    Value::Text(text) => words.push(text.to_vec()),
                    Value::Number(number) => {
                        words.push(crate::redis::codec::general(*number, 17).into_bytes())
                    }
                    _ => {
                        let text = if run.redis.seven() {
                            "ERR Lua redis lib command arguments must be strings or integers"
                        } else {
                            "Lua redis() command arguments must be strings or integers"
                        };
                        return raise(run, name, Value::with_field("err", Value::text(text)));
                    }
                }
            }
            if words.is_empty() {
                let text = if run.redis.seven() {
                    "ERR Please specify at least one argument for this redis lib call"
                } else {
                    "Please specify at least one argument for redis.call()"
                };
                return raise(run, name, Value::with_field("err", Value::text(text)));
            }
            let reply = run.redis.command(words);
            if let Value::Table(table) = &reply {
                run.take(table.borrow().count() * 32)?;
                if !matches!(table.borrow().field("err"), Value::Nil) {
                    let reply = reply.clone();
                    return raise(run, name, reply);
                }
            }
            if let Value::Text(text) = &reply {
                run.take(text.len())?;
            }
            vec![reply]
        }
        "log" | "breakpoint" | "debug" | "setresp" | "set_repl" => Vec::new(),
        "replicate_commands" => vec![Value::Bool(true)],
        "acl_check_cmd" => vec![Value::Bool(true)],
        "sha1hex" => {
            if arguments.0.len() != 1 {
                return Err(run.fail("wrong number of arguments"));
            }
            vec![Value::text(crate::redis::commands::sha1_hex(&arguments.get(0).bytes().unwrap_or_default()))]
        }
        "error_reply" | "status_reply" => {
            let Value::Text(text) = arguments.get(0) else {
                return Ok(vec![Value::with_field(
                    "err",
                    Value::text("ERR wrong number or type of arguments"),
                )]);
            };
            if name == "status_reply" {
                return Ok(vec![Value::with_field("ok", Value::Text(text))]);
            }
            // Release 7 puts a code before a text of one word.
            let text = if run.redis.seven() {
                let bare = text.strip_prefix(b"-").unwrap_or(&text);
                if bare.contains(&b' ') { bare.to_vec() } else { [b"ERR ", bare].concat() }
            } else {
                text.to_vec()
            };
            vec![Value::with_field("err", Value::text(text))]
        }
        _ => {
            if !run.registering {
                return Err(run.fail("redis.register_function can only be called on FUNCTION LOAD command"));
            }
            let (name, function, flags) = match arguments.get(0) {
                Value::Table(table) => {
                    let table = table.borrow();
                    let flags = match table.field("flags") {
                        Value::Table(flags) => {
                            let flags = flags.borrow();
                            (1..=flags.len())
                                .filter_map(|at| flags.get(&Value::Number(at as f64)).bytes())
                                .collect()
                        }
                        _ => Vec::new(),
                    };
                    (table.field("function_name"), table.field("callback"), flags)
                }
                first => (first, arguments.get(1), Vec::new()),
            };
            let (Some(name), Value::Closure(_)) = (name.bytes(), &function) else {
                return Err(run.fail("wrong number of arguments to redis.register_function"));
            };
            if run.registered.len() >= 256 {
                return Err(Stop::Bound);
            }
            run.registered.push((name, function, flags));
            Vec::new()
        }
    })
}

/// `redis.call` throws what `redis.pcall` gives back.
fn raise(run: &Interpreter<'_>, name: &str, error: Value) -> Many {
    if name == "call" { Err(run.throw(error)) } else { Ok(vec![error]) }
}

fn table(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    let table = arguments.table(run, 0)?;
    let length = table.borrow().len();
    if table.borrow().read_only && matches!(name, "insert" | "remove" | "sort") {
        return Err(run.fail("Attempt to modify a readonly table"));
    }
    Ok(match name {
        "getn" => vec![Value::Number(length as f64)],
        "insert" => {
            run.take(64)?;
            match arguments.0.len() {
                2 => {
                    table.borrow_mut().set(&Value::Number(length as f64 + 1.0), arguments.get(1));
                }
                3 => {
                    let at = arguments.number(run, 1)?.clamp(1.0, length as f64 + 1.0);
                    run.take(length / 8)?;
                    table.borrow_mut().insert(at as usize, arguments.get(2));
                }
                _ => return Err(run.fail("wrong number of arguments to 'insert'")),
            }
            Vec::new()
        }
        "remove" => {
            let at = arguments.get(1).number().unwrap_or(length as f64).clamp(0.0, 1e9);
            run.take(length / 8)?;
            vec![table.borrow_mut().remove(at as usize)]
        }
        "concat" => {
            let separator = arguments.get(1).bytes().unwrap_or_default();
            let from = arguments.get(2).number().unwrap_or(1.0);
            let to = arguments.get(3).number().unwrap_or(length as f64).min(length as f64);
            let mut out = Vec::new();
            let mut at = from;
            while at <= to {
                let item = table.borrow().get(&Value::Number(at));
                let Some(bytes) = item.bytes() else {
                    return Err(run.fail(&format!(
                        "invalid value ({}) at index {at} in table for 'concat'",
                        item.kind()
                    )));
                };
                run.take(bytes.len() + separator.len())?;
                out.extend_from_slice(&bytes);
                if at < to {
                    out.extend_from_slice(&separator);
                }
                at += 1.0;
            }
            vec![Value::text(out)]
        }
        _ => {
            let mut items = std::mem::take(table.borrow_mut().items_mut());
            let order = arguments.get(1);
            let mut failure = None;
            run.take(items.len() * 64)?;
            // A merge by hand, because a comparison may fail and may lie.
            let mut width = 1;
            while width < items.len() && failure.is_none() {
                let mut merged = Vec::with_capacity(items.len());
                for chunk in items.chunks(2 * width) {
                    let (mut left, mut right) = chunk.split_at(width.min(chunk.len()));
                    while let (Some(a), Some(b)) = (left.first(), right.first()) {
                        let second_first = match less(run, &order, b, a) {
                            Ok(less) => less,
                            Err(stop) => {
                                failure.get_or_insert(stop);
                                false
                            }
                        };
                        if second_first {
                            merged.push(b.clone());
                            right = &right[1..];
                        } else {
                            merged.push(a.clone());
                            left = &left[1..];
                        }
                    }
                    merged.extend_from_slice(left);
                    merged.extend_from_slice(right);
                }
                items = merged;
                width *= 2;
            }
            *table.borrow_mut().items_mut() = items;
            if let Some(stop) = failure {
                return Err(stop);
            }
            Vec::new()
        }
    })
}

fn less(run: &mut Interpreter<'_>, order: &Value, a: &Value, b: &Value) -> Result<bool, Stop> {
    if !matches!(order, Value::Nil) {
        let values = run.call(order, vec![a.clone(), b.clone()], None)?;
        return Ok(values.first().is_some_and(Value::truth));
    }
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(a < b),
        (Value::Text(a), Value::Text(b)) => Ok(a < b),
        _ => Err(run.fail(&format!("attempt to compare {} with {}", a.kind(), b.kind()))),
    }
}

fn math(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    let value = match name {
        "random" => {
            let part = run.redis.random();
            match arguments.0.len() {
                0 => part,
                1 => (part * arguments.number(run, 0)?).floor() + 1.0,
                _ => {
                    let (low, high) = (arguments.number(run, 0)?, arguments.number(run, 1)?);
                    (part * (high - low + 1.0)).floor() + low
                }
            }
        }
        "randomseed" => return Ok(Vec::new()),
        "max" | "min" => {
            let mut best = arguments.number(run, 0)?;
            for at in 1..arguments.0.len() {
                let other = arguments.number(run, at)?;
                best = if name == "max" { best.max(other) } else { best.min(other) };
            }
            best
        }
        name => {
            let x = arguments.number(run, 0)?;
            match name {
                "abs" => x.abs(),
                "ceil" => x.ceil(),
                "floor" => x.floor(),
                "fmod" => x % arguments.number(run, 1)?,
                "log" => x.ln(),
                "pow" => x.powf(arguments.number(run, 1)?),
                _ => x.sqrt(),
            }
        }
    };
    Ok(vec![Value::Number(value)])
}

fn bit(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    let word = |at: usize| -> Result<u32, Stop> {
        let number = arguments.number(run, at)?;
        Ok(number.rem_euclid(4_294_967_296.0) as u32)
    };
    let first = word(0)?;
    let value = match name {
        "tohex" => return Ok(vec![Value::text(format!("{first:08x}"))]),
        "bnot" => !first,
        "tobit" => first,
        "lshift" => first.wrapping_shl(word(1)? & 31),
        "rshift" => first.wrapping_shr(word(1)? & 31),
        name => {
            let mut value = first;
            for at in 1..arguments.0.len() {
                let other = word(at)?;
                value = match name {
                    "band" => value & other,
                    "bor" => value | other,
                    _ => value ^ other,
                };
            }
            value
        }
    };
    Ok(vec![Value::Number(f64::from(value as i32))])
}
