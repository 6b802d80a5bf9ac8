//! "did you mean …?": the known word that a mistyped one most likely stands for.

/// Longer words are no slip of the finger, and comparing costs the product of the lengths.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if one is near enough to be a slip: at most a third of the word's
/// letters (at least one, at most three) inserted, left out, replaced or swapped with a neighbour. Letter
/// case and `-` against `_` do not count. Of equally near ones those with the same first
/// letter come first (it is seldom mistyped), then the first wins; `word` itself is never suggested.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = folded(word)?;
    let tolerance = (typed.len() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .filter_map(|candidate| Some((distance(&typed, &folded(candidate)?), candidate)))
        .filter(|(distance, candidate)| *distance <= tolerance && *distance < candidate.chars().count())
        .min_by_key(|(distance, candidate)| {
            let initial = |text: &str| text.chars().next().map(|letter| letter.to_ascii_lowercase());
            (*distance, initial(candidate) != initial(word))
        })
        .map(|(_, candidate)| candidate)
}

/// [`closest`] as a help line: "did you mean `services`?".
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The letters to compare, or nothing if there are too many.
fn folded(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word
        .chars()
        .take(LONGEST + 1)
        .map(|letter| if letter == '-' { '_' } else { letter.to_ascii_lowercase() })
        .collect();
    (letters.len() <= LONGEST).then_some(letters)
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, to) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(from != to)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["ip", "services", "archetype", "nmap_os", "amount", "distro"];

    #[test]
    fn slips_are_understood() {
        for (typed, meant) in [
            ("service", Some("services")),
            ("Services", Some("services")),
            ("serivces", Some("services")),
            ("nmap-os", Some("nmap_os")),
            ("archtype", Some("archetype")),
            ("amuont", Some("amount")),
            ("i", Some("ip")),
            ("distros", Some("distro")),
        ] {
            assert_eq!(closest(typed, KEYS), meant, "{typed}");
        }
    }

    #[test]
    fn the_first_letter_breaks_a_tie() {
        assert_eq!(closest("htp", ["ftp", "http"]), Some("http"));
    }

    #[test]
    fn other_words_are_left_alone() {
        for typed in ["", "x", "colour", "services", "os", "hostname", &"services".repeat(40)] {
            assert_eq!(closest(typed, KEYS), None, "{typed}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3)]
        {
            let [a, b] = [a, b].map(|word| word.chars().collect::<Vec<_>>());
            assert_eq!(distance(&a, &b), expected);
        }
    }

    #[test]
    fn help_line() {
        assert_eq!(did_you_mean("amout", KEYS).unwrap(), "did you mean `amount`?");
    }
}
