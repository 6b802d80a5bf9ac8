//! Config files: what each text means, and what is said about each that is wrong.

use std::fmt::Write;
use std::path::Path;

use decnet_core::diagnostic::{Diagnostic, Origin, Source, has_errors};
use decnet_core::request::{Format, Request, read};
use proptest::prelude::*;

/// `line:column level code: message`, then its further places and its help.
fn render(diagnostics: &[Diagnostic]) -> String {
    let place = |origin: &Origin| match origin {
        Origin::File { source, range } => {
            let (line, column) = source.position(range.start);
            format!("{line}:{column} `{}`", source.text[range.clone()].escape_debug())
        }
        other => other.to_string(),
    };
    let mut text = String::new();
    for found in diagnostics {
        let (level, code, message) = (found.level, found.code, &found.message);
        let _ = writeln!(text, "{} {level} {code}: {message}", place(&found.origin));
        for related in &found.related {
            let _ = writeln!(text, "  {}: {}", related.label, place(&related.origin));
        }
        if let Some(help) = &found.help {
            let _ = writeln!(text, "  help: {help}");
        }
    }
    text
}

fn parse(text: &str, format: Format) -> (Request, Vec<Diagnostic>) {
    read(&Source::new("fleet", text), format)
}

/// Reads INI and compares what is said about it.
#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(render(&parse(text, Format::Ini).1), expected, "{text:?}");
}

/// Reads TOML and compares what is said about it.
#[track_caller]
fn check_toml(text: &str, expected: &str) {
    assert_eq!(render(&parse(text, Format::Toml).1), expected, "{text:?}");
}

/// Every value of a request, without places: `section key = value`.
fn values(request: &Request) -> String {
    let mut text = String::new();
    let mut line = |section: &str, key: &str, value: &Option<decnet_core::request::Text>| {
        if let Some(value) = value {
            let _ = writeln!(text, "[{section}] {key} = {:?}", value.value);
        }
    };
    let general = &request.general;
    line("general", "net", &general.net);
    line("general", "gw", &general.gw);
    line("general", "interface", &general.interface);
    line("general", "log_target", &general.log_target);
    line("general", "log_file", &general.log_file);
    line("general", "log_rotate_size", &general.log_rotate_size);
    line("general", "log_rotate_age", &general.log_rotate_age);
    line("general", "log_rotate_keep", &general.log_rotate_keep);
    line("general", "engine", &general.engine);
    line("general", "seed", &general.seed);
    line("general", "domain", &general.domain);
    line("general", "ipvlan", &general.ipvlan);
    for group in &request.groups {
        let name = group.name.as_str();
        line(name, "(section)", &Some(group.name.clone()));
        line(name, "ip", &group.ip);
        line(name, "services", &group.services);
        line(name, "archetype", &group.archetype);
        line(name, "nmap_os", &group.nmap_os);
        line(name, "amount", &group.amount);
        line(name, "distro", &group.distro);
        line(name, "randomize_distros", &group.randomize_distros);
        line(name, "hostname", &group.hostname);
        line(name, "mac", &group.mac);
        line(name, "randomize_services", &group.randomize_services);
    }
    for persona in &request.personas {
        let name = format!("{}.{}", persona.owner.value, persona.service.value);
        line(&name, "(section)", &Some(persona.service.clone()));
        for (key, value) in &persona.entries {
            line(&name, key.as_str(), &Some(value.clone()));
        }
    }
    for custom in &request.customs {
        let name = custom.slug.as_str();
        line(name, "(custom)", &Some(custom.slug.clone()));
        line(name, "binary", &custom.binary);
        line(name, "exec", &custom.exec);
        line(name, "ports", &custom.ports);
    }
    text
}

/// Reads INI without a finding and compares its values.
#[track_caller]
fn check_values(text: &str, expected: &str) {
    let (request, diagnostics) = parse(text, Format::Ini);
    assert_eq!(render(&diagnostics), "", "{text:?}");
    assert_eq!(values(&request), expected, "{text:?}");
}

