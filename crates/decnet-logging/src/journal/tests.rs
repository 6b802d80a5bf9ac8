//! The journal's files: written, torn, tampered with, read.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::record::Hash;
use super::*;

const NOW: i64 = 1_795_000_000_000_000;

fn config(directory: &Path) -> JournalConfig {
    JournalConfig { segment_bytes: 2000, ..JournalConfig::new(directory) }
}

fn open(directory: &Path) -> (Journal, Vec<Repair>) {
    Journal::open(&config(directory), "lab", NOW).unwrap()
}

fn line(decky: &str, seq: u64) -> String {
    format!(
        r#"{{"schema":1,"ts":"x","seq":{seq},"fleet":"lab","decky":"{decky}","hostname":"SRV","service":"redis"}}"#
    )
}

/// Writes so many events, one batch each.
fn write(journal: &mut Journal, count: u64) {
    for _ in 0..count {
        assert!(journal.append(NOW, 1, |seq, out| {
            out.extend_from_slice(line("decky-01", seq).as_bytes());
            true
        }));
        journal.commit().unwrap();
    }
}

/// A journal of several segments, closed.
fn sample() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, repairs) = open(directory.path());
    assert_eq!(repairs, []);
    write(&mut journal, 40);
    journal.mark_taken();
    directory
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    segment::list(directory).unwrap().into_iter().map(|first| segment::path(directory, first)).collect()
}

fn numbers(directory: &Path, from: u64) -> Vec<u64> {
    let mut tail = Tail::new(directory, from);
    let mut found = Vec::new();
    while tail.advance().unwrap() {
        found.push(tail.record().unwrap().seq);
    }
    assert_eq!(tail.unreadable(), 0);
    found
}

/// The break that tampering leads to; it stays after the next collector's start, and that one goes on.
#[track_caller]
fn breaks(tamper: impl FnOnce(&Path)) -> (usize, u64, Damage) {
    let directory = sample();
    let directory = directory.path();
    tamper(directory);
    let found = || match verify(directory, None) {
        Err(VerifyError::Broken(found)) => found,
        other => panic!("{other:?}"),
    };
    let first = found();
    let index = segments(directory).iter().position(|path| *path == first.segment).unwrap();
    let before = fs::read(&first.segment).unwrap();
    {
        let (mut journal, _) = open(directory);
        write(&mut journal, 1);
    }
    assert_eq!(found(), first, "evidence is left where it is");
    assert_eq!(fs::read(&first.segment).unwrap()[..before.len()], before);
    (index, first.seq, first.damage)
}

fn edit(path: &Path, change: impl FnOnce(&mut String)) {
    let mut text = fs::read_to_string(path).unwrap();
    change(&mut text);
    fs::write(path, text).unwrap();
}

#[test]
fn what_was_written_is_read_and_verified() {
    let directory = sample();
    let directory = directory.path();
    let verified = verify(directory, None).unwrap();
    assert!(verified.segments > 2, "{verified:?}");
    assert_eq!((verified.records, verified.first, verified.last), (40, Some((1, NOW)), Some((40, NOW))));
    assert_eq!((verified.fleet.as_str(), verified.torn, verified.had), ("lab", 0, None));
    assert_eq!(numbers(directory, 0), (1..=40).collect::<Vec<u64>>());
    assert_eq!(numbers(directory, 33), (33..=40).collect::<Vec<u64>>());
    assert_eq!(numbers(directory, 41), [0; 0]);
    // A hash of the past is known again, another one is not.
    let text = fs::read_to_string(&segments(directory)[1]).unwrap();
    let hash: Hash = text.lines().nth(1).unwrap()[..64].parse().unwrap();
    assert_eq!(verify(directory, Some(hash)).unwrap().contains, Some(true));
    assert_eq!(verify(directory, Some(Hash::of(&hash, b""))).unwrap().contains, Some(false));
}

#[test]
fn numbers_and_chain_go_on_after_a_restart() {
    let directory = sample();
    for (count, fleet) in [(3, "lab"), (0, "lab"), (1, "other"), (0, "lab"), (1, "lab")] {
        let (mut journal, repairs) = Journal::open(&config(directory.path()), fleet, NOW).unwrap();
        assert_eq!(repairs, []);
        write(&mut journal, count);
    }
    let verified = verify(directory.path(), None).unwrap();
    assert_eq!((verified.records, verified.last), (45, Some((45, NOW))));
    assert_eq!(verified.fleet, "lab");
}

