//! Packet personas of the user's own: `[general] personas = DIRECTORY`, one file `SLUG.toml` each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use decnet_core::diagnostic::{Origin, Source};
use decnet_core::request::Text;
use decnet_core::{Catalogue, Diagnostic, Request};
use decnet_fingerprint::{Facts, FactsError};

use crate::commands::catalogue_of_all;

/// Personas that are read of one directory.
const MOST: usize = 1000;
/// Octets of a file that is read. The program's own have less than 2,000.
const LARGEST: u64 = 1 << 16;

/// The catalogue of everything that is linked in, and of what the request's own directory holds.
pub(crate) fn catalogue(
    request: &Request,
    config: Option<&Path>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Catalogue {
    let mut catalogue = catalogue_of_all();
    let Some(text) = &request.general.personas else { return catalogue };
    let directory = match (&text.origin, config.and_then(Path::parent)) {
        // As all paths of a config: relative to it.
        (Origin::File { .. }, Some(folder)) => folder.join(text.value.trim()),
        _ => PathBuf::from(text.value.trim()),
    };
    match files(&directory) {
        Ok(files) if files.is_empty() => {
            let message = format!("`{}` holds no packet persona", text.value);
            diagnostics.push(
                Diagnostic::warning("persona.directory", text.origin.clone(), message)
                    .help("a persona is a file NAME.toml in it"),
            );
        }
        Ok(files) => {
            for file in files {
                if let Err(diagnostic) = add(&mut catalogue, &file, text) {
                    diagnostics.push(*diagnostic);
                }
            }
        }
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", text.value);
            diagnostics.push(
                Diagnostic::error("persona.directory", text.origin.clone(), message)
                    .help("name a directory of files SLUG.toml, relative to the config"),
            );
        }
    }
    catalogue
}

/// The persona files of a directory, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let in_words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such directory".to_owned(),
        std::io::ErrorKind::NotADirectory => "it is no directory".to_owned(),
        _ => error.to_string(),
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(in_words)? {
        let path = entry.map_err(in_words)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > MOST {
            return Err(format!("it holds more than {MOST} files"));
        }
    }
    files.sort();
    Ok(files)
}

