//! The tables in /README.md, made from what they are about: the command line, the registry, the catalogue,
//! and for the diagnostics the table of mistakes that the tests bring about.
//!
//! `DECNET_UPDATE_README=1 cargo test -p decnet-cli readme` writes them anew. Text outside the marks is
//! nobody's business here. These are tests of the program itself, and not beside it, because nothing else
//! can see the definitions of its command line.

#[allow(dead_code, reason = "the command line's mistakes are for the other tests")]
#[path = "../tests/mistakes/mod.rs"]
mod mistakes;
#[allow(unreachable_pub, reason = "a module of the lab's tests, shared as it is")]
#[path = "../tests/lab_support/nmap_words.rs"]
mod nmap_words;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory};
use decnet_core::diagnostic::Source;
use decnet_core::request::{Format, read};
use decnet_core::service::Port;
use decnet_core::{HostFacts, ResolveOptions, resolve};
use decnet_logging::sinks::ecs;

use crate::arguments::Arguments;
use crate::commands::catalogue_of_all;
use crate::failure::exit;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");

#[test]
fn tables_in_the_readme_are_true() {
    let written = std::fs::read_to_string(README).unwrap();
    let mut right = written.clone();
    let tables = [
        ("commands", commands()),
        ("options", options()),
        ("deploy", flags("deploy")),
        ("teardown", flags("teardown")),
        ("doctor", flags("doctor")),
        ("events", flags("events")),
        ("ecs-fields", ecs_fields()),
        ("ecs-kinds", ecs_kinds()),
        ("exit-codes", exit_codes()),
        ("services", services()),
        ("personas", personas()),
        ("archetypes", archetypes()),
        ("families", families()),
        ("nmap", nmap()),
        ("distros", distros()),
        ("diagnostics", diagnostics()),
    ];
    for (name, table) in tables {
        right = replaced(&right, name, &table);
    }
    if std::env::var_os("DECNET_UPDATE_README").is_some() {
        std::fs::write(Path::new(README), right).unwrap();
    } else if let Some((is, should)) = written.lines().zip(right.lines()).find(|(is, should)| is != should) {
        panic!(
            "README.md is behind: it says\n{is}\nand should say\n{should}\n\
             DECNET_UPDATE_README=1 cargo test -p decnet-cli readme writes its tables anew"
        );
    } else {
        assert_eq!(written, right);
    }
}

/// The text with a table between the marks of that name.
fn replaced(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("<!-- end: {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("README.md lacks {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README.md lacks {end}"));
    format!("{before}{begin}\n{table}\n{end}{after}")
}

/// A Markdown table.
fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", header.join(" | "), " --- |".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Words in code, by comma.
fn codes<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

/// Prose that came from a terminal: what looks like a tag to Markdown is none.
fn prose(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;")
}

fn ecs_fields() -> String {
    table(
        ["our field", "of", "field of ECS", "written as"],
        ecs::FIELDS.iter().map(|(of, ours, field, convert)| {
            let of = match of {
                ecs::Of::All => "every event".to_owned(),
                ecs::Of::Kind(kind) => code(kind),
                ecs::Of::Http => "`request`, in HTTP".to_owned(),
            };
            let convert = match convert {
                ecs::Convert::Same => "it is",
                ecs::Convert::Mac => "`00-00-5E-00-53-23`",
                ecs::Convert::Nanoseconds => "nanoseconds",
                ecs::Convert::Number => "a number",
                ecs::Convert::Outcome => "`success`, `failure`, `unknown`",
                ecs::Convert::Severity => "its number in RFC 5424",
            };
            [code(ours), of, code(field), convert.to_owned()]
        }),
    )
}

fn ecs_kinds() -> String {
    table(
        ["event", "`event.category`", "`event.type`"],
        ecs::KINDS.iter().map(|(kind, category, types)| {
            [code(kind), codes(category.iter().copied()), codes(types.iter().copied())]
        }),
    )
}

fn command() -> Command {
    let mut command = Arguments::command();
    command.build();
    command
}

fn commands() -> String {
    let command = command();
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    table(
        ["command", "what it does"],
        shown.filter(|sub| sub.get_name() != "help").map(|sub| {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            [code(&format!("decnet {}", sub.get_name())), prose(&about)]
        }),
    )
}

/// The options of every command.
fn options() -> String {
    let command = command();
    flag_table(command.get_arguments().filter(|argument| argument.is_global_set()))
}

/// The flags of one command, without those of every command.
fn flags(name: &str) -> String {
    let command = command();
    let sub = command.find_subcommand(name).unwrap();
    flag_table(sub.get_arguments().filter(|argument| !argument.is_global_set()))
}

fn flag_table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows = arguments.filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()));
    table(["flag", "default", "meaning"], rows.map(flag_row))
}

