//! Tables for people.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with these columns. On a terminal it is fitted to its width; piped, every row is one line.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    match terminal_width() {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    for row in rows {
        table.add_row(row);
    }
    // The padding before the first column would only indent everything.
    table.lines().map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(&line).trim_end())).collect()
}

/// The width of the terminal that the standard output is, in columns.
fn terminal_width() -> Option<u16> {
    use std::io::IsTerminal;
    if !std::io::stdout().is_terminal() {
        return None;
    }
    // Narrower than this, fitting would cut every word in pieces; then the terminal may wrap instead.
    terminal_size::terminal_size().map(|(width, _)| width.0).filter(|columns| *columns >= 60)
}
