use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

#[test]
fn dollars_are_doubled_in_values_only() {
    let value = |text| to_yaml(&[Value::from(text)]).unwrap();
    assert_eq!(value("pa$$word"), "- \"pa$$$$word\"\n");
    assert_eq!(value("${HOME}"), "- \"$${HOME}\"\n");
    assert_eq!(scalar("a$b").unwrap(), "\"a$$b\"");
    assert_eq!(key("a$b").unwrap(), "\"a$b\"");
}

#[test]
fn only_words_stay_bare() {
    for bare in ["decky-01", "SRV-FILES-01", "decky-01.ssh", "yes-1", "fleet-1e9", "a/b", "/run/x"] {
        assert_eq!(key(bare).unwrap(), bare);
    }
    for quoted in ["yes", "No", "ON", "y", "null", "NaN", "1.0", "22:22", "~", "a:", "a b", "0x1", ""] {
        assert_eq!(key(quoted).unwrap(), format!("\"{quoted}\""));
    }
    assert_eq!(key("a\"b\nc\u{85}").unwrap(), r#""a\"b\nc\N""#);
}

/// What readers of YAML 1.1 or 1.2 take for something else than the text that it is.
#[rustfmt::skip]
const ODD: &[&str] = &[
    "", " ", "  a", "a  ", "\t", "~", "null", "Null", "NULL", "y", "Y", "n", "N", "yes", "Yes", "YES", "no",
    "No", "on", "On", "off", "OFF", "true", "TRUE", "false", "False", "22:22", "1:0", "80:80", "12:30:45",
    "190:20:30", "-1:30", "1:30.5", "10:11:22:33:44:55", "00:11:22:33:44:55", "00:1b:21:00:00:00",
    "65534:65534", "0:0", "0", "00", "007", "0o7", "0x1F", "0b101", "1_000", "_1", "1e3", "1E+3", "1.",
    ".5", "3.10", "+.inf", "-.INF", ".nan", ".NaN", "nan", "inf", "2026-11-22", "2026-1-2",
    "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5", "<<", "=", "-", "- a", "--", "---",
    "--- a", "...", "?", "? a", ":", ": a", "a: b", "a:", "a :b", "a #b", "#a", "!a", "!!str a", "&a", "*a",
    "|", ">", "|-", "%YAML 1.1", "@a", "`a", "'", "\"", "'a'", "\"a\"", "a'b\"c", "[a]", "{a: b}", "[", "]",
    "{", "}", ",", "a,b", "a, b", "\\", "\\n", "a\\", "a\nb", "\na", "a\n", "a\n\nb\n", "a\rb", "a\r\nb",
    "\0", "\u{7}", "\u{1b}[31m", "\u{7f}", "\u{85}", "a\u{85}b", "\u{a0}", "\u{2028}", "\u{2029}",
    "\u{feff}", "a\u{feff}", "\u{fffe}", "\u{ffff}", "\u{e000}", "\u{e000}\u{e001}", "\u{1f4a9}", "é", "$",
    "$$", "$HOME", "${HOME}", "pa$$word", "$${x}", "decky-01", "decky-01..guard", "service:decky-01",
];

/// Texts of every kind, the same in every run.
fn texts() -> Vec<String> {
    let strategy = prop_oneof![
        any::<String>(),
        "[0-9:._+eExXob-]{1,14}",
        "[a-zA-Z~=<>!&*.|?-]{1,6}",
        "[ \t\n\r\u{85}\u{2028}a#:,\\[\\]{}'\"\\\\-]{0,12}",
        "[\u{0}-\u{a0}]{0,8}",
    ];
    let mut runner = TestRunner::deterministic();
    let drawn = (0..3000).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    ODD.iter().map(|text| (*text).to_owned()).chain(drawn).collect()
}

/// A text in every position in which this crate writes text.
fn document(text: &str) -> String {
    let value = Value::from(text);
    let by_serde = to_yaml(&BTreeMap::from([("serde block", &value)])).unwrap();
    let line =
        to_yaml(&BTreeMap::from([("serde line", serde_saphyr::FlowSeq(vec![&value, &value]))])).unwrap();
    let keys = to_yaml(&BTreeMap::from([("serde key", BTreeMap::from([(Key(text), 1)]))])).unwrap();
    let (scalar, key) = (scalar(text).unwrap(), key(text).unwrap());
    format!("{by_serde}{line}{keys}block: {scalar}\nline: [{scalar}, {scalar}]\nkey:\n  {key}: 1\n")
}

/// What [`document`] must read back as.
fn expected(text: &str) -> serde_json::Value {
    let value = text.replace('$', "$$");
    serde_json::json!({
        "serde block": value, "serde line": [value, value], "serde key": {text: 1},
        "block": value, "line": [value, value], "key": {text: 1},
    })
}

proptest! {
    /// YAML 1.2, read by the library's own reader.
    #[test]
    fn any_text_reads_back(text in any::<String>()) {
        let read: serde_json::Value = serde_saphyr::from_str(&document(&text)).unwrap();
        prop_assert_eq!(read, expected(&text));
    }
}

#[test]
fn odd_texts_read_back() {
    for text in texts() {
        let document = document(&text);
        let read: serde_json::Value = serde_saphyr::from_str(&document)
            .unwrap_or_else(|error| panic!("{text:?} was written as\n{document}\n{error}"));
        assert_eq!(read, expected(&text), "{text:?} was written as\n{document}");
    }
}

/// Reads documents from a JSON list of strings and prints what each holds.
const READER: &str = "
import json, sys, yaml
documents = json.load(sys.stdin)
def read(text):
    try:
        return yaml.safe_load(text)
    except Exception as error:
        return str(error)
json.dump([read(text) for text in documents], sys.stdout, default=repr)
";

/// YAML 1.1, read by PyYAML, which is what docker-compose 1 reads with.
#[test]
fn odd_texts_read_back_under_yaml_1_1() {
    #[allow(clippy::disallowed_methods, reason = "the reference reader is a program")]
    let python = |code: &str| {
        let mut command = std::process::Command::new("python3");
        command.args(["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    };
    if !python("import yaml").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let required = std::env::var("DECNET_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "python3 with PyYAML is missing; install python3-yaml");
        // Past the harness, which keeps what a passing test prints to itself.
        let message = "skipped: python3 with PyYAML is missing; install python3-yaml\n";
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        return;
    }
    let texts = texts();
    let documents: Vec<String> = texts.iter().map(|text| document(text)).collect();
    let mut child = python(READER).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&serde_json::to_vec(&documents).unwrap()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let read: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.len(), texts.len());
    for ((text, document), read) in texts.iter().zip(&documents).zip(read) {
        assert_eq!(read, expected(text), "{text:?} was written as\n{document}");
    }
}
