//! `[custom-SLUG]`: services of the user's own.

use std::collections::{HashMap, HashSet};

use super::words;
use crate::catalogue::Catalogue;
use crate::diagnostic::{Diagnostic, Origin};
use crate::plan::CustomService;
use crate::request::{CustomSection, Text, flaw};
use crate::service::{Port, Transport};

/// Reads them; one that is wrong is left in as far as it is known, so that decks that use it are judged.
pub(super) fn resolve(
    sections: &[CustomSection],
    catalogue: &Catalogue,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<CustomService> {
    let mut customs = Vec::new();
    let mut first: HashMap<&str, &Origin> = HashMap::new();
    for section in sections {
        let slug = section.slug.as_str();
        let at = &section.slug.origin;
        if let Some(flaw) = flaw(slug) {
            let message = format!("service name `{slug}` {flaw}");
            diagnostics.push(Diagnostic::error("custom.slug", at.clone(), message));
            continue;
        }
        if catalogue.service(slug).is_some() {
            let message = format!("`custom-{slug}` would replace the built-in service `{slug}`");
            diagnostics.push(
                Diagnostic::error("custom.builtin", at.clone(), message)
                    .help(format!("call it otherwise, such as `custom-my-{slug}`")),
            );
            continue;
        }
        if let Some(before) = first.insert(slug, at) {
            let message = format!("service `custom-{slug}` stands here twice");
            diagnostics.push(
                Diagnostic::error("custom.duplicate", at.clone(), message)
                    .related(before.clone(), "the first one"),
            );
            continue;
        }
        customs.push(CustomService {
            slug: slug.to_owned(),
            image: image(section, diagnostics),
            exec: section.exec.as_ref().map(|text| exec(text, diagnostics)).unwrap_or_default(),
            ports: match &section.ports {
                Some(text) => ports(text, diagnostics),
                None => {
                    let message = format!("`custom-{slug}` has no ports, so nobody can reach it");
                    diagnostics.push(
                        Diagnostic::warning("custom.no-ports", at.clone(), message)
                            .help("write `ports = 9999` or `ports = 9999/udp`"),
                    );
                    Vec::new()
                }
            },
        });
    }
    customs.sort_by(|a, b| a.slug.cmp(&b.slug));
    customs
}

/// Says which of them no decky uses.
pub(super) fn warn_unused(
    sections: &[CustomSection],
    used: &[Vec<String>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    if sections.is_empty() {
        return;
    }
    let used: HashSet<&str> = used.iter().flatten().map(String::as_str).collect();
    for section in sections.iter().filter(|section| !used.contains(section.slug.as_str())) {
        let slug = section.slug.as_str();
        diagnostics.push(
            Diagnostic::warning(
                "custom.unused",
                section.slug.origin.clone(),
                format!("no decky has the service `{slug}`"),
            )
            .help(format!("add `{slug}` to the `services` of a decky")),
        );
    }
}

fn image(section: &CustomSection, diagnostics: &mut Vec<Diagnostic>) -> String {
    let slug = section.slug.as_str();
    let image = section.binary.as_ref().map_or("", |text| text.value.trim());
    if image.is_empty() {
        let at = section.binary.as_ref().map_or(&section.slug.origin, |text| &text.origin);
        diagnostics.push(
            Diagnostic::error(
                "custom.no-binary",
                at.clone(),
                format!("`custom-{slug}` names no Docker image"),
            )
            .help("write `binary = registry.example.com/name:tag`"),
        );
    } else if image.starts_with(['-', '/', ':']) || !image.bytes().all(is_reference) {
        let at = section.binary.as_ref().map_or(&section.slug.origin, |text| &text.origin);
        let message = format!("binary `{image}` is not the name of a Docker image");
        diagnostics.push(Diagnostic::error("custom.binary", at.clone(), message));
    }
    image.to_owned()
}

/// The characters of an image reference (the grammar of the distribution project's `reference` package).
fn is_reference(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-/:@+".contains(&byte)
}

fn ports(list: &Text, diagnostics: &mut Vec<Diagnostic>) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for word in words::split(list) {
        let (number, transport) = match word.text.split_once('/') {
            None => (word.text, Some(Transport::Tcp)),
            Some((number, "tcp")) => (number, Some(Transport::Tcp)),
            Some((number, "udp")) => (number, Some(Transport::Udp)),
            Some((number, _)) => (number, None),
        };
        let number = number.trim().parse::<u16>().ok().filter(|number| *number != 0);
        let (Some(number), Some(transport)) = (number, transport) else {
            let message = format!("`{}` is not a port", word.text);
            diagnostics.push(
                Diagnostic::error("custom.ports", word.origin, message)
                    .help("a number from 1 to 65535, with `/udp` behind it where it is UDP"),
            );
            continue;
        };
        let port = Port { number, transport, tls: false };
        if ports.iter().any(|other| other.clashes_with(port)) {
            let message = format!("port {port} stands here twice");
            diagnostics.push(Diagnostic::error("custom.ports", word.origin, message));
            continue;
        }
        ports.push(port);
    }
    if ports.is_empty() && list.value.trim().is_empty() {
        let message = "`ports` is empty".to_owned();
        diagnostics.push(Diagnostic::error("custom.ports", list.origin.clone(), message));
    }
    ports
}

fn exec(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Vec<String> {
    split_command(&text.value).unwrap_or_else(|message| {
        diagnostics.push(
            Diagnostic::error("custom.exec", text.origin.clone(), format!("exec `{}` {message}", text.value))
                .help("quotes come in pairs, and a backslash needs a character behind it"),
        );
        Vec::new()
    })
}

/// Splits a command as a POSIX shell does (XCU 2.2), without expansions: blanks part words; `'…'` is
/// literal; in `"…"` a backslash protects `"`, `\`, `$` and `` ` ``; elsewhere it protects any character.
pub(super) fn split_command(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err("has a single quote that is not closed"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') => match letters.next() {
                            Some(inner @ ('"' | '\\' | '$' | '`')) => word.push(inner),
                            Some(inner) => word.extend(['\\', inner]),
                            None => return Err("has a double quote that is not closed"),
                        },
                        Some(inner) => word.push(inner),
                        None => return Err("has a double quote that is not closed"),
                    }
                }
            }
            '\\' => match letters.next() {
                Some(inner) => word.get_or_insert_default().push(inner),
                None => return Err("ends in a backslash"),
            },
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_a_shell_does() {
        for (text, expected) in [
            ("", vec![]),
            ("  python3  -u app.py ", vec!["python3", "-u", "app.py"]),
            (r#"sh -c 'echo "a b"'"#, vec!["sh", "-c", r#"echo "a b""#]),
            (r#"a "b \"c\" \n" d\ e '' "#, vec!["a", r#"b "c" \n"#, "d e", ""]),
            ("x'y'z\"w\"", vec!["xyzw"]),
        ] {
            assert_eq!(split_command(text).unwrap(), expected, "{text}");
        }
        for text in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split_command(text).is_err(), "{text}");
        }
    }
}