fn flag_row(argument: &Arg) -> [String; 3] {
    let mut name = format!("--{}", argument.get_long().unwrap());
    if argument.get_action().takes_values() {
        let values = argument.get_value_names().unwrap_or_default();
        let values: Vec<String> = values.iter().map(|value| format!("<{value}>")).collect();
        name = format!("{name} {}", values.join(" "));
    }
    let mut name = code(&name);
    if let Some(short) = argument.get_short() {
        name = format!("`-{short}`, {name}");
    }
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    // A default that depends on the machine stands behind the help, where clap cannot know it.
    let (mut help, default) = match help.split_once(" [default: ") {
        Some((help, default)) => (prose(help), prose(default.trim_end_matches(']'))),
        None => {
            let given = argument.get_default_values().iter().filter_map(|value| value.to_str());
            let given = if argument.get_action().takes_values() { codes(given) } else { String::new() };
            (prose(&help), given)
        }
    };
    let values = argument.get_possible_values();
    if argument.get_action().takes_values() && !values.is_empty() {
        let _ = write!(help, ": {}", codes(values.iter().map(PossibleValue::get_name)));
    }
    if let Some(variable) = argument.get_env().and_then(|variable| variable.to_str()) {
        let _ = write!(help, "; also by the variable {}", code(variable));
    }
    [name, default, help]
}

fn exit_codes() -> String {
    table(
        ["exit code", "meaning"],
        exit::MEANINGS.map(|(code, meaning)| [code.to_string(), meaning.to_owned()]),
    )
}

fn services() -> String {
    table(
        ["service", "ports", "role", "found on"],
        decnet_services::registry::descriptors().into_iter().map(|service| {
            let ports: Vec<String> = service.ports.iter().map(Port::to_string).collect();
            let families: Vec<&str> = service.families.iter().map(|family| family.slug()).collect();
            [code(service.slug), ports.join(", "), prose(service.role), families.join(", ")]
        }),
    )
}

fn personas() -> String {
    let rows = decnet_services::registry::descriptors().into_iter().flat_map(|service| {
        service.keys.iter().enumerate().map(move |(at, key)| {
            let first = if at == 0 { code(service.slug) } else { String::new() };
            let mut name = code(key.name);
            if !key.aliases.is_empty() {
                let _ = write!(name, ", also {}", codes(key.aliases.iter().copied()));
            }
            [first, name, prose(&key.kind.describe()), prose(key.default), prose(key.doc)]
        })
    });
    table(["service", "key", "accepts", "when it is not set", "what it changes"], rows)
}

fn archetypes() -> String {
    table(
        ["archetype", "services", "system", "distributions", "what it is"],
        catalogue_of_all().archetypes().iter().map(|archetype| {
            [
                code(&archetype.slug),
                archetype.services.join(", "),
                archetype.os.to_string(),
                archetype.distros.join(", "),
                prose(&archetype.description),
            ]
        }),
    )
}

fn families() -> String {
    let catalogue = catalogue_of_all();
    table(
        ["family", "packet personas"],
        catalogue.families().iter().map(|family| {
            let personas = catalogue.personas().filter(|persona| persona.family == family.slug);
            [code(family.slug.slug()), codes(personas.map(|persona| persona.slug.as_str()))]
        }),
    )
}

fn nmap() -> String {
    let catalogue = catalogue_of_all();
    table(
        ["packet persona", "systems", "`nmap -O` says"],
        nmap_words::WORDS.iter().map(|(slug, words)| {
            let what = catalogue.persona(slug).map_or("", |persona| persona.description.as_str());
            [code(slug), prose(what), (*words).to_owned()]
        }),
    )
}

fn distros() -> String {
    table(
        ["distribution", "image and build base", "name"],
        catalogue_of_all()
            .distros()
            .iter()
            .map(|distro| [code(&distro.slug), code(&distro.image), prose(&distro.name)]),
    )
}

/// Every code that a config file can bring about, each with a message from the tests.
fn diagnostics() -> String {
    let mut examples: BTreeMap<&str, (String, String)> = BTreeMap::new();
    let tables =
        [mistakes::TEXT, mistakes::GENERAL, mistakes::DECKIES, mistakes::PERSONAS, mistakes::CUSTOMS];
    for mistake in tables.into_iter().flatten() {
        let source = Source::new(mistake.name, mistake.config);
        let (request, mut found) = read(&source, Format::of_path(Path::new(mistake.name)));
        let facts = HostFacts { subnet: Some(Default::default()), ..HostFacts::default() };
        let catalogue = crate::personas::catalogue(&request, None, &mut found);
        found.extend(resolve(&request, &facts, &catalogue, &ResolveOptions::seeded(0)).1);
        for told in found.into_iter().filter(|told| told.code != "network.detected") {
            examples.entry(told.code).or_insert((told.level.to_string(), told.message));
        }
    }
    let rows = examples.into_iter().map(|(name, (level, message))| [code(name), level, prose(&message)]);
    table(["code", "level", "for example"], rows)
}

#[test]
fn what_stands_between_marks_is_replaced_and_nothing_else() {
    let text = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n";
    let once = replaced(text, "x", "new");
    assert_eq!(once, "a\n<!-- begin: x -->\n\nnew\n<!-- end: x -->\nb\n");
    assert_eq!(replaced(&once, "x", "new"), once);
    assert_eq!(table(["h"], [["a|b\nc".to_owned()]]), "| h |\n| --- |\n| a\\|b c |\n");
}
