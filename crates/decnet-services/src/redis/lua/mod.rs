//! A small interpreter for the Lua 5.1 that EVAL runs: enough for the scripts that clients and intruders
//! send, bounded in steps, depth and memory. It has no way out: no `io`, `os.execute`, `package`, `load`.

mod interpreter;
mod library;
mod parser;
mod pattern;
mod syntax;
mod value;

pub(crate) use interpreter::{Interpreter, Redis, Stop};
pub(crate) use parser::{SyntaxError, parse};
pub(crate) use value::Value;
