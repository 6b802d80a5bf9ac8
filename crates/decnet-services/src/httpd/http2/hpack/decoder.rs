//! Header blocks to fields (RFC 7541 sections 5 and 6).

use super::huffman;
use super::table::Dynamic;
use crate::httpd::request::Field;

/// What a list of fields may be; more is counted and not kept.
#[derive(Clone, Copy, Debug)]
pub struct ListLimits {
    /// A name or a value, bytes.
    pub text: usize,
    /// All names and values, bytes.
    pub total: usize,
    /// The number of fields.
    pub fields: usize,
}

/// Why a block is none. All of it is a connection error of RFC 9113 section 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFault {
    /// It ends inside a field.
    Truncated,
    /// An index that neither table has, a broken integer or string, a table that is larger than allowed.
    Broken,
    /// The table's size is changed after a field.
    LateUpdate,
}

/// A list, as far as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The fields in order.
    pub fields: Vec<Field>,
    /// Whether something was longer than its bound and is missing.
    pub exceeded: bool,
}

/// The reading half of a connection.
#[derive(Clone, Debug)]
pub struct Decoder {
    table: Dynamic,
    allowed: usize,
    late_updates: bool,
}

/// Largest integer that a block may hold: longer ones are attacks or mistakes.
const INTEGER: usize = 1 << 24;

impl Decoder {
    /// With a table of at most `allowed` bytes. `late_updates`: changes of its size are taken anywhere.
    pub fn new(allowed: usize, late_updates: bool) -> Decoder {
        Decoder { table: Dynamic::new(allowed), allowed, late_updates }
    }

    /// The size of its table in bytes.
    pub fn table_size(&self) -> usize {
        self.table.size()
    }

    /// Reads a block. What exceeds the limits still changes the table, as it must.
    ///
    /// # Errors
    /// The block is none; the connection cannot go on.
    pub fn read(&mut self, block: &[u8], limits: &ListLimits) -> Result<List, BlockFault> {
        let mut list = List::default();
        let mut total = 0usize;
        let mut rest = block;
        let mut started = false;
        while let Some(first) = rest.first().copied() {
            if first & 0xe0 == 0x20 {
                let size = integer(&mut rest, 5)?;
                if started && !self.late_updates {
                    return Err(BlockFault::LateUpdate);
                }
                if size > self.allowed {
                    return Err(BlockFault::Broken);
                }
                self.table.resize(size);
                continue;
            }
            started = true;
            if first & 0x80 != 0 {
                let index = integer(&mut rest, 7)?;
                let (name, value) = self.table.get(index).ok_or(BlockFault::Broken)?;
                keep(&mut list, &mut total, limits, name, value);
                continue;
            }
            let indexed = first & 0x40 != 0;
            let index = integer(&mut rest, if indexed { 6 } else { 4 })?;
            let name = match index {
                0 => string(&mut rest)?,
                index => self.table.get(index).ok_or(BlockFault::Broken)?.0.to_vec(),
            };
            let value = string(&mut rest)?;
            keep(&mut list, &mut total, limits, &name, &value);
            if indexed {
                self.table.add(&name, &value);
            }
        }
        Ok(list)
    }
}

fn keep(list: &mut List, total: &mut usize, limits: &ListLimits, name: &[u8], value: &[u8]) {
    *total = total.saturating_add(name.len() + value.len());
    let long = name.len() > limits.text || value.len() > limits.text;
    if long || *total > limits.total || list.fields.len() >= limits.fields {
        list.exceeded = true;
        return;
    }
    list.fields.push(Field { name: name.to_vec(), value: value.to_vec() });
}

/// An integer with a prefix of that many bits (RFC 7541 section 5.1).
fn integer(rest: &mut &[u8], prefix: u32) -> Result<usize, BlockFault> {
    let (first, mut left) = rest.split_first().ok_or(BlockFault::Truncated)?;
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (byte, after) = left.split_first().ok_or(BlockFault::Truncated)?;
            left = after;
            value += usize::from(byte & 0x7f) << shift;
            if value > INTEGER {
                return Err(BlockFault::Broken);
            }
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            // Zeros could go on for ever.
            if shift > 28 {
                return Err(BlockFault::Broken);
            }
        }
    }
    *rest = left;
    Ok(value)
}

/// A string (RFC 7541 section 5.2).
fn string(rest: &mut &[u8]) -> Result<Vec<u8>, BlockFault> {
    let packed = rest.first().ok_or(BlockFault::Truncated)? & 0x80 != 0;
    let length = integer(rest, 7)?;
    if length > rest.len() {
        return Err(BlockFault::Truncated);
    }
    let (text, left) = rest.split_at(length);
    *rest = left;
    if packed { huffman::decode(text).ok_or(BlockFault::Broken) } else { Ok(text.to_vec()) }
}
