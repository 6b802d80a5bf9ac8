//! The text tables of `_cat`: columns as wide as their widest cell, numbers to the right, two blanks never
//! but one between them, and blanks behind the last column as the product leaves them.

use super::json::Json;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Column {
    pub(in super::super) name: &'static str,
    pub(in super::super) aliases: &'static [&'static str],
    pub(in super::super) right: bool,
    /// Whether it is shown without being asked for.
    pub(in super::super) shown: bool,
    pub(in super::super) about: &'static str,
}

/// A column that is shown, aligned to the left.
pub(in super::super) const fn left(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
) -> Column {
    Column { name, aliases, right: false, shown: true, about }
}

/// A column that is shown, aligned to the right.
pub(in super::super) const fn right(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
) -> Column {
    Column { name, aliases, right: true, shown: true, about }
}

impl Column {
    /// Only shown when it is asked for.
    pub(in super::super) const fn hidden(self) -> Column {
        Column { shown: false, ..self }
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(in super::super) struct Table {
    pub(in super::super) columns: Vec<Column>,
    pub(in super::super) rows: Vec<Vec<Option<String>>>,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Asked<'a> {
    pub(in super::super) headers: Option<&'a str>,
    pub(in super::super) verbose: bool,
    pub(in super::super) help: bool,
}

impl Table {
    fn chosen(&self, headers: Option<&str>) -> Vec<usize> {
        let Some(headers) = headers else {
            return (0..self.columns.len()).filter(|index| self.columns[*index].shown).collect();
        };
        let mut chosen = Vec::new();
        for header in headers.split(',').take(200) {
            for (index, column) in self.columns.iter().enumerate() {
                let named = column.name == header
                    || column.aliases.contains(&header)
                    || (header.contains('*') && super::json::wildcard(header, column.name));
                if named && !chosen.contains(&index) {
                    chosen.push(index);
                }
            }
        }
        chosen
    }

    /// Sorts the rows by `s=`; the column that there is none of, where one is named.
    pub(in super::super) fn sort(&mut self, by: &str) -> Result<(), String> {
        let mut keys = Vec::new();
        for part in by.split(',').take(20) {
            let (name, down) = match part.rsplit_once(':') {
                Some((name, order)) => (name, order == "desc"),
                None => (part, false),
            };
            let index = self
                .columns
                .iter()
                .position(|column| column.name == name || column.aliases.contains(&name))
                .ok_or_else(|| name.to_owned())?;
            keys.push((index, down));
        }
        self.rows.sort_by(|a, b| {
            for (index, down) in &keys {
                let (a, b) = (a[*index].as_deref().unwrap_or(""), b[*index].as_deref().unwrap_or(""));
                let order = match (measure(a), measure(b)) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    _ => a.cmp(b),
                };
                let order = if *down { order.reverse() } else { order };
                if order.is_ne() {
                    return order;
                }
            }
            std::cmp::Ordering::Equal
        });
        Ok(())
    }

    /// As text.
    pub(in super::super) fn text(&self, asked: Asked<'_>) -> String {
        if asked.help {
            return self.help();
        }
        let chosen = self.chosen(asked.headers);
        // The header is the name by which the column was asked for.
        let wanted: Vec<&str> = asked.headers.map(|list| list.split(',').collect()).unwrap_or_default();
        let title = |index: usize| -> &str {
            let column = &self.columns[index];
            wanted.iter().find(|name| column.aliases.contains(*name)).copied().unwrap_or(column.name)
        };
        let width = |index: usize| {
            let cells =
                self.rows.iter().map(|row| row[index].as_deref().map_or(0, |cell| cell.chars().count()));
            let header = if asked.verbose { title(index).chars().count() } else { 0 };
            cells.chain([header]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = chosen.iter().map(|index| width(*index)).collect();
        let mut out = String::new();
        if asked.verbose {
            for (place, index) in chosen.iter().enumerate() {
                let column = &self.columns[*index];
                let last = place + 1 == chosen.len();
                pad(&mut out, title(*index), widths[place], column.right, last);
            }
            out.push('\n');
        }
        for row in &self.rows {
            for (place, index) in chosen.iter().enumerate() {
                let last = place + 1 == chosen.len();
                let cell = row[*index].as_deref().unwrap_or("");
                pad(&mut out, cell, widths[place], self.columns[*index].right, last);
            }
            out.push('\n');
        }
        out
    }

    fn help(&self) -> String {
        let first = self.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
        let alias = |column: &Column| {
            if column.aliases.is_empty() { column.name.to_owned() } else { column.aliases.join(",") }
        };
        let second = self.columns.iter().map(|column| alias(column).len()).max().unwrap_or(0);
        let third = self.columns.iter().map(|column| column.about.len()).max().unwrap_or(0);
        let line = |column: &Column| {
            format!("{:first$} | {:second$} | {:third$} \n", column.name, alias(column), column.about)
        };
        self.columns.iter().map(line).collect()
    }

    /// As JSON.
    pub(in super::super) fn json(&self, headers: Option<&str>) -> Json {
        let chosen = self.chosen(headers);
        let row = |row: &Vec<Option<String>>| {
            Json::Map(
                chosen
                    .iter()
                    .map(|index| (self.columns[*index].name.to_owned(), Json::from(row[*index].clone())))
                    .collect(),
            )
        };
        Json::List(self.rows.iter().map(row).collect())
    }
}

fn pad(out: &mut String, cell: &str, width: usize, right: bool, last: bool) {
    let blanks = width.saturating_sub(cell.chars().count());
    if right {
        out.extend(std::iter::repeat_n(' ', blanks));
        out.push_str(cell);
    } else {
        out.push_str(cell);
        // Nothing stands behind the last cell.
        if !last {
            out.extend(std::iter::repeat_n(' ', blanks));
        }
    }
    if !last {
        out.push(' ');
    }
}

/// A number, also of bytes: `1.5kb`.
fn measure(text: &str) -> Option<f64> {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic() || letter == '%').unwrap_or(text.len());
    let factor = match &text[end..] {
        "" | "b" | "%" => 1.0,
        "kb" => 1024.0,
        "mb" => 1048576.0,
        "gb" => 1073741824.0,
        "tb" => 1099511627776.0,
        _ => return None,
    };
    text[..end].parse::<f64>().ok().map(|number| number * factor)
}

/// Bytes as the product's `ByteSizeValue` writes them: one decimal, which is left out where it is zero.
pub(in super::super) fn bytes(count: u64) -> String {
    let units = [(1u64 << 40, "tb"), (1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    for (size, unit) in units {
        if count >= size {
            // Cut, not rounded.
            let tenths = count * 10 / size;
            return if tenths.is_multiple_of(10) {
                format!("{}{unit}", tenths / 10)
            } else {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{count}b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_in_columns() {
        let table = Table {
            columns: vec![
                left("index", &["i"], "name"),
                right("docs.count", &["dc"], "documents"),
                left("x", &[], "").hidden(),
            ],
            rows: vec![
                vec![Some("a".into()), Some("10".into()), None],
                vec![Some("longer".into()), Some("9".into()), None],
            ],
        };
        let all = Asked { verbose: true, ..Asked::default() };
        assert_eq!(table.text(all), "index  docs.count\na              10\nlonger          9\n");
        assert_eq!(table.text(Asked { headers: Some("dc"), ..Asked::default() }), "10\n 9\n");
        let mut sorted = table.clone();
        sorted.sort("dc:desc").unwrap();
        assert_eq!(sorted.rows[0][0].as_deref(), Some("a"));
        assert_eq!(sorted.sort("nope"), Err("nope".into()));
        assert_eq!((bytes(1536), bytes(208), bytes(5 << 20)), ("1.5kb".into(), "208b".into(), "5mb".into()));
    }
}
