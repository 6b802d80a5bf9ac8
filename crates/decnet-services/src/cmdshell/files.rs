//! The file tree: what every Windows has, and what intruders leave.

use std::collections::BTreeMap;

use decnet_core::identity::Identity;

/// Bytes that intruders may leave.
const BYTES: usize = 1024 * 1024;
/// Files that intruders may leave.
const COUNT: usize = 256;

/// What stands in a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) folder: bool,
    pub(super) size: u64,
    /// Microseconds since 1970.
    pub(super) changed: i64,
}

/// The tree.
pub(super) struct Files {
    /// Folders by path in lower case: the path as written, and when it was made.
    folders: BTreeMap<String, (String, i64)>,
    files: BTreeMap<String, (String, Vec<u8>, u64, i64)>,
    added: usize,
    bytes: usize,
}

const FOLDERS: &[&str] = &[
    "C:",
    "C:\\PerfLogs",
    "C:\\Program Files",
    "C:\\Program Files (x86)",
    "C:\\Program Files\\Common Files",
    "C:\\Program Files\\Microsoft SQL Server",
    "C:\\Users",
    "C:\\Users\\Administrator",
    "C:\\Users\\Public",
    "C:\\Users\\Public\\Documents",
    "C:\\ProgramData",
    "C:\\Windows",
    "C:\\Windows\\System32",
    "C:\\Windows\\System32\\drivers",
    "C:\\Windows\\System32\\drivers\\etc",
    "C:\\Windows\\Temp",
    "C:\\Temp",
];

impl Files {
    pub(super) fn new(identity: &Identity) -> Files {
        let mut draw = identity.draw(&["cmdshell", "files"]);
        let mut made = || {
            let after = draw.below(86_400 * 30) as i64;
            (identity.times.installed + after) * 1_000_000
        };
        let folders =
            FOLDERS.iter().map(|path| (path.to_lowercase(), ((*path).to_owned(), made()))).collect();
        let hosts = "# Copyright (c) 1993-2009 Microsoft Corp.\r\n#\r\n# This is a sample HOSTS file used by Microsoft TCP/IP for Windows.\r\n#\r\n# localhost name resolution is handled within DNS itself.\r\n#\t127.0.0.1       localhost\r\n#\t::1             localhost\r\n";
        let win = "; for 16-bit app support\r\n[fonts]\r\n[extensions]\r\n[mci extensions]\r\n[files]\r\n[Mail]\r\nMAPI=1\r\n";
        let mut files = BTreeMap::new();
        for (path, content) in
            [("C:\\Windows\\System32\\drivers\\etc\\hosts", hosts), ("C:\\Windows\\win.ini", win)]
        {
            let bytes = content.as_bytes().to_vec();
            files.insert(path.to_lowercase(), (path.to_owned(), bytes.clone(), bytes.len() as u64, made()));
        }
        Files { folders, files, added: 0, bytes: 0 }
    }

    /// The full path of a name.
    pub(super) fn absolute(&self, directory: &str, name: &str) -> String {
        let name = name.trim().trim_matches('"').replace('/', "\\");
        let full = match name.as_bytes() {
            [_, b':', ..] => name,
            [b'\\', ..] => format!("C:{name}"),
            _ => format!("{directory}\\{name}"),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in full.split('\\').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                if parts.len() > 1 {
                    parts.pop();
                }
            } else {
                parts.push(part);
            }
        }
        parts.join("\\")
    }

    fn key(path: &str) -> String {
        path.trim_end_matches('\\').replace('/', "\\").to_lowercase()
    }

    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(&Files::key(path)).map(|(_, bytes, ..)| bytes.clone())
    }

    /// The folder's path as it is written on the disk.
    pub(super) fn folder(&self, path: &str) -> Option<&str> {
        self.folders.get(&Files::key(path)).map(|(path, _)| path.as_str())
    }

    pub(super) fn list(&self, path: &str) -> Option<Vec<Entry>> {
        let key = Files::key(path);
        self.folders.get(&key)?;
        let inside = |other: &str| other.rsplit_once('\\').is_some_and(|(parent, _)| parent == key);
        let name = |path: &str| path.rsplit('\\').next().unwrap_or_default().to_owned();
        let mut all: Vec<Entry> = self
            .folders
            .iter()
            .filter(|(other, _)| inside(other))
            .map(|(_, (path, changed))| Entry { name: name(path), folder: true, size: 0, changed: *changed })
            .collect();
        all.extend(self.files.iter().filter(|(other, _)| inside(other)).map(
            |(_, (path, _, size, changed))| Entry {
                name: name(path),
                folder: false,
                size: *size,
                changed: *changed,
            },
        ));
        all.sort_by_key(|entry| entry.name.to_lowercase());
        Some(all)
    }

    /// Writes a file; `false` where there is no such folder, or no room.
    pub(super) fn write(&mut self, path: &str, content: Vec<u8>, now: i64) -> bool {
        let key = Files::key(path);
        let parent = key.rsplit_once('\\').map_or("", |(parent, _)| parent);
        // A service may not write where the system's files are.
        let guarded =
            parent.starts_with("c:\\windows\\system32") || parent == "c:\\windows" || parent == "c:";
        let old = self.files.get(&key).map_or(0, |(_, bytes, ..)| bytes.len());
        let new = !self.files.contains_key(&key);
        let full = self.bytes - old.min(self.bytes) + content.len() > BYTES || new && self.added >= COUNT;
        if guarded || full || !self.folders.contains_key(parent) {
            return false;
        }
        self.bytes = self.bytes - old.min(self.bytes) + content.len();
        self.added += usize::from(new);
        let size = content.len() as u64;
        self.files.insert(key, (path.to_owned(), content, size, now));
        true
    }

    /// Takes a file away.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        match self.files.remove(&Files::key(path)) {
            Some((_, bytes, ..)) => {
                self.bytes = self.bytes.saturating_sub(bytes.len());
                self.added = self.added.saturating_sub(1);
                true
            }
            None => false,
        }
    }

    /// Makes a folder.
    pub(super) fn make(&mut self, path: &str, now: i64) -> bool {
        let key = Files::key(path);
        if self.folders.contains_key(&key) || self.added >= COUNT {
            return false;
        }
        self.added += 1;
        self.folders.insert(key, (path.to_owned(), now));
        true
    }
}
