//! MODULE. Nothing is ever loaded.

use decnet_logging::event::{Body, Direction};

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call};

pub(super) const HANDLERS: super::Group = &[
    ("module|list", |call| Ok(Reply::Array(module_rows(call)))),
    ("module|load", module_load),
    ("module|loadex", module_load),
    ("module|unload", module_unload),
];

/// The modules as MODULE LIST and HELLO show them.
pub(crate) fn module_rows(call: &Call<'_>) -> Vec<Reply> {
    let seven = call.since(7, 0);
    call.state
        .persona
        .modules
        .iter()
        .map(|(name, version)| {
            let mut row = vec![
                (Reply::text("name"), Reply::text(name.clone())),
                (Reply::text("ver"), Reply::Integer(*version)),
            ];
            if seven {
                row.push((Reply::text("path"), Reply::text(format!("/usr/lib/redis/modules/{name}.so"))));
                row.push((Reply::text("args"), Reply::Array(Vec::new())));
            }
            Reply::Map(row)
        })
        .collect()
}

fn module_load(call: &mut Call<'_>) -> Answer {
    let path = String::from_utf8_lossy(call.arg(2)).into_owned();
    call.state.note(Body::ExploitAttempt { name: "redis.module_load".to_owned(), confidence: 95 });
    call.state.note(Body::FileDownload {
        name: Some(path),
        url: None,
        direction: Direction::Requested,
        size: None,
        bait: None,
    });
    Err("ERR Error loading the extension. Please check the server logs.".into())
}

fn module_unload(call: &mut Call<'_>) -> Answer {
    let name = String::from_utf8_lossy(call.arg(2)).into_owned();
    let known = call.state.persona.modules.iter().any(|(module, _)| *module == name);
    let why = if known {
        "the module exports one or more module-side data types, can't unload"
    } else {
        "no such module with that name"
    };
    Err(format!("ERR Error unloading module: {why}").into())
}
