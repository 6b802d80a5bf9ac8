//! What a client asks once it is in: batches (section 2.2.6.7) and calls (section 2.2.6.6).

use super::text::utf16_lossy;
use super::types::read_value;
use super::{Reader, TdsVersion, Unparsed};
use crate::sql::Value;

/// Parameters of one call; the product takes 2,100.
const MOST_PARAMETERS: usize = 2100;
/// Calls in one message.
const MOST_CALLS: usize = 256;

/// The headers before a request, which clients of 2005 and later send (section 2.2.5.3).
fn skip_headers<'a>(body: &'a [u8], version: TdsVersion) -> Result<Reader<'a>, Unparsed> {
    let reader = Reader::new(body, "request");
    if !version.since(TdsVersion::V7_2) {
        return Ok(reader);
    }
    let total = usize::try_from(reader.clone().u32()?).unwrap_or(usize::MAX);
    if total < 4 {
        return Err(Unparsed::OutOfRange("header of the request"));
    }
    let mut reader = reader;
    reader.take(total)?;
    Ok(reader)
}

/// A batch of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Batch {
    /// The statements.
    pub(in super::super) text: String,
}

impl Batch {
    /// Reads it.
    pub(in super::super) fn read(body: &[u8], version: TdsVersion) -> Result<Batch, Unparsed> {
        Ok(Batch { text: utf16_lossy(skip_headers(body, version)?.rest()) })
    }
}

/// What a call calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Procedure {
    /// By name, as sent.
    Named(String),
    /// By number.
    Numbered(u16),
}

impl Procedure {
    /// The name, also of the numbered ones.
    pub(in super::super) fn name(&self) -> String {
        match self {
            Procedure::Named(name) => name.clone(),
            Procedure::Numbered(number) => match number {
                1 => "sp_cursor",
                2 => "sp_cursoropen",
                3 => "sp_cursorprepare",
                4 => "sp_cursorexecute",
                5 => "sp_cursorprepexec",
                6 => "sp_cursorunprepare",
                7 => "sp_cursorfetch",
                8 => "sp_cursoroption",
                9 => "sp_cursorclose",
                10 => "sp_executesql",
                11 => "sp_prepare",
                12 => "sp_execute",
                13 => "sp_prepexec",
                14 => "sp_prepexecrpc",
                15 => "sp_unprepare",
                _ => return format!("#{number}"),
            }
            .to_owned(),
        }
    }
}

/// A parameter of a call.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Parameter {
    /// Its name with `@`; empty where it goes by its place.
    pub(in super::super) name: String,
    /// Whether the caller wants it back.
    pub(in super::super) output: bool,
    /// Its value.
    pub(in super::super) value: Value,
}

/// A call of a procedure.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Call {
    /// What is called.
    pub(in super::super) procedure: Procedure,
    /// With what.
    pub(in super::super) parameters: Vec<Parameter>,
}

impl Call {
    /// Reads the calls of a message.
    pub(in super::super) fn read(body: &[u8], version: TdsVersion) -> Result<Vec<Call>, Unparsed> {
        let mut reader = skip_headers(body, version)?;
        let mut calls = Vec::new();
        while !reader.is_empty() {
            if calls.len() == MOST_CALLS {
                return Err(Unparsed::TooLarge("number of calls"));
            }
            calls.push(Call::one(&mut reader, version)?);
        }
        Ok(calls)
    }

    fn one(reader: &mut Reader<'_>, version: TdsVersion) -> Result<Call, Unparsed> {
        let length = reader.u16()?;
        let procedure = if length == u16::MAX {
            Procedure::Numbered(reader.u16()?)
        } else {
            Procedure::Named(utf16_lossy(reader.take(usize::from(length) * 2)?))
        };
        let _options = reader.u16()?;
        let mut parameters = Vec::new();
        while let Some(next) = reader.peek() {
            // What divides calls: 80 before 2005, FF since, FE without carrying out.
            if matches!(next, 0x80 | 0xfe | 0xff) {
                reader.u8()?;
                break;
            }
            if parameters.len() == MOST_PARAMETERS {
                return Err(Unparsed::TooLarge("number of parameters"));
            }
            let length = usize::from(reader.u8()?);
            let name = utf16_lossy(reader.take(length * 2)?);
            let status = reader.u8()?;
            let value = read_value(reader, version)?;
            parameters.push(Parameter { name, output: status & 1 != 0, value });
        }
        Ok(Call { procedure, parameters })
    }
}
