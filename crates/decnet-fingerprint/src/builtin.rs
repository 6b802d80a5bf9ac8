//! The personas that come with the program, one file each in `data/personas/`.

/// Slug and text of every persona, sorted.
pub const BUILTIN: &[(&str, &str)] = &[
    ("brother", include_str!("../data/personas/brother.toml")),
    ("cisco-ap", include_str!("../data/personas/cisco-ap.toml")),
    ("cisco-ios-router", include_str!("../data/personas/cisco-ios-router.toml")),
    ("embedded-linux", include_str!("../data/personas/embedded-linux.toml")),
    ("freebsd-12", include_str!("../data/personas/freebsd-12.toml")),
    ("hp-laserjet", include_str!("../data/personas/hp-laserjet.toml")),
    ("hp-laserjet-m525", include_str!("../data/personas/hp-laserjet-m525.toml")),
    ("linux-2.6", include_str!("../data/personas/linux-2.6.toml")),
    ("linux-3", include_str!("../data/personas/linux-3.toml")),
    ("linux-5", include_str!("../data/personas/linux-5.toml")),
    ("siemens-plc", include_str!("../data/personas/siemens-plc.toml")),
    ("voip-linux", include_str!("../data/personas/voip-linux.toml")),
    ("windows-10", include_str!("../data/personas/windows-10.toml")),
    ("windows-7", include_str!("../data/personas/windows-7.toml")),
    ("windows-server-2016", include_str!("../data/personas/windows-server-2016.toml")),
    ("windows-server-2019", include_str!("../data/personas/windows-server-2019.toml")),
];

/// The text of a persona that comes with the program.
pub fn builtin(slug: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(its, _)| *its == slug).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Facts;

    #[test]
    fn every_persona_is_sound_and_found() {
        assert!(BUILTIN.windows(2).all(|pair| pair[0].0 < pair[1].0), "sorted, and none twice");
        for (slug, text) in BUILTIN {
            let facts = Facts::parse(text).unwrap_or_else(|error| panic!("{slug}: {error}"));
            assert_eq!(builtin(slug), Some(*text));
            let again = toml::to_string(&facts).unwrap();
            assert_eq!(Facts::parse(&again), Ok(facts), "{slug} reads back as written");
        }
    }
}
