//! What a request does to the engine, and what no request may do.

use std::sync::Arc;

use decnet_core::identity::OsFamily;
use proptest::prelude::*;

use super::*;
use crate::testing;

fn made(seed: u64) -> (Shared, State) {
    let identity = testing::identity(OsFamily::Windows, seed, &[("mssql", "mssql", "15.0.4375.4", "")]);
    let host = testing::host(testing::decky(identity, seed, &[("mssql", &[("users", "sa:x")])]));
    let persona = Arc::new(Persona::new(&host).unwrap());
    let state = State::new(&host, &persona);
    (Shared { host, persona }, state)
}

fn run(shared: &Shared, state: &mut State, text: &str) -> Answer {
    let mut client = Client { sysadmin: true, ..Client::default() };
    client.session.user = "sa".to_owned();
    client.session.database = "master".to_owned();
    client.session.path = vec!["dbo".to_owned()];
    let mut run = Run::new(shared, state, &mut client, TdsVersion::V7_4);
    run.batch(text);
    run.answer()
}

#[test]
fn deep_and_endless_texts_end() {
    let (shared, mut state) = made(1);
    let texts = [
        "if 1=1 ".repeat(20_000) + "select 1",
        "begin ".repeat(20_000),
        "while 1=1 print 'x'".to_owned(),
        "create procedure p as exec p".to_owned(),
        "exec p".to_owned(),
        "declare @x varchar(max) = 'exec (@x)'; exec (@x)".to_owned(),
        "exec xp_cmdshell 'cmd /c cmd /c cmd /c cmd /c whoami'".to_owned(),
    ];
    for text in texts {
        let _ = run(&shared, &mut state, &text);
    }
}

#[test]
fn no_two_deckies_share_a_login_or_a_hash() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=20 {
        let (_, state) = made(seed);
        for login in state.facts.logins.iter().filter(|login| login.sid.len() > 2) {
            assert!(seen.insert(login.sid.clone()), "{}", login.name);
        }
        assert!(seen.insert(state.facts.jobs[0].id.clone().into_bytes()));
    }
}

#[test]
fn logins_that_are_added_are_bounded() {
    let (shared, mut state) = made(1);
    for number in 0..MOST_LOGINS + 50 {
        run(&shared, &mut state, &format!("create login l{number} with password = 'x'"));
    }
    assert_eq!(state.facts.logins.len(), MOST_LOGINS);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_words_break_it(words in prop::collection::vec(prop::sample::select(vec![
        "select", "1", "'a'", "from", "sys.databases", "if", "begin", "end", "else", "while", "1=0", "exec", "sp_configure",
        "xp_cmdshell", "'dir'", ",", ";", "(", ")", "@x", "=", "declare", "int", "set", "print", "try", "catch", "use",
        "master", "create", "login", "procedure", "as", "drop", "table", "insert", "into", "values", "go", "throw",
        "raiserror", "alter", "server", "role", "add", "member", "openrowset", "bulk", "at", "case", "when", "then",
    ]), 0..30)) {
        let (shared, mut state) = made(1);
        let _ = run(&shared, &mut state, &words.join(" "));
    }

    #[test]
    fn no_command_breaks_the_prompt(line in "[a-z %&|<>^\"\\\\:./-]{0,80}") {
        let (_, mut state) = made(1);
        let _ = state.shell.run(&line, 0);
        for name in ["dir", "type", "cd", "echo", "net", "find"] {
            let _ = state.shell.run(&format!("{name} {line} | {line} > C:\\Temp\\x"), 0);
        }
    }
}
