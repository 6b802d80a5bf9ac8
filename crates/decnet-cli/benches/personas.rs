//! How often `nmap -O` names the system of every persona exactly, at its first try: the table of README.
//!
//! `cargo bench -p decnet-cli --bench personas` scans each ten times; `-- 3` three times.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

#[path = "../tests/lab_support/mod.rs"]
mod lab_support;

use std::collections::BTreeMap;

use lab_support::TestLab;
use lab_support::personas::{WORDS, config, is_exact, scan};

const RUNS: usize = 10;

fn main() {
    // `cargo test --benches` asks for a list; there is nothing to assert here.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let runs = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(RUNS);
    let Some(lab) = TestLab::build(&[("nmap", "nmap")]) else { return };
    let plan = lab.deploy_config(&config()).plan;
    let mut exact: BTreeMap<&str, usize> = BTreeMap::new();
    let mut other: Vec<(usize, String, String)> = Vec::new();
    for run in 0..runs {
        for (slug, said) in scan(&lab, &plan) {
            let Some((slug, _)) = WORDS.iter().find(|(its, _)| *its == slug) else { continue };
            if is_exact(slug, &said) {
                *exact.entry(slug).or_default() += 1;
            } else {
                other.push((run, (*slug).to_owned(), said));
            }
        }
    }
    println!("| `nmap_os` | `nmap -O` says | exact at the first try |\n| --- | --- | --- |");
    for (slug, words) in WORDS {
        println!("| `{slug}` | {words} | {} of {runs} |", exact.get(slug).copied().unwrap_or_default());
    }
    for (run, slug, said) in other {
        println!("run {run}: {slug}: {said}");
    }
}
