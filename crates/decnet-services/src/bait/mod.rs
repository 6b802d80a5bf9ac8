//! What an intruder is meant to find: the people of an organisation, and the databases of its applications.
//!
//! Everything is drawn from the identity, so that the services of one decky tell of the same people, a
//! redeploy keeps them, and no two deckies share a row.

mod databases;
mod people;

pub use databases::{Application, applications, databases};
pub use people::{People, Person};

/// The words of one list of the names file: `given`, `family`, `city`, `product`, …; empty for a list that
/// there is not.
pub fn words(list: &str) -> Vec<&'static str> {
    include_str!("names.txt")
        .lines()
        .skip_while(|line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) != Some(list))
        .nth(1)
        .map(|line| line.split(' ').collect())
        .unwrap_or_default()
}

/// A word with its first letter in upper case.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_words() {
        for list in
            ["given", "family", "entity", "city", "street", "product", "material", "department", "company"]
        {
            let words = words(list);
            assert!(words.len() >= 8, "{list}: {words:?}");
            assert!(words.iter().all(|word| !word.is_empty()), "{list}");
        }
        assert!(words("nothing").is_empty());
    }
}
