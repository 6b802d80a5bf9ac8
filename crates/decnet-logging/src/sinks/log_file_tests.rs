use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::samples::{every_kind, sample};

const PATIENCE: Duration = Duration::from_secs(10);

fn log() -> (OperatorLog, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let kept = notices.clone();
    (Arc::new(move |notice: &Notice| kept.lock().unwrap().push(notice.to_string())), notices)
}

fn rotating(path: &Path, rotation: Rotation) -> FileDelivery {
    let file = LogFile { form: LogForm::Syslog, path: path.to_owned() };
    FileDelivery::open("file-x".to_owned(), &file, rotation, log().0).unwrap()
}

fn plain(path: &Path) -> FileDelivery {
    rotating(path, Rotation::default())
}

/// Probes with consecutive numbers, whose lines have about `length` bytes more than the usual.
fn events(numbers: std::ops::Range<u64>, length: usize) -> Vec<Event> {
    let made = |seq| sample(json!({"event": "scan.probe", "kind": "x".repeat(length), "seq": seq}));
    numbers.map(made).collect()
}

/// The numbers of the whole lines of a file.
fn numbers(path: impl AsRef<Path>) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| syslog::parse(line).ok()).map(|event| event.seq).collect()
}

#[test]
fn each_form_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let all = every_kind();
    for (form, name) in [(LogForm::Syslog, "s"), (LogForm::Json, "j"), (LogForm::Ecs, "e")] {
        let path = dir.path().join(name);
        let file = LogFile { form, path: path.clone() };
        let mut delivery = FileDelivery::open(name.to_owned(), &file, Rotation::default(), log().0).unwrap();
        assert_eq!(delivery.settled(), None);
        assert_eq!(delivery.deliver(&all, PATIENCE).unwrap(), all.len());
        assert_eq!(delivery.settled(), Some(7));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), all.len());
        for (line, event) in text.lines().zip(&all) {
            match form {
                LogForm::Syslog => assert_eq!(syslog::parse(line).unwrap(), *event),
                LogForm::Json => assert_eq!(serde_json::from_str::<Event>(line).unwrap(), *event),
                LogForm::Ecs => {
                    let value: serde_json::Value = serde_json::from_str(line).unwrap();
                    assert_eq!(value["event"]["action"], event.report.body.kind());
                }
            }
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
    }
}

#[test]
fn a_file_is_put_aside_before_it_is_too_long_and_the_oldest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let rotation = Rotation { size: Some(10_000), age: None, keep: 2 };
    let mut delivery = rotating(&path, rotation);
    let all = events(1..101, 1000);
    // In pieces and at once alike.
    assert_eq!(delivery.deliver(&all[..33], PATIENCE).unwrap(), 33);
    assert_eq!(delivery.deliver(&all[33..], PATIENCE).unwrap(), 67);
    let mut kept = Vec::new();
    for name in ["log.2", "log.1", "log"] {
        let path = dir.path().join(name);
        assert!(fs::metadata(&path).unwrap().len() <= 10_000, "{name}");
        kept.extend(numbers(path));
    }
    assert!(kept.len() >= 16, "{kept:?}");
    assert_eq!(kept, (101 - kept.len() as u64..101).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    assert_eq!(delivery.settled(), Some(100));
    // Fewer are kept from now on: those past the last go.
    fs::write(dir.path().join("log.3"), "old").unwrap();
    let mut delivery = rotating(&path, Rotation { keep: 1, ..rotation });
    assert_eq!(delivery.deliver(&events(101..112, 1000), PATIENCE).unwrap(), 11);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn an_event_longer_than_the_limit_has_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut delivery = rotating(&path, Rotation { size: Some(2000), age: None, keep: 9 });
    let mut all = events(1..2, 10);
    all.extend(events(2..3, 5000));
    all.extend(events(3..4, 10));
    assert_eq!(delivery.deliver(&all, PATIENCE).unwrap(), 3);
    assert_eq!(numbers(dir.path().join("log.2")), [1]);
    assert_eq!(numbers(dir.path().join("log.1")), [2]);
    assert_eq!(numbers(&path), [3]);
}

