//! Events as RFC 5424 lines, and back.
//!
//! `<PRI>1 TIMESTAMP HOSTNAME APP-NAME - MSGID [decnet@32473 name="value" …] MSG`
//!
//! - facility local0 (16), severity of the event; TIMESTAMP in UTC with six fractional digits
//! - HOSTNAME: the decky's name. APP-NAME: the service. MSGID: the kind of the event
//! - one structured data element, one parameter per field, under the names of the JSON; lists are JSON
//! - what the header says is not said again, unless the header could not hold it exactly: then `decky` and
//!   `service` stand as parameters too
//! - MSG: a fixed sentence and the source address. No byte of it is the intruder's choice
//!
//! One event is always one line of valid UTF-8, and nothing in it can look like a second one: a value with a
//! control character, a line separator or the like ([`crate::text::is_unsafe`]) is written with the escapes
//! of a JSON string, and the parameter `escaped` names the fields this was done to. All other values stand
//! as they are; over them lie only the three escapes of RFC 5424 section 6.3.3. The parameter `truncated`
//! names the fields that were cut to fit a datagram.

mod encode;
mod parse;

pub use encode::{encode, encode_datagram, encode_into, encode_within};
pub use parse::{ParseError, parse};

/// local0.
pub const FACILITY: u8 = 16;

/// SD-ID; 32473 is the enterprise number for documentation (RFC 5612).
pub const SD_ID: &str = "decnet@32473";

/// Octets in a datagram: what RFC 5426 section 3.2 says a receiver should take.
pub const DATAGRAM_LIMIT: usize = 2048;

/// The parameter that names the fields written with JSON escapes.
const ESCAPED: &str = "escaped";

/// The parameter that names the fields that were cut.
const TRUNCATED: &str = "truncated";

/// Longest HOSTNAME (RFC 5424 section 6).
const HOSTNAME_LIMIT: usize = 255;
/// Longest APP-NAME.
const APP_NAME_LIMIT: usize = 48;
/// Longest MSGID.
const MSGID_LIMIT: usize = 32;

#[cfg(test)]
mod tests;
