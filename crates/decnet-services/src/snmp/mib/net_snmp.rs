//! What snmpd tells of itself: registered modules, caches, default events, users and access control.

use super::Builder;
use super::facts::Machine;
use super::short::{bytes, int, no_oid, oid, string_index, text};
use super::{Rule, Source};
use crate::asn1::Oid;
use crate::snmp::usm::AuthProtocol;
use crate::snmp::value::Value;

const NET_SNMP: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 1];
const SNMP_MODULES: &[u32] = &[1, 3, 6, 1, 6, 3];

static STATIC: &str = include_str!("../data/net-snmp-static.txt");
static REGISTRY: &str = include_str!("../data/net-snmp-registry.txt");

/// The subtrees.
pub(super) fn net_snmp(builder: &mut Builder, machine: &Machine<'_>) {
    for (name, value) in static_objects() {
        builder.instance(name, value);
    }
    registry(builder);
    builder.writable(
        &[SNMP_MODULES, &[1, 1, 6, 1]].concat(),
        int(machine.identity.draw(&["snmp", "serial"]).below(0x7fff_ffff) as u32),
        Rule::OneOf(&[]),
    );
    builder.scalar(&[SNMP_MODULES, &[12, 1, 1]].concat(), int(0));
    users(builder, machine);
    access(builder, machine);
}

/// The lines of a data file that are not comments.
fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn static_objects() -> impl Iterator<Item = (Oid, Value)> {
    lines(STATIC).filter_map(|line| {
        let mut parts = line.splitn(3, ' ');
        let name = parts.next()?.parse().ok()?;
        let kind = parts.next()?;
        let rest = parts.next().unwrap_or_default();
        let value = match kind {
            "i" => Value::Integer(rest.parse().ok()?),
            "u" => Value::Gauge32(rest.parse().ok()?),
            "c" => Value::Counter32(rest.parse().ok()?),
            "t" => Value::TimeTicks(rest.parse().ok()?),
            "o" => Value::Oid(rest.parse().ok()?),
            "s" => Value::text(rest),
            "x" => Value::bytes(
                rest.as_bytes()
                    .chunks(2)
                    .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                    .collect::<Vec<u8>>(),
            ),
            _ => return None,
        };
        Some((name, value))
    })
}