fn add(catalogue: &mut Catalogue, path: &Path, directory: &Text) -> Result<(), Box<Diagnostic>> {
    let name = path.display().to_string();
    let wrong = |origin: Origin, message: String| {
        Box::new(
            Diagnostic::error("persona.file", origin, message)
                .related(directory.origin.clone(), "where its directory is named"),
        )
    };
    let text = read(path).map_err(|why| wrong(directory.origin.clone(), format!("`{name}` {why}")))?;
    let slug = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let source = Source::new(name, text);
    let at = |place: Option<std::ops::Range<usize>>| Origin::file(&source, place.unwrap_or(0..0));
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if slug.is_empty() || !slug.chars().all(letters) {
        let message = format!("`{slug}` is no name of a persona; it is small letters, digits, `-` and `.`");
        return Err(wrong(at(None), message));
    }
    let facts = Facts::parse(&source.text).map_err(|error| {
        let place = match &error {
            FactsError::Form { place, .. } => place.clone(),
            _ => None,
        };
        let message = error.to_string().replace('\n', "; ");
        wrong(at(place), message)
    })?;
    if catalogue.persona(&slug).is_some() || slug.parse::<decnet_core::identity::OsFamily>().is_ok() {
        return Err(wrong(at(None), format!("there is a persona or family `{slug}` already")));
    }
    let Some(like) = &facts.like else {
        let mut diagnostic = wrong(at(None), format!("`{slug}` does not say what it is like"));
        *diagnostic = diagnostic.help("write `like = \"linux-5\"`, or another persona of `nmap_os`");
        return Err(diagnostic);
    };
    let Some(known) = catalogue.persona(like).filter(|persona| persona.facts.is_none()) else {
        let place = find(&source, like);
        let message = format!("`{like}` is no persona of the program");
        return Err(wrong(at(place), message));
    };
    catalogue.add_persona(&slug, known, source.text.clone());
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if length > LARGEST {
        return Err(format!("has {length} bytes; a persona has at most {LARGEST}"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

/// Where a word stands in a file.
fn find(source: &Arc<Source>, word: &str) -> Option<std::ops::Range<usize>> {
    source.text.find(word).map(|at| at..at + word.len())
}

#[cfg(test)]
mod tests {
    use decnet_core::diagnostic::Spanned;

    use super::*;

    const LINUX: &str = include_str!("../../decnet-fingerprint/data/personas/linux-5.toml");

    /// The catalogue, and what is told, of a directory with these files.
    fn with(files: &[(&str, &str)]) -> (Catalogue, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("own")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join("own").join(name), text).unwrap();
        }
        let config = folder.path().join("fleet.ini");
        let source = Source::new("fleet.ini", "personas = own");
        let mut request = Request::default();
        request.general.personas = Some(Spanned::new("own".to_owned(), Origin::file(&source, 11..14)));
        let mut diagnostics = Vec::new();
        let catalogue = catalogue(&request, Some(&config), &mut diagnostics);
        let prefix = format!("{}/", folder.path().display());
        (catalogue, diagnostics.iter().map(|one| one.to_string().replace(&prefix, "")).collect())
    }

    #[test]
    fn a_persona_of_ones_own_is_found_by_its_file_name() {
        let text = format!("like = \"embedded-linux\"\n{LINUX}");
        let (catalogue, told) = with(&[("camera-9.toml", text.as_str()), ("notes.txt", "no persona")]);
        assert_eq!(told, Vec::<String>::new());
        let camera = catalogue.persona("camera-9").unwrap();
        assert_eq!(camera.family, decnet_core::identity::OsFamily::Embedded);
        assert_eq!(camera.facts.as_deref(), Some(text.as_str()));
        assert!(catalogue.persona("linux-5").unwrap().facts.is_none());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let own = |line: &str, from: &str, to: &str| format!("{line}\n{LINUX}").replace(from, to);
        for (name, text, says) in [
            ("a.toml", own("", "", ""), "`a` does not say what it is like"),
            ("a.toml", own("like = \"beos\"", "", ""), "own/a.toml:1:9: error: `beos` is no persona"),
            ("a.toml", own("like = \"linux-5\"", "ttl = 64\ntcp", "ttl = 640\ntcp"), "own/a.toml:3:7: error"),
            ("a.toml", own("like = \"linux-5\"", "window-scale = 7", "window-scale = 70"), "it is 0 to 14"),
            ("a.toml", own("like = \"linux-5\"", "ecn = true\n", ""), "missing field `ecn`"),
            ("a.toml", own("like = \"linux-5\"", "MST(NW)", "MSTW"), "W stands in brackets"),
            ("linux-5.toml", own("like = \"linux-5\"", "", ""), "there is a persona or family `linux-5`"),
            ("bsd.toml", own("like = \"linux-5\"", "", ""), "there is a persona or family `bsd`"),
            ("My Printer.toml", own("like = \"brother\"", "", ""), "`My Printer` is no name of a persona"),
        ] {
            let (_, told) = with(&[(name, &text)]);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(says) && told[0].contains("[persona.file]"), "{says}: {}", told[0]);
        }
        let (_, told) = with(&[]);
        assert!(told[0].contains("fleet.ini:1:12: warning: `own` holds no packet persona"), "{told:?}");
        let (_, told) = with(&[("big.toml", &"#".repeat(LARGEST as usize + 1))]);
        assert!(told[0].contains("a persona has at most 65536"), "{told:?}");
    }

    #[test]
    fn the_program_has_facts_of_every_persona_in_the_catalogue() {
        let named: Vec<&str> = catalogue_of_all().personas().map(|one| one.slug.as_str()).collect();
        for slug in &named {
            assert!(decnet_fingerprint::builtin(slug).is_some(), "{slug}");
        }
        assert_eq!(decnet_fingerprint::BUILTIN.len(), named.len());
    }
}