#[test]
fn a_torn_tail_is_cut_at_any_byte_and_told() {
    let directory = sample();
    let last = segments(directory.path()).pop().unwrap();
    let whole = fs::read(&last).unwrap();
    let lines: Vec<usize> =
        whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    let first_seq = *segment::list(directory.path()).unwrap().last().unwrap();
    for cut in (0..whole.len()).step_by(7) {
        fs::write(&last, &whole[..cut]).unwrap();
        let kept = lines.iter().filter(|end| **end <= cut).count();
        let verified = verify(directory.path(), None).unwrap();
        let torn = cut - lines[..kept].last().copied().unwrap_or(0);
        assert_eq!(verified.torn, torn as u64, "cut at {cut}");
        let (mut journal, repairs) = open(directory.path());
        assert_eq!(repairs.len(), usize::from(torn > 0), "cut at {cut}: {repairs:?}");
        assert_eq!(journal.last_seq() + 1, first_seq + kept.saturating_sub(1) as u64);
        write(&mut journal, 1);
        assert_eq!(verify(directory.path(), None).unwrap().torn, 0);
        for path in segments(directory.path()).iter().filter(|path| **path > last) {
            fs::remove_file(path).unwrap();
        }
    }
    // A machine that died: the length was on the disk, the bytes were not.
    fs::write(&last, [&whole[..], &[0; 5000]].concat()).unwrap();
    let (journal, repairs) = open(directory.path());
    assert!(matches!(repairs[..], [Repair::Cut { bytes: 5000, .. }]), "{repairs:?}");
    assert_eq!(journal.last_seq(), 40);
}

#[test]
fn every_kind_of_tampering_is_found_where_it_is() {
    let middle = |directory: &Path| segments(directory)[1].clone();
    let first = *segment::list(sample().path()).unwrap().get(1).unwrap();
    // A byte of an event.
    let changed =
        |directory: &Path| edit(&middle(directory), |text| *text = text.replacen("decky", "decoy", 1));
    assert_eq!(breaks(changed), (1, first, Damage::Hash));
    // A number, a time, a hash, the header.
    let seq = |directory: &Path| {
        edit(&middle(directory), |text| *text = text.replacen(&format!(" {first} "), " 99 ", 1));
    };
    assert_eq!(breaks(seq), (1, first, Damage::Hash));
    let fleet = |directory: &Path| edit(&middle(directory), |text| *text = text.replacen("lab", "bal", 1));
    assert_eq!(breaks(fleet), (1, first, Damage::Hash));
    // A line gone, a line twice, a line that is none.
    let without = |at: usize, directory: &Path| {
        edit(&middle(directory), |text| {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            *text = [&lines[..at], &lines[at + 1..]].concat().concat();
        });
    };
    assert_eq!(breaks(|directory| without(2, directory)), (1, first + 1, Damage::Hash));
    assert_eq!(breaks(|directory| without(0, directory)), (1, first, Damage::Unreadable));
    let garbage = |directory: &Path| edit(&middle(directory), |text| *text = text.replacen('\n', "\nx\n", 1));
    assert_eq!(breaks(garbage), (1, first, Damage::Unreadable));
    // The end of a segment that others follow: in a line, and at a line feed.
    let torn = |directory: &Path| edit(&middle(directory), |text| text.truncate(text.len() - 9));
    assert!(matches!(breaks(torn), (1, _, Damage::Torn)));
    let cut = |directory: &Path| {
        edit(&middle(directory), |text| text.truncate(text.trim_end().rfind('\n').unwrap() + 1));
    };
    assert!(matches!(breaks(cut), (2, _, Damage::Missing { .. })));
    // Whole segments: one taken out, two exchanged, one from somewhere else.
    let (second, third) = {
        let names = segment::list(sample().path()).unwrap();
        (names[1], names[2])
    };
    let removed = |directory: &Path| fs::remove_file(middle(directory)).unwrap();
    assert_eq!(breaks(removed), (1, third, Damage::Missing { expected: second, found: third }));
    let swapped = |directory: &Path| {
        let (one, two) = (middle(directory), segments(directory)[2].clone());
        let aside = directory.join("aside");
        fs::rename(&one, &aside).unwrap();
        fs::rename(&two, &one).unwrap();
        fs::rename(&aside, &two).unwrap();
    };
    assert_eq!(breaks(swapped), (1, second, Damage::Renamed { found: third }));
    let replaced = |directory: &Path| {
        let other = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(other.path());
        for _ in 0..40 {
            journal.append(NOW, 1, |seq, out| {
                out.extend_from_slice(line("decky-02", seq).as_bytes());
                true
            });
            journal.commit().unwrap();
        }
        fs::copy(middle(other.path()), middle(directory)).unwrap();
    };
    assert_eq!(breaks(replaced), (1, second, Damage::Replaced));
    // The very last line: changed it is no crash.
    let last = |directory: &Path| {
        edit(&segments(directory).pop().unwrap(), |text| {
            let at = text.rfind("decky").unwrap();
            text.replace_range(at..at + 5, "decoy");
        });
    };
    assert!(matches!(breaks(last), (_, 40, Damage::Hash)));
}

