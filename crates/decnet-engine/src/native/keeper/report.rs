//! The keeper's words to the operator.

use std::io::Write;

/// Writes a line to the keeper's log, which is its standard error. This is no printing to a terminal: the
/// command line that started the keeper pointed it at a file.
pub(crate) fn operator(message: &str) {
    let shown: String = message.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let _ = writeln!(std::io::stderr(), "{shown}");
}
