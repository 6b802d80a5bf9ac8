//! Build contexts: a tar archive (POSIX ustar) with a Dockerfile and our own binary.

use std::path::Path;

use crate::error::EngineError;

/// Bytes of a record.
const RECORD: usize = 512;

/// An archive of these files: name, permissions, content. Times and owners are zero, so that the same files
/// give the same bytes and the daemon's cache recognises them.
pub(super) fn archive(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::with_capacity(files.iter().map(|(_, _, content)| content.len() + 2 * RECORD).sum());
    for (name, mode, content) in files {
        tar.extend(header(name, *mode, content.len()));
        tar.extend(*content);
        tar.resize(tar.len().next_multiple_of(RECORD), 0);
    }
    // The end is two empty records.
    tar.resize(tar.len() + 2 * RECORD, 0);
    tar
}

fn header(name: &str, mode: u32, size: usize) -> [u8; RECORD] {
    let mut header = [0; RECORD];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    // The checksum is made as if its own field were blanks.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// This very binary, without what only a debugger reads.
pub(super) fn ourselves() -> Result<Vec<u8>, EngineError> {
    let path = Path::new(crate::process::OURSELVES);
    let bytes = std::fs::read(path).map_err(|source| EngineError::File { path: path.to_owned(), source })?;
    Ok(stripped(bytes))
}

/// Cuts an ELF file (64 bit, little endian) after its last segment: sections and debug information follow
/// there, and no loader reads them. Any other file stays as it is.
fn stripped(mut file: Vec<u8>) -> Vec<u8> {
    if let Some(end) = end_of_segments(&file) {
        file.truncate(end);
        // e_shoff, and e_shnum with e_shstrndx: there are no sections any more.
        file[0x28..0x30].fill(0);
        file[0x3c..0x40].fill(0);
    }
    file
}

fn end_of_segments(file: &[u8]) -> Option<usize> {
    /// `\x7fELF`, 64 bit, little endian.
    const MAGIC: &[u8] = b"\x7fELF\x02\x01";
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?)));
    let word = |at: usize| usize::try_from(u64::from_le_bytes(file.get(at..at + 8)?.try_into().ok()?)).ok();
    if !file.starts_with(MAGIC) {
        return None;
    }
    let (table, size, count) = (word(0x20)?, half(0x36)?, half(0x38)?);
    let mut end = table.checked_add(size.checked_mul(count)?)?;
    for index in 0..count {
        let entry = table.checked_add(size * index)?;
        end = end.max(word(entry + 0x08)?.checked_add(word(entry + 0x20)?)?);
    }
    (0x40..=file.len()).contains(&end).then_some(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tar and the stripped program themselves judge")]

    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_it() {
        let archive = archive(&[("Dockerfile", 0o644, b"FROM scratch\n"), ("svc", 0o755, &[7; 1000])]);
        let mut child = Command::new("tar")
            .args(["-tvf", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout).unwrap();
        assert!(listing.contains("-rw-r--r-- 0/0") && listing.contains("13 1970"), "{listing}");
        assert!(listing.contains("-rwxr-xr-x 0/0") && listing.contains("1000 1970"), "{listing}");
    }

    #[test]
    fn a_stripped_program_still_runs() {
        let ours = std::fs::read("/proc/self/exe").unwrap();
        let before = ours.len();
        let stripped = stripped(ours);
        assert!(stripped.len() < before / 2, "{} of {before} bytes", stripped.len());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::write(&path, stripped).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(&path).arg("--list").output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("a_stripped_program_still_runs"));
    }

    #[test]
    fn what_is_no_program_stays_whole() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01", &[0xff; 100]] {
            assert_eq!(stripped(bytes.to_vec()), bytes);
        }
        let mut hostile = b"\x7fELF\x02\x01".to_vec();
        hostile.resize(200, 0xff);
        assert_eq!(stripped(hostile.clone()), hostile);
    }
}
