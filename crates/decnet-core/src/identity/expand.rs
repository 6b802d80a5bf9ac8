//! Patterns for host names and serial numbers, as the catalogue's `general.toml` and `hardware.toml`
//! describe them.

use crate::address::MacAddress;
use crate::seed::Draw;

const DIGITS: &str = "0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ALPHANUMERIC: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const HEX: &str = "0123456789abcdef";

/// What stands for the names in a host name pattern.
pub(super) struct Words<'a> {
    pub(super) word: &'a str,
    pub(super) site: &'a str,
    pub(super) first: &'a str,
    pub(super) last: &'a str,
    pub(super) mac: MacAddress,
    /// How high numbers go: 0 as on a small site, up to [`HIGHEST_REACH`] when those are taken.
    pub(super) reach: usize,
}

/// The last step of [`Words::reach`].
pub(super) const HIGHEST_REACH: usize = 2;

/// Fills in a host name pattern.
pub(super) fn hostname(pattern: &str, words: &Words<'_>, draw: &mut Draw) -> String {
    let mut name = String::with_capacity(16);
    let mut rest = pattern;
    while let Some(symbol) = rest.chars().next() {
        let after = &rest[symbol.len_utf8()..];
        match (symbol, after.split_once('}')) {
            ('{', Some((key, tail))) => {
                name.push_str(&placeholder(key, words, draw));
                rest = tail;
            }
            ('?', _) => {
                name.push(letter(ALPHANUMERIC, draw));
                rest = after;
            }
            _ => {
                name.push(symbol);
                rest = after;
            }
        }
    }
    name
}

fn placeholder(key: &str, words: &Words<'_>, draw: &mut Draw) -> String {
    let reach = words.reach.min(HIGHEST_REACH);
    let number = |draw: &mut Draw, limits: [u64; HIGHEST_REACH + 1]| draw.between(1, limits[reach]);
    let [_, _, _, d, e, f] = words.mac.octets();
    match key {
        "word" => words.word.to_owned(),
        "WORD" => words.word.to_ascii_uppercase(),
        "site" => words.site.to_owned(),
        "SITE" => words.site.to_ascii_uppercase(),
        "first" => words.first.to_owned(),
        "last" => words.last.to_owned(),
        "n" => number(draw, [4, 9, 999]).to_string(),
        "nn" => format!("{:02}", number(draw, [24, 99, 999])),
        "nnn" => format!("{:03}", number(draw, [180, 999, 9999])),
        "nnnn" => draw.between(1000, 9999).to_string(),
        "mac6" => format!("{d:02x}{e:02x}{f:02x}"),
        "MAC6" => format!("{d:02X}{e:02X}{f:02X}"),
        "MAC12" => words.mac.octets().iter().map(|octet| format!("{octet:02X}")).collect(),
        "hex4" => draw.text(HEX, 4),
        // The catalogue's test knows every key, so this shows only while one is being added.
        other => other.to_owned(),
    }
}

/// One letter of an ASCII alphabet. A byte is enough: what it lacks in evenness nobody can measure in the
/// few letters of a name.
fn letter(alphabet: &str, draw: &mut Draw) -> char {
    let [byte] = draw.bytes();
    char::from(alphabet.as_bytes()[usize::from(byte) % alphabet.len()])
}

/// Fills in a serial number pattern.
pub(super) fn serial(pattern: &str, draw: &mut Draw) -> String {
    pattern
        .chars()
        .map(|symbol| match symbol {
            '#' => letter(DIGITS, draw),
            '?' => letter(ALPHANUMERIC, draw),
            '@' => letter(UPPER, draw),
            'x' => letter(HEX, draw),
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn filled(pattern: &str, reach: usize) -> String {
        let words = Words {
            word: "web",
            site: "ber",
            first: "quiet",
            last: "otter",
            mac: MacAddress([0x3c, 0xd9, 0x2b, 0x3f, 0x2a, 0x11]),
            reach,
        };
        hostname(pattern, &words, &mut Seed::from_number(1).draw(&["t"]))
    }

    #[test]
    fn placeholders() {
        assert_eq!(filled("NPI{MAC6}", 0), "NPI3F2A11");
        assert_eq!(filled("BRN{MAC12}", 0), "BRN3CD92B3F2A11");
        assert_eq!(filled("{SITE}-{word}-{first}-{last}", 0), "BER-web-quiet-otter");
        let desktop = filled("DESKTOP-???????", 0);
        assert!(desktop.len() == 15 && desktop.is_ascii() && desktop != "DESKTOP-???????");
        assert_eq!(filled("SRV-{WORD}-{nn}", 0).len(), "SRV-WEB-07".len());
    }

    #[test]
    fn every_pattern_of_the_catalogue_is_a_host_name() {
        let tables = crate::catalogue::Catalogue::builtin([]).tables();
        let variants = tables.archetypes.iter().flat_map(|archetype| &archetype.variants);
        let patterns = tables.rows.iter().flat_map(|row| &row.hostnames);
        for pattern in patterns.chain(variants.flat_map(|variant| &variant.hostnames)) {
            for reach in 0..=HIGHEST_REACH {
                let name = filled(pattern, reach);
                let fine = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                assert!(fine && name.len() <= 24, "{pattern}: {name}");
                for key in pattern.split('{').skip(1) {
                    let key = key.split('}').next().unwrap();
                    assert!(
                        [
                            "word", "WORD", "site", "SITE", "first", "last", "n", "nn", "nnn", "nnnn",
                            "mac6", "MAC6", "MAC12", "hex4"
                        ]
                        .contains(&key),
                        "{pattern}"
                    );
                }
            }
        }
    }

    #[test]
    fn serials_have_the_form_of_the_pattern() {
        let text = serial("CN@#x?", &mut Seed::from_number(2).draw(&["t"]));
        assert!(text.starts_with("CN") && text.len() == 6);
        assert!(text.as_bytes()[2].is_ascii_uppercase() && text.as_bytes()[3].is_ascii_digit());
    }
}
