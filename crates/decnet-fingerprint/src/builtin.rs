//! The personas that come with the program, one file each in `data/personas/`.

/// Slug and text of every persona, sorted.
pub const BUILTIN: &[(&str, &str)] = &[
    ("linux-5", include_str!("../data/personas/linux-5.toml")),
    ("windows-10", include_str!("../data/personas/windows-10.toml")),
];

/// The text of a persona that comes with the program.
pub fn builtin(slug: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(its, _)| *its == slug).map(|(_, text)| *text)
}