#[test]
fn a_file_is_put_aside_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut delivery = rotating(&path, Rotation { size: None, age: Some(3600), keep: 5 });
    delivery.deliver(&events(1..2, 0), PATIENCE).unwrap();
    delivery.deliver(&events(2..3, 0), PATIENCE).unwrap();
    assert_eq!(numbers(&path), [1, 2]);
    delivery.clock = || SystemTime::now() + Duration::from_secs(3601);
    delivery.deliver(&events(3..4, 0), PATIENCE).unwrap();
    assert_eq!(numbers(dir.path().join("log.1")), [1, 2]);
    assert_eq!(numbers(&path), [3]);
}

#[test]
fn others_may_rename_remove_and_truncate() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("log"), dir.path().join("log-20261122"));
    let mut delivery = rotating(&path, Rotation { size: Some(1_000_000), age: None, keep: 5 });
    delivery.deliver(&events(1..2, 0), PATIENCE).unwrap();
    fs::rename(&path, &old).unwrap();
    delivery.deliver(&events(2..3, 0), PATIENCE).unwrap();
    assert_eq!((numbers(&old), numbers(&path)), (vec![1], vec![2]));
    // copytruncate
    fs::write(&path, "").unwrap();
    delivery.deliver(&events(3..4, 0), PATIENCE).unwrap();
    assert_eq!(numbers(&path), [3]);
    fs::remove_file(&path).unwrap();
    delivery.deliver(&events(4..5, 0), PATIENCE).unwrap();
    assert_eq!(numbers(&path), [4]);
    delivery.reopen();
    delivery.deliver(&events(5..6, 0), PATIENCE).unwrap();
    assert_eq!(numbers(&path), [4, 5]);
}

#[test]
fn a_torn_line_of_a_crash_does_not_swallow_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "<134>1 2026-11").unwrap();
    let mut delivery = plain(&path);
    delivery.deliver(&events(1..2, 0), PATIENCE).unwrap();
    assert_eq!(numbers(&path), [1]);
    assert!(fs::read_to_string(&path).unwrap().starts_with("<134>1 2026-11\n"));
}

#[test]
fn a_full_disk_settles_nothing_and_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    // Every write to this device fails as on a full disk.
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut delivery = plain(&path);
    let all = events(1..4, 0);
    for _ in 0..2 {
        let error = delivery.deliver(&all, PATIENCE).unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert_eq!(delivery.settled(), None);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(delivery.deliver(&all, PATIENCE).unwrap(), 3);
    assert_eq!(numbers(&path), [1, 2, 3]);
}

#[test]
fn half_a_line_that_found_no_room_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut delivery = plain(&path);
    delivery.deliver(&events(1..2, 0), PATIENCE).unwrap();
    // As after a write that the disk took only the half of.
    let open = delivery.open.as_mut().unwrap();
    assert_eq!(open.append(b"<134>1 half").0, 11);
    open.take_back(11);
    delivery.deliver(&events(2..3, 0), PATIENCE).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    // Somebody else has written meanwhile: nothing of theirs is taken away.
    let open = delivery.open.as_mut().unwrap();
    assert_eq!(open.append(b"<134>1 half").0, 11);
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b" theirs").unwrap();
    open.take_back(11);
    delivery.deliver(&events(3..4, 0), PATIENCE).unwrap();
    assert_eq!(numbers(&path), [1, 2, 3]);
    assert!(fs::read_to_string(&path).unwrap().contains("<134>1 half theirs\n"));
}

#[test]
fn a_file_that_cannot_be_put_aside_goes_on_and_the_operator_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    // A directory that is not empty stands where the file would go.
    fs::create_dir_all(dir.path().join("log.1/x")).unwrap();
    let (log, notices) = log();
    let file = LogFile { form: LogForm::Syslog, path: path.clone() };
    let rotation = Rotation { size: Some(1000), age: None, keep: 1 };
    let mut delivery = FileDelivery::open("f".to_owned(), &file, rotation, log).unwrap();
    assert_eq!(delivery.deliver(&events(1..10, 500), PATIENCE).unwrap(), 9);
    assert_eq!(numbers(&path), (1..10).collect::<Vec<_>>());
    let notices = notices.lock().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with("cannot put "), "{notices:?}");
}