/// The rows of the table in which rust-ini was measured, and what is made of each here.
#[test]
fn what_rust_ini_alone_gets_wrong() {
    check_values("[general]\nnet = 192.168.1.0/24   # subnet CIDR\n", "[general] net = \"192.168.1.0/24\"\n");
    for (written, value) in [
        ("Linux foo #91-Ubuntu SMP", "Linux foo #91-Ubuntu SMP"),
        ("PHP/8#beta", "PHP/8#beta"),
        ("\"a # b\"", "a # b"),
        ("'a ; b'", "a ; b"),
        (r"C:\Windows", r"C:\Windows"),
        (r"C:\Windows\", r"C:\Windows\"),
        (r#""C:\Windows\""#, r"C:\Windows\"),
        ("root:toor,admin:x", "root:toor,admin:x"),
        ("100%d $HOME", "100%d $HOME"),
        ("a = b = c", "a = b = c"),
        ("\"  kept  \"", "  kept  "),
        ("", ""),
        ("\"\"", ""),
        ("#x", "#x"),
        ("x  # gone", "x"),
        ("x #", "x"),
        ("\"x\" # gone", "x"),
        ("sh -c \"a # b\" # gone", "sh -c \"a # b\""),
        ("{\"a\": \"b # c\"}", "{\"a\": \"b # c\"}"),
        ("Don't # it isn't", "Don't"),
    ] {
        let (request, diagnostics) = parse(&format!("[a.b]\nk = {written}\nj = 1\n"), Format::Ini);
        assert_eq!(render(&diagnostics), "", "{written:?}");
        let entries = &request.personas[0].entries;
        assert_eq!((entries[0].1.as_str(), entries[1].1.as_str()), (value, "1"), "{written:?}");
    }
    check(
        "[custom-a]\nexec = /usr/bin/myapp -p 9999 ; x\n",
        "2:31 `; x` warning config.comment-in-value: `; x` was taken as a comment and is not part of `exec`\n  \
         help: quote the whole value to keep it, or write `#` before a comment\n",
    );
    check_values("[a] # tail\n[b];tail\n", "[a] (section) = \"a\"\n[b] (section) = \"b\"\n");
    check_values(
        "[a]\nip = 1\n  # indented comment\n  mac = 2\n",
        "[a] (section) = \"a\"\n[a] ip = \"1\"\n[a] mac = \"2\"\n",
    );
    check(
        "[a]\nnovalue\nip = 2\n",
        "2:1 `novalue` error config.text-without-equals: `novalue` has no `=`\n  \
         help: write `key = value`, or `#` before a comment\n",
    );
    check(
        "[a]\nip = v\n  cont",
        "3:3 `cont` error config.text-without-equals: `cont` has no `=`\n  \
         help: a value ends with its line; write it all behind its key\n",
    );
    check(
        "[general\nnet = 1\n",
        "1:1 `[general` error config.unclosed-section: `[general` has no closing bracket\n  \
         help: write `[general]`\n",
    );
    check_values("\u{feff}[general]\r\nnet = 1\r\n", "[general] net = \"1\"\n");
    check(
        "\u{feff}[a]\r\nwhat\r\n",
        "2:1 `what` error config.text-without-equals: `what` has no `=`\n  \
         help: write `key = value`, or `#` before a comment\n",
    );
    check(
        "[a]\nip = 1\n[b]\n[a]\nip = 2\n",
        "4:1 `[a]` error config.duplicate-section: section `[a]` stands here a second time\n  \
         first here: 1:1 `[a]`\n  \
         help: put all its keys into one section, or give this one another name\n",
    );
    check(
        "[a]\nnmap-os = linux\nnmap_os = bsd\n",
        "3:1 `nmap_os` error config.duplicate-key: `nmap_os` stands here a second time\n  \
         first here: 2:1 `nmap-os`\n  \
         help: remove one of them\n",
    );
    check_values("[a]\nnmap-os = linux\n", "[a] (section) = \"a\"\n[a] nmap_os = \"linux\"\n");
    check(
        "[a.ssh]\nroot:pw = 3 # x\n",
        "2:1 `root:pw` error config.colon-in-key: `root:pw` is no key\n  \
         help: only `=` separates a key from its value: `root = pw = 3`\n",
    );
}

#[test]
fn lines_of_ini_that_are_none() {
    check(
        "[a]\nservices: ssh\nservices ssh # a = b\n = 3\n",
        "2:1 `services: ssh` error config.text-without-equals: `services: ssh` has no `=`\n  \
         help: only `=` separates a key from its value: `services = ssh`\n\
         3:1 `services ssh` error config.text-without-equals: `services ssh` has no `=`\n  \
         help: write `key = value`, or `#` before a comment\n\
         4:2 `=` error config.empty-key: no key stands before the `=`\n  \
         help: write `key = value`\n",
    );
    check(
        "net = 1\n[general] net = 2\n",
        "1:1 `net` error config.key-outside-section: `net` stands in no section\n  \
         help: put a section header such as `[general]` above it\n\
         2:11 `net = 2` error config.text-after-section: `net = 2` stands behind the section header\n  \
         help: put it on a line of its own, or `#` before a comment\n",
    );
    check(
        "[a.b]\nx = \"open\ny = 'tis\nz = \"a\" b\nw = \"a\\\"b\"\n",
        "2:5 `\\\"open` error config.unclosed-quote: `\"open` has no closing quote\n  \
         help: close it on the same line; a value that begins with a quote itself goes in the other kind of quotes\n\
         3:5 `\\'tis` error config.unclosed-quote: `'tis` has no closing quote\n  \
         help: close it on the same line; a value that begins with a quote itself goes in the other kind of quotes\n\
         4:9 `b` error config.text-after-quote: `b` stands behind the closing quote\n  \
         help: quote the whole value, in the other kind of quotes if it holds this one; `\\` escapes nothing\n\
         5:9 `b\\\"` error config.text-after-quote: `b\"` stands behind the closing quote\n  \
         help: quote the whole value, in the other kind of quotes if it holds this one; `\\` escapes nothing\n",
    );
    check(
        "[a]\nip = 1\u{1}\nmac\r= 2\n",
        "2:7 `\\u{1}` error config.control-character: the line holds the control character U+0001\n  \
         help: remove it; an INI file has one entry on a line and no control characters\n\
         3:4 `\\r` error config.control-character: the line holds the control character U+000D\n  \
         help: remove it; an INI file has one entry on a line and no control characters\n",
    );
}

#[test]
fn keys_that_are_not_there() {
    for (section, key, help) in [
        ("a", "namp_os", "did you mean `nmap_os`?"),
        ("a", "Services", "did you mean `services`?"),
        ("a", "os", "did you mean `nmap_os`?"),
        ("a", "net", "`net` belongs in `[general]`"),
        ("a", "binary", "`binary` belongs in a section `[custom-SLUG]`"),
        ("a", "ssh.users", "persona values stand in a section of their own: `[a.ssh]` with `users`"),
        (
            "a",
            "colour",
            "`[a]` has the keys ip, services, archetype, nmap_os, amount, distro, randomize_distros, hostname, \
             mac, randomize_services",
        ),
        ("general", "subnet", "did you mean `net`?"),
        ("general", "gateway", "did you mean `gw`?"),
        ("general", "log-targt", "did you mean `log_target`?"),
        ("general", "services", "`services` belongs in the section of a decky or group"),
        ("custom-x", "image", "did you mean `binary`?"),
        ("custom-x", "colour", "`[custom-x]` has the keys binary, exec, ports"),
    ] {
        check(
            &format!("[{section}]\n{key} = 1\n"),
            &format!(
                "2:1 `{key}` error config.unknown-key: unknown key `{key}` in `[{section}]`\n  help: {help}\n"
            ),
        );
    }
    check_values("[a.ssh]\nanything = 1\n", "[a.ssh] (section) = \"ssh\"\n[a.ssh] anything = \"1\"\n");
}

#[test]
fn sections_that_are_not_there() {
    const KINDS: &str = "there are `[general]`, `[NAME]`, `[NAME.SERVICE]` and `[custom-SLUG]`";
    const SUBSECTION: &str = "write `[NAME.SERVICE]`: a decky or group, a dot, a service";
    const ONLY_DECKIES: &str = "only a decky or group has: `[NAME.SERVICE]`";
    let long = "a".repeat(49);
    for (name, key, code, message, help) in [
        ("", "", "empty-section-name", "the section has no name".to_owned(), KINDS),
        (
            "custom-",
            "",
            "empty-section-name",
            "`[custom-]` names no service".to_owned(),
            "write the service's slug behind the dash: `[custom-myapp]`",
        ),
        (".ssh", "", "empty-section-name", "`[.ssh]` names no decky before the dot".to_owned(), SUBSECTION),
        ("web.", "", "empty-section-name", "`[web.]` names no service behind the dot".to_owned(), SUBSECTION),
        (
            "a.b.ssh",
            "",
            "unknown-section",
            "`a.b` in `[a.b.ssh]` holds `.`; a name is letters, digits, `-` and `_`".to_owned(),
            KINDS,
        ),
        (
            "General",
            "",
            "unknown-section",
            "unknown section `[General]`".to_owned(),
            "did you mean `[general]`?",
        ),
        (
            "genral",
            "net",
            "unknown-section",
            "unknown section `[genral]`".to_owned(),
            "did you mean `[general]`?",
        ),
        (
            "custom_app",
            "binary",
            "unknown-section",
            "unknown section `[custom_app]`".to_owned(),
            "did you mean `[custom-app]`?",
        ),
        (
            "custom.app",
            "binary",
            "unknown-section",
            "unknown section `[custom.app]`".to_owned(),
            "did you mean `[custom-app]`?",
        ),
        (
            "general.ssh",
            "",
            "unknown-section",
            "`[general]` has no subsections, so there is no `[general.ssh]`".to_owned(),
            ONLY_DECKIES,
        ),
        (
            "custom-x.ssh",
            "",
            "unknown-section",
            "`[custom-x]` has no subsections, so there is no `[custom-x.ssh]`".to_owned(),
            ONLY_DECKIES,
        ),
        (
            "my decky",
            "",
            "unknown-section",
            "the section name `my decky` holds ` `; a name is letters, digits, `-` and `_`".to_owned(),
            KINDS,
        ),
        (
            "-a",
            "",
            "unknown-section",
            "the section name `-a` starts with neither a letter nor a digit".to_owned(),
            KINDS,
        ),
        (
            "custom-a/b",
            "",
            "unknown-section",
            "the slug `a/b` holds `/`; a name is letters, digits, `-` and `_`".to_owned(),
            KINDS,
        ),
        (
            &long,
            "",
            "unknown-section",
            format!("the section name `{long}` is longer than 48 characters"),
            KINDS,
        ),
    ] {
        let entry = if key.is_empty() { String::new() } else { format!("{key} = 1\n") };
        let expected = format!("1:1 `[{name}]` error config.{code}: {message}\n  help: {help}\n");
        check(&format!("[{name}]\n{entry}"), &expected);
        let toml = if key.is_empty() { String::new() } else { format!("{key} = \"1\"\n") };
        let quoted = expected.replacen(&format!("`[{name}]`"), &format!("`[\\\"{name}\\\"]`"), 1);
        check_toml(&format!("[\"{name}\"]\n{toml}"), &quoted);
    }
    // Names that only look like those are deckies.
    for name in ["genral", "custom", "customer", "a-b_c", "9", &"a".repeat(48)] {
        check_values(&format!("[{name}]\n"), &format!("[{name}] (section) = {name:?}\n"));
    }
}

#[test]
fn empty_values() {
    check(
        "[a]\nip =\nservices = \"\"\n[custom-x]\nbinary = # later\nexec =\n[a.ssh]\nusers =\n",
        "2:1 `ip` error config.empty-value: `ip` has no value\n  \
         help: give it a value, or remove the key\n\
         3:1 `services` error config.empty-value: `services` has no value\n  \
         help: give it a value, or remove the key\n\
         5:1 `binary` error config.empty-value: `binary` has no value\n  \
         help: give it a value, or remove the key\n",
    );
    check_toml(
        "[a]\nservices = []\n[a.ssh]\nusers = []\n",
        "2:1 `services` error config.empty-value: `services` has no value\n  \
         help: give it a value, or remove the key\n",
    );
}

#[test]
fn toml_values_become_the_text_of_ini() {
    let (from_toml, diagnostics) = parse(
        r#"
            [general]
            net = "10.0.0.0/24"
            seed = 0x1F
            ipvlan = true
            [web]
            services = ["ssh", "http"]
            amount = 3
            randomize-distros = false
            [web.ssh]
            users = ["a:b", "c:d"]
            ssh_version = 9.10
            login_grace = 1_000
            [db]
            [db.mysql]
            [custom-x]
            binary = "x"
            exec = ["/bin/x", "a b", "it's", ""]
            ports = [9999, "9999/udp"]
        "#,
        Format::Toml,
    );
    assert_eq!(render(&diagnostics), "");
    let (from_ini, diagnostics) = parse(
        "[general]\nnet = 10.0.0.0/24\nseed = 31\nipvlan = true\n\
         [web]\nservices = ssh, http\namount = 3\nrandomize_distros = false\n\
         [web.ssh]\nusers = a:b, c:d\nssh_version = 9.10\nlogin_grace = 1000\n\
         [db]\n[db.mysql]\n\
         [custom-x]\nbinary = x\nexec = /bin/x 'a b' 'it'\\''s' ''\nports = 9999, 9999/udp\n",
        Format::Ini,
    );
    assert_eq!(render(&diagnostics), "");
    assert_eq!(values(&from_toml), values(&from_ini));
    assert!(values(&from_ini).contains("exec = \"/bin/x 'a b' 'it'\\\\''s' ''\""));
}

#[test]
fn toml_tables_in_other_clothes() {
    for text in [
        "[a]\nip = \"1\"\n[a.ssh]\nusers = \"x\"\n",
        "[a.ssh]\nusers = \"x\"\n[a]\nip = \"1\"\n",
        "a.ip = \"1\"\na.ssh.users = \"x\"\n",
        "a = { ip = \"1\", ssh = { users = \"x\" } }\n",
        "[a]\nip = \"1\"\nssh = { users = \"x\" }\n",
        "[a]\nip = \"1\"\n[\"a.ssh\"]\nusers = \"x\"\n",
        "\u{feff}[a]\r\nip = \"1\"\r\n[a.ssh]\r\nusers = \"x\"\r\n",
    ] {
        let (request, diagnostics) = parse(text, Format::Toml);
        assert_eq!(render(&diagnostics), "", "{text:?}");
        assert_eq!(
            values(&request),
            "[a] (section) = \"a\"\n[a] ip = \"1\"\n[a.ssh] (section) = \"ssh\"\n[a.ssh] users = \"x\"\n",
            "{text:?}"
        );
    }
    let (request, _) = parse("[a.ssh]\nusers = \"x\"\n", Format::Toml);
    assert!(request.groups.is_empty(), "a persona makes no decky");
}

#[test]
fn toml_of_the_wrong_shape() {
    check_toml(
        "net = \"x\"\n[general]\nnet = 3\ngw = 1979-05-27\n[a]\namount = 1.5\nip = true\nservices = { x = 1 }\n\
         [[many]]\n[b.ssh]\nx = { deep = 1 }\ny = [[1]]\nz = [\"a,b\"]\nw = inf\n",
        "1:1 `net` error config.key-outside-section: `net` stands in no section\n  \
         help: put a section header such as `[general]` above it\n\
         3:7 `3` error config.wrong-type: `3`, the value of `net`, is a whole number\n  \
         help: `net` takes text in quotes\n\
         4:6 `1979-05-27` error config.wrong-type: `1979-05-27`, the value of `gw`, is a date or time\n  \
         help: `gw` takes text in quotes\n\
         6:10 `1.5` error config.wrong-type: `1.5`, the value of `amount`, is a number with a fraction\n  \
         help: `amount` takes a whole number\n\
         7:6 `true` error config.wrong-type: `true`, the value of `ip`, is a boolean\n  \
         help: `ip` takes text in quotes\n\
         9:3 `many` error config.wrong-type: `[[many]]` is a list of sections\n  \
         help: write `[many]`; `amount` makes more of the same\n\
         11:5 `{ deep = 1 }` error config.wrong-type: `{ deep = 1 }`, the value of `x`, is a table\n  \
         help: `x` takes text, a number, true or false, or a list of them\n\
         12:5 `[[1]]` error config.wrong-type: `[[1]]`, the value of `y`, is a list of something else than texts, numbers and booleans\n  \
         help: `y` takes text, a number, true or false, or a list of them\n\
         13:5 `[\\\"a,b\\\"]` error config.comma-in-item: the item `a,b` of `z` holds a comma\n  \
         help: a comma separates items; give each an item of its own\n\
         14:5 `inf` error config.wrong-type: `inf`, the value of `w`, is no number\n  \
         help: `w` takes text, a number, true or false, or a list of them\n",
    );
    check_toml(
        "[a]\nip = 1234567890123456789012345678901234567890\n",
        "2:6 `1234567890123456789012345678901234567890` error config.wrong-type: \
         `1234567890123456789012345678901234567890`, the value of `ip`, is a number out of range\n  \
         help: `ip` takes text in quotes\n",
    );
}

#[test]
fn toml_that_is_none() {
    let help = "see https://toml.io for how values are written; text stands in quotes";
    check_toml(
        "[web\nip = \"x\"\n[db]\nip = \nservices = ssh\n[ok]\nip = \"x\"\nnope = \"x\"\n",
        &format!(
            "1:5 `` error config.toml-syntax: not TOML: unclosed table, expected `]`\n  help: {help}\n\
             4:6 `` error config.toml-syntax: not TOML: string values must be quoted, expected literal string\n  \
             help: {help}\n\
             5:12 `ssh` error config.toml-syntax: not TOML: string values must be quoted, expected literal string\n  \
             help: {help}\n\
             8:1 `nope` error config.unknown-key: unknown key `nope` in `[ok]`\n  \
             help: `[ok]` has the keys ip, services, archetype, nmap_os, amount, distro, randomize_distros, \
             hostname, mac, randomize_services\n"
        ),
    );
    check_toml(
        "[a]\nip = \"1\"\nip = \"2\"\n[b]\nip = \"3\"\n[a]\nmac = \"x\"\n",
        "3:1 `ip` error config.duplicate-key: `ip` stands here a second time\n  \
         first here: 2:1 `ip = \\\"1\\\"`\n  \
         help: remove one of them\n\
         6:2 `a` error config.duplicate-section: section `[a]` stands here a second time\n  \
         first here: 1:1 `[a]`\n  \
         help: put all its keys into one section\n",
    );
}

#[test]
fn values_know_their_place() {
    let text = "[web]\n  services = \"ssh, http\"  # both\n[web.ssh]\nmotd = hä ?\n";
    let (request, _) = parse(text, Format::Ini);
    let slice = |origin: &Origin| match origin {
        Origin::File { source, range } => source.text[range.clone()].to_owned(),
        other => other.to_string(),
    };
    let services = request.groups[0].services.as_ref().unwrap();
    assert_eq!(slice(&services.origin), "ssh, http");
    assert_eq!(services.origin.to_string(), "fleet:2:15");
    let persona = &request.personas[0];
    assert_eq!((slice(&persona.owner.origin), slice(&persona.service.origin)), ("web".into(), "ssh".into()));
    assert_eq!(persona.service.origin.to_string(), "fleet:3:6");
    let (key, value) = &persona.entries[0];
    assert_eq!((slice(&key.origin), slice(&value.origin)), ("motd".into(), "hä ?".into()));
}

#[test]
fn the_format_follows_the_name() {
    for (name, format) in [
        ("fleet.toml", Format::Toml),
        ("a/fleet.TOML", Format::Toml),
        ("fleet.ini", Format::Ini),
        ("fleet.conf", Format::Ini),
        ("toml", Format::Ini),
        ("", Format::Ini),
    ] {
        assert_eq!(Format::of_path(Path::new(name)), format, "{name}");
    }
}

/// Everything that a really bad file has to hear, as `decnet validate --output json` gives it.
#[test]
fn one_bad_file_hears_it_all() {
    let source = Source::new(
        "bad.ini",
        "orphan = 1\n\
         [general]\n\
         subnet = 198.51.100.0/24\n\
         gw =\n\
         [web\n\
         services = ssh, http\n\
         services = ftp\n\
         namp-os = linux\n\
         amount: 3\n\
         [web.ssh]\n\
         users = root:toor ; and more\n\
         motd = \"hello\n\
         [web.ssh]\n\
         [custom-]\n\
         [a.b.c]\n",
    );
    let (_, diagnostics) = read(&source, Format::Ini);
    insta::assert_snapshot!(serde_json::to_string_pretty(&diagnostics).unwrap());
}

fn fixture(name: &str) -> (String, Request) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    let text = std::fs::read_to_string(&path).expect("the fixture");
    let (request, diagnostics) = read(&Source::new(name, text.clone()), Format::of_path(&path));
    assert_eq!(render(&diagnostics), "", "{name}");
    (text, request)
}

#[test]
fn the_full_fleet_is_the_same_in_both_formats() {
    let (_, ini) = fixture("test-full.ini");
    let (_, toml) = fixture("test-full.toml");
    assert_eq!(values(&ini), values(&toml));
    assert_eq!(ini.groups.len(), 11, "ten deckies and a pool");
    assert_eq!(ini.groups[10].amount.as_ref().unwrap().value, "4");
}

/// The services of the sections and of their archetypes, as the tables of the contract give them.
#[test]
fn the_full_fleet_has_every_service_and_a_persona_for_each() {
    const ALL: [&str; 25] = [
        "conpot",
        "docker_api",
        "elasticsearch",
        "ftp",
        "http",
        "imap",
        "k8s",
        "ldap",
        "llmnr",
        "mongodb",
        "mqtt",
        "mssql",
        "mysql",
        "pop3",
        "postgres",
        "rdp",
        "redis",
        "sip",
        "smb",
        "smtp",
        "snmp",
        "ssh",
        "telnet",
        "tftp",
        "vnc",
    ];
    let of_archetype = |archetype: &str| match archetype {
        "domain-controller" => "ldap, smb, rdp, llmnr",
        "mail-server" => "smtp, pop3, imap",
        "devops-host" => "docker_api, ssh, k8s",
        "industrial-control" => "conpot, snmp",
        "iot-device" => "mqtt, snmp, telnet",
        other => panic!("{other} is not used without services"),
    };
    let (_, request) = fixture("test-full.ini");
    let mut seen = std::collections::BTreeSet::new();
    for group in &request.groups {
        let services = match (&group.services, &group.archetype) {
            (Some(services), _) => services.value.clone(),
            (None, Some(archetype)) => of_archetype(archetype.as_str()).to_owned(),
            (None, None) => panic!("{} has no services", group.name.value),
        };
        let services: Vec<&str> = services.split(", ").collect();
        for persona in request.personas.iter().filter(|persona| persona.owner.value == group.name.value) {
            assert!(services.contains(&persona.service.as_str()), "{}", persona.service.origin);
        }
        seen.extend(services.into_iter().map(str::to_owned));
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), ALL.iter().collect::<Vec<_>>());
    for slug in ALL {
        assert!(
            request.personas.iter().any(|persona| persona.service.value == slug),
            "no persona for {slug}"
        );
    }
    for persona in &request.personas {
        assert!(request.groups.iter().any(|group| group.name.value == persona.owner.value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_text_makes_reading_panic(text in any::<String>()) {
        for format in [Format::Ini, Format::Toml] {
            read(&Source::new("x", text.clone()), format);
        }
    }

    #[test]
    fn no_toml_makes_reading_panic(
        text in r#"([\[\]={}"',.# \t\na-c0-9]|\[a\]\n|\[a\.b\]\n|\[\[a\]\]\n|a = |"b"|\r\n|é){0,50}"#
    ) {
        let source = Source::new("x", text);
        let (_, diagnostics) = read(&source, Format::Toml);
        for found in &diagnostics {
            serde_json::to_value(found).unwrap();
        }
        prop_assert!(toml::from_str::<toml::Table>(&source.text).is_ok() || has_errors(&diagnostics));
    }

    #[test]
    fn any_value_survives_in_quotes(value in r#"[^"\p{Cc}]{0,30}"#) {
        let (request, diagnostics) = parse(&format!("[a.b]\nk = \"{value}\" # c\nj = 1\n"), Format::Ini);
        prop_assert_eq!(render(&diagnostics), "");
        prop_assert_eq!(request.personas[0].entries[0].1.as_str(), value);
        prop_assert_eq!(request.personas[0].entries[1].1.as_str(), "1");
    }
}
