//! Bytes to values and back, without I/O, clock or randomness: JSON as the product writes it, the text
//! tables of `_cat`, and request lines as its HTTP library reads them.

pub(super) mod json;
pub(super) mod table;
pub(super) mod target;