/// nsModuleTable: what is registered where. Index: context, object, priority.
fn registry(builder: &mut Builder) {
    let mut table = builder.table(&[NET_SNMP, &[2, 1, 1]].concat(), (4, 6));
    for line in lines(REGISTRY) {
        let mut parts = line.split(' ');
        let (Some(object), Some(priority), Some(name), Some(modes), Some(timeout)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let arcs: Vec<u32> = object.split('.').filter_map(|arc| arc.parse().ok()).collect();
        let priority: u32 = priority.parse().unwrap_or(127);
        let index = [&[0, arcs.len() as u32][..], &arcs, &[priority]].concat();
        let name = if name == "-" { String::new() } else { name.replace('~', " ") };
        let modes: u8 = match modes {
            "r" => 0x80,
            "rw" => 0xc0,
            _ => 0xa0,
        };
        let timeout: i32 = timeout.parse().unwrap_or(0);
        table.row(&index, [(4, text(name)), (5, bytes([modes])), (6, Value::Integer(timeout).into())]);
    }
}

/// usmUserTable. The keys are never told; whose they are is.
fn users(builder: &mut Builder, machine: &Machine<'_>) {
    let persona = machine.persona;
    builder.scalar(&[SNMP_MODULES, &[15, 1, 2, 1]].concat(), int(0));
    let engine: Vec<u32> = persona.engine_id.iter().map(|byte| u32::from(*byte)).collect();
    let protocol = |group: u32, number: u32| oid(&[SNMP_MODULES, &[10, 1, group, number]].concat());
    let mut table = builder.table(&[SNMP_MODULES, &[15, 1, 2, 2, 1]].concat(), (1, 13));
    for user in &persona.users {
        let index = [&[engine.len() as u32][..], &engine, &string_index(&user.name)].concat();
        let auth = match user.auth.as_ref().map(|(protocol, _)| *protocol) {
            None => 1,
            Some(AuthProtocol::Md5) => 2,
            Some(AuthProtocol::Sha1) => 3,
        };
        let empty = || text("");
        table.row(
            &index,
            [
                (3, text(&user.name)),
                (4, no_oid()),
                (5, protocol(1, auth)),
                (6, empty()),
                (7, empty()),
                (8, protocol(2, if user.privacy.is_some() { 4 } else { 1 })),
                (9, empty()),
                (10, empty()),
                (12, int(3)),
                (13, int(1)),
            ],
        );
    }
}

/// The view-based access control tables (RFC 3415) that `rocommunity` and `rouser` lines make, and
/// net-snmp's own extension of them.
fn access(builder: &mut Builder, machine: &Machine<'_>) {
    let persona = machine.persona;
    let under = |rest: &[u32]| [SNMP_MODULES, &[16, 1], rest].concat();
    // Security model, security name, group, level, whether it writes.
    let mut rows: Vec<(u32, String, String, u32, bool)> = Vec::new();
    for (number, community) in (1..).zip(&persona.communities) {
        for model in [1, 2] {
            rows.push((model, format!("comm{number}"), format!("grpcomm{number}"), 1, community.write));
        }
    }
    for user in &persona.users {
        let level = match (&user.auth, &user.privacy) {
            (None, _) => 1,
            (Some(_), None) => 2,
            (Some(_), Some(_)) => 3,
        };
        rows.push((3, user.name.clone(), format!("grp{}", user.name), level, user.write));
    }
    let mut contexts = builder.table(&under(&[1, 1]), (1, 1));
    contexts.cell(1, &[0], text(""));
    let mut groups = builder.table(&under(&[2, 1]), (1, 5));
    for (model, name, group, _, _) in &rows {
        let index = [&[*model][..], &string_index(name)].concat();
        groups.row(&index, [(3, text(group)), (4, int(4)), (5, int(1))]);
    }
    let view = |shown: bool| text(if shown { "_all_" } else { "none" });
    let mut entries = builder.table(&under(&[4, 1]), (1, 9));
    for (model, _, group, level, write) in &rows {
        // Communities are allowed under any model.
        let model = if *model == 3 { 3 } else { 0 };
        let index = [&string_index(group)[..], &[0, model, *level]].concat();
        entries.row(
            &index,
            [(4, int(2)), (5, view(true)), (6, view(*write)), (7, view(*write)), (8, int(4)), (9, int(1))],
        );
    }
    builder.scalar(&under(&[5, 1]), int(0));
    let mut views = builder.table(&under(&[5, 2, 1]), (1, 6));
    for (name, included) in [("_all_", 1), ("_none_", 2)] {
        for subtree in [0, 1, 2] {
            let index = [&string_index(name)[..], &[1, subtree]].concat();
            views.row(&index, [(3, text("")), (4, int(included)), (5, int(4)), (6, int(1))]);
        }
    }
    let mut extension = builder.table(&[NET_SNMP, &[9, 1, 1]].concat(), (2, 5));
    for (model, _, group, level, write) in &rows {
        let model = if *model == 3 { 3 } else { 0 };
        for (kind, shown) in [("read", true), ("write", *write), ("notify", *write)] {
            let index = [&string_index(group)[..], &[0, model, *level], &string_index(kind)].concat();
            let cells: [(u32, Source); 4] = [(2, int(2)), (3, view(shown)), (4, int(4)), (5, int(1))];
            extension.row(&index, cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_files_is_read() {
        assert_eq!(static_objects().count(), lines(STATIC).count());
        assert!(lines(REGISTRY).count() > 390);
        for line in lines(REGISTRY) {
            assert_eq!(line.split(' ').count(), 5, "{line}");
        }
    }
}
