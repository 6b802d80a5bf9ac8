//! Fields to header blocks, in the manner of a product: which it adds to the table, which names it takes
//! from it, when it packs a string.

use super::huffman;
use super::table::{Dynamic, ENTRY_COST};

/// Which fields are literals that are added to no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literals {
    /// All but these, whose names stand in the static table: the table is written to and never read
    /// (nginx).
    AllBut(&'static [&'static str]),
    /// These (nghttp2: what is different in every response).
    These(&'static [&'static str]),
}

/// When the size of the table is announced at the head of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcing {
    /// Never (lighttpd).
    Never,
    /// As zero, whatever the client allows (nginx).
    Zero,
    /// As what is used of what the client allows (nghttp2).
    Used,
}

/// How a product writes blocks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Literals.
    pub literals: Literals,
    /// Fields whose value is never packed.
    pub plain: &'static [&'static str],
    /// Whether a string is packed also where that saves nothing.
    pub packs_ties: bool,
    /// What it says after the client set a size.
    pub announcing: Announcing,
}

/// The largest table that products use for writing (RFC 9113 section 6.5.2: the initial value).
pub const TABLE: usize = 4096;

/// The writing half of a connection.
#[derive(Clone, Debug)]
pub struct Encoder {
    style: &'static Style,
    table: Dynamic,
    /// Sizes to announce: the smallest since the last block, and the last.
    changed: Option<(usize, usize)>,
}

impl Encoder {
    /// In that style.
    pub fn new(style: &'static Style) -> Encoder {
        Encoder { style, table: Dynamic::new(TABLE), changed: None }
    }

    /// The client allows a table of that size.
    pub fn allow(&mut self, size: usize) {
        let size = size.min(TABLE);
        let smallest = self.changed.map_or(size, |(smallest, _)| smallest.min(size));
        self.changed = Some((smallest, size));
        self.table.resize(size);
    }

    /// Writes a block.
    pub fn write<'a>(&mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some((smallest, last)) = self.changed.take() {
            match self.style.announcing {
                Announcing::Never => {}
                Announcing::Zero => integer(&mut out, 0x20, 5, 0),
                Announcing::Used => {
                    if smallest < last {
                        integer(&mut out, 0x20, 5, smallest);
                    }
                    integer(&mut out, 0x20, 5, last);
                }
            }
        }
        for (name, value) in fields {
            self.field(&mut out, name, value);
        }
        out
    }

    fn field(&mut self, out: &mut Vec<u8>, name: &str, value: &str) {
        let packed = !self.style.plain.contains(&name);
        if let Literals::AllBut(known) = self.style.literals {
            let (whole, named) = Dynamic::new(0).find(name.as_bytes(), value.as_bytes());
            match (name, whole, named) {
                (":status", Some(index), _) => integer(out, 0x80, 7, index),
                (_, _, Some(index)) if known.contains(&name) => {
                    integer(out, 0x40, 6, index);
                    self.string(out, value, packed);
                }
                _ => {
                    out.push(0);
                    self.string(out, name, true);
                    self.string(out, value, packed);
                }
            }
            return;
        }
        let (whole, named) = self.table.find(name.as_bytes(), value.as_bytes());
        if let Some(index) = whole {
            return integer(out, 0x80, 7, index);
        }
        let size = name.len() + value.len() + ENTRY_COST;
        let literal = matches!(self.style.literals, Literals::These(names) if names.contains(&name));
        // nghttp2 keeps what would fill the table out of it; ls-hpack, which announces nothing, does not.
        let fits = self.style.announcing == Announcing::Never || size <= self.table.bound() / 4 * 3;
        let added = !literal && fits;
        let (mark, prefix) = if added { (0x40, 6) } else { (0, 4) };
        integer(out, mark, prefix, named.unwrap_or(0));
        if named.is_none() {
            self.string(out, name, true);
        }
        self.string(out, value, packed);
        if added {
            self.table.add(name.as_bytes(), value.as_bytes());
        }
    }

    fn string(&self, out: &mut Vec<u8>, text: &str, packed: bool) {
        let length = huffman::encoded_len(text.as_bytes());
        let shorter = length < text.len() || self.style.packs_ties && length == text.len();
        if packed && shorter {
            integer(out, 0x80, 7, length);
            huffman::encode(text.as_bytes(), out);
        } else {
            integer(out, 0, 7, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// An integer after the bits of `mark` (RFC 7541 section 5.1).
fn integer(out: &mut Vec<u8>, mark: u8, prefix: u32, value: usize) {
    let mask = (1usize << prefix) - 1;
    if value < mask {
        out.push(mark | value as u8);
        return;
    }
    out.push(mark | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