#[test]
fn an_end_cut_off_at_a_line_feed_is_told_by_what_was_delivered() {
    let directory = sample();
    let mut cursor = Cursor::open(directory.path(), "file", 0).unwrap();
    cursor.advance(40);
    cursor.store().unwrap();
    assert_eq!(verify(directory.path(), None).unwrap().had, None);
    edit(&segments(directory.path()).pop().unwrap(), |text| {
        text.truncate(text.trim_end().rfind('\n').unwrap() + 1);
    });
    let verified = verify(directory.path(), None).unwrap();
    assert_eq!((verified.last, verified.had), (Some((39, NOW)), Some(40)));
}

#[test]
fn the_bounds_hold_and_the_oldest_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let bounds = JournalConfig { bytes: 10_000, ..config(directory.path()) };
    let (mut journal, _) = Journal::open(&bounds, "lab", NOW).unwrap();
    for _ in 0..500 {
        write(&mut journal, 1);
        let bytes: u64 =
            segments(directory.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(bytes <= 10_000, "{bytes}");
    }
    let verified = verify(directory.path(), None).unwrap();
    assert_eq!(verified.last, Some((500, NOW)));
    assert!(verified.first.unwrap().0 > 400 && verified.segments >= 3, "{verified:?}");
    // By age: what nobody wrote to for longer goes with the next rotation, but never what is needed to go on.
    let later = NOW + 200 * 86_400_000_000;
    journal.append(later, 1, |seq, out| {
        out.extend_from_slice(line("decky-01", seq).as_bytes());
        true
    });
    journal.commit().unwrap();
    assert_eq!(segments(directory.path()).len(), 2);
    assert_eq!(verify(directory.path(), None).unwrap().last, Some((501, later)));
}

#[test]
fn a_reader_goes_on_while_segments_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let bounds = JournalConfig { bytes: 10_000, ..config(directory.path()) };
    let (mut journal, _) = Journal::open(&bounds, "lab", NOW).unwrap();
    let mut tail = Tail::new(directory.path(), 0);
    assert!(!tail.advance().unwrap(), "nothing yet");
    let mut expected = 1;
    for round in 1..60 {
        write(&mut journal, round % 7);
        while tail.advance().unwrap() {
            assert_eq!(tail.record().unwrap().seq, expected);
            expected += 1;
        }
        assert_eq!(expected, journal.last_seq() + 1);
    }
    // One that falls behind finds the oldest that is left.
    let mut slow = Tail::new(directory.path(), 2);
    assert!(slow.advance().unwrap());
    assert!(slow.record().unwrap().seq > 2);
    write(&mut journal, 200);
    let mut last = slow.record().unwrap().seq;
    while slow.advance().unwrap() {
        let seq = slow.record().unwrap().seq;
        assert!(seq > last);
        last = seq;
    }
    assert_eq!(last, journal.last_seq());
}

