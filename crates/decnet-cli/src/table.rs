//! Tables for people.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

/// The padding of a cell on both sides, in columns.
const PADDING: usize = 2;

/// A table with these columns. On a terminal it is fitted to its width; piped, every row is one line.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    fitted(header, rows, terminal_width())
}

/// A table that is fitted to a width by breaking cells between words. An address or a slug is never cut: it
/// is there to be copied. Where there is no room for that, the terminal may wrap.
fn fitted<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    width: Option<u16>,
) -> String {
    let mut longest = header.map(longest_word);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        for (longest, cell) in longest.iter_mut().zip(&row) {
            *longest = longest_word(cell).max(*longest);
        }
        table.add_row(row);
    }
    let least: usize = longest.iter().map(|word| word + PADDING).sum();
    match width {
        Some(width) if least <= usize::from(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            for (column, word) in table.column_iter_mut().zip(longest) {
                let word = u16::try_from(word + PADDING).unwrap_or(width);
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(word)));
            }
        }
        _ => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    // The padding before the first column would only indent everything.
    table.lines().map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(&line).trim_end())).collect()
}

fn longest_word(cell: &str) -> usize {
    cell.split_whitespace().map(|word| word.chars().count()).max().unwrap_or_default()
}

/// The width of the terminal that the standard output is, in columns.
fn terminal_width() -> Option<u16> {
    use std::io::IsTerminal;
    if !std::io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| width.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(width: Option<u16>) -> String {
        let row = ["decky-01", "00:0c:29:c1:cc:9b", "ldap 389 636 (TLS), rdp 3389, smb 445 139"];
        fitted(["decky", "MAC", "services and ports"], [row.map(str::to_owned)], width)
    }

    #[test]
    fn cells_break_between_words_and_nowhere_else() {
        let piped = at(None);
        assert_eq!(piped.lines().count(), 2);
        for width in 20..90 {
            let shown = at(Some(width));
            assert!(shown.contains("00:0c:29:c1:cc:9b") && shown.contains("decky-01"), "{width}:\n{shown}");
            let words = |text: &str| {
                let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                words.sort();
                words
            };
            assert_eq!(words(&shown), words(&piped), "{width}:\n{shown}");
            let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= usize::from(width) || shown == piped, "{width}:\n{shown}");
        }
    }
}