#[test]
fn a_half_written_line_is_read_when_it_is_whole_and_not_when_it_was_cut_off() {
    let directory = sample();
    let last = segments(directory.path()).pop().unwrap();
    let whole = fs::read(&last).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&last).unwrap();
    file.set_len(whole.len() as u64 - 30).unwrap();
    let mut tail = Tail::new(directory.path(), 40);
    assert!(!tail.advance().unwrap());
    file.write_all_at(&whole[whole.len() - 30..], whole.len() as u64 - 30).unwrap();
    assert!(tail.advance().unwrap());
    assert_eq!(tail.record().unwrap().seq, 40);
    // A torn write, a new collector, another event in its place.
    file.write_all_at(&[b'f'; 100], whole.len() as u64).unwrap();
    assert!(!tail.advance().unwrap());
    let (mut journal, repairs) = open(directory.path());
    assert_eq!(repairs.len(), 1);
    write(&mut journal, 1);
    assert!(tail.advance().unwrap());
    assert_eq!((tail.record().unwrap().seq, tail.unreadable()), (41, 0));
}

#[test]
fn a_journal_that_is_taken_away_is_begun_anew_and_followed() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("journal");
    let (mut journal, _) = open(&place);
    write(&mut journal, 3);
    let mut tail = Tail::new(&place, 0);
    while tail.advance().unwrap() {}
    fs::remove_dir_all(&place).unwrap();
    write(&mut journal, 2);
    assert_eq!(numbers(&place, 0), [4, 5]);
    assert!(tail.advance().unwrap());
    assert_eq!(tail.record().unwrap().seq, 4);
    assert_eq!(verify(&place, None).unwrap().records, 2);
    drop(journal);
    fs::remove_dir_all(&place).unwrap();
    let (mut journal, _) = open(&place);
    write(&mut journal, 1);
    while tail.advance().unwrap() {
        assert!([1, 5].contains(&tail.record().unwrap().seq));
    }
    assert_eq!(tail.next_seq(), 2);
}

#[test]
fn a_full_disk_costs_memory_up_to_a_bound_and_then_events_that_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    // Every write to this device fails as on a full disk; it is opened like a segment.
    let full = fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
    let full = std::sync::Arc::new(full);
    let text = "x".repeat(10_000);
    let mut accepted = 0;
    for _ in 0..1000 {
        let taken = journal.append(NOW, 1, |seq, out| {
            out.extend_from_slice(line(&text, seq).as_bytes());
            true
        });
        accepted += u64::from(taken);
        // Its own file is made when something is written.
        journal.file.get_or_insert_with(|| full.clone());
        assert!(journal.commit().is_err());
        assert!(journal.waiting_bytes() < writer::WAITING_LIMIT + 20_000);
    }
    assert!(accepted < 1000 && accepted > 300, "{accepted}");
    assert_eq!(journal.take_dropped(), 0, "nobody could be told yet");
    journal.file = None;
    journal.commit().unwrap();
    assert_eq!(journal.take_dropped(), 1000 - accepted);
    write(&mut journal, 1);
    assert_eq!(numbers(directory.path(), 0), (1..=accepted + 1).collect::<Vec<u64>>());
    assert_eq!(verify(directory.path(), None).unwrap().records, accepted + 1);
}

#[test]
fn what_was_not_taken_from_its_socket_is_known() {
    let directory = sample();
    let (mut journal, _) = open(directory.path());
    assert_eq!(journal.begin_discard("decky-01", "redis", 9), 9, "all of it was taken");
    for (decky, bytes) in [("a", 100), ("b", 20), ("a", 10), ("a", 0)] {
        journal.append(NOW, bytes, |seq, out| {
            out.extend_from_slice(line(decky, seq).as_bytes());
            true
        });
    }
    journal.commit().unwrap();
    drop(journal);
    let (mut journal, _) = open(directory.path());
    // All of it is still there, and one datagram more that was not written.
    assert_eq!(journal.begin_discard("a", "redis", 150), 40);
    write(&mut journal, 1);
    journal.mark_taken();
    drop(journal);
    // Killed in the middle of throwing it away, and before the other source was back.
    let (mut journal, _) = open(directory.path());
    assert_eq!(journal.begin_discard("a", "redis", 60), 40);
    journal.end_discard("a", "redis");
    assert_eq!(journal.begin_discard("b", "redis", 20), 0);
    journal.end_discard("b", "redis");
    drop(journal);
    let (mut journal, _) = open(directory.path());
    assert_eq!(journal.begin_discard("a", "redis", 60), 60);
    assert_eq!(journal.begin_discard("b", "redis", 60), 60);
}
