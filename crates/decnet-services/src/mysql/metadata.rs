//! Columns of results as the wire describes them.

use super::codec::{Column, flag, kind};
use super::product::Dialect;
use crate::sql::{Catalogue, Column as Stored, Heading, Kind};

/// What is no text has the collation `binary`.
const BINARY: u16 = 63;

/// Type, length, decimals, and whether it is text.
fn shape(dialect: &Dialect<'_>, of: Kind, stored: bool, wide: u32) -> (u8, u32, u8, bool) {
    let maria = dialect.persona.maria();
    match of {
        Kind::Boolean if stored => (kind::TINY, 1, 0, false),
        Kind::Boolean => (if maria { kind::LONG } else { kind::LONGLONG }, 1, 0, false),
        Kind::TinyInt => (kind::TINY, 4, 0, false),
        Kind::SmallInt => (kind::SHORT, 6, 0, false),
        Kind::Integer | Kind::Oid if stored => (kind::LONG, 11, 0, false),
        Kind::Integer | Kind::Oid => (if maria { kind::LONG } else { kind::LONGLONG }, 11, 0, false),
        Kind::BigInt => (kind::LONGLONG, 20, 0, false),
        Kind::Decimal { precision, scale } => {
            (kind::NEWDECIMAL, u32::from(precision) + if scale > 0 { 2 } else { 1 }, scale, false)
        }
        Kind::Float => (kind::FLOAT, 12, 31, false),
        Kind::Double => (kind::DOUBLE, 22, 31, false),
        Kind::Char(length) if stored => (kind::STRING, length.saturating_mul(wide), 0, true),
        Kind::Uuid if stored => (kind::STRING, 36 * wide, 0, true),
        Kind::Char(length) | Kind::Varchar(length) => {
            (kind::VAR_STRING, length.min(65_535).saturating_mul(wide), if stored { 0 } else { 39 }, true)
        }
        Kind::Uuid => (kind::VAR_STRING, 36 * wide, 39, true),
        Kind::Name => (kind::VAR_STRING, 64 * wide, 0, true),
        Kind::Text | Kind::Array | Kind::Letter if stored => (kind::BLOB, 65_535 * wide, 0, true),
        Kind::Text | Kind::Array | Kind::Letter => (kind::VAR_STRING, 255 * wide, 39, true),
        Kind::Blob => (kind::BLOB, 65_535, 0, false),
        Kind::Date => (kind::DATE, 10, 0, false),
        Kind::Time => (kind::TIME, 10, 0, false),
        Kind::Timestamp => (kind::DATETIME, 19, 0, false),
        Kind::Json if maria => (kind::BLOB, u32::MAX, 0, true),
        Kind::Json => (kind::JSON, u32::MAX, 0, false),
    }
}

/// Flags of a stored column.
fn flags(column: &Stored) -> u16 {
    let mut flags = 0;
    if !column.nullable {
        flags |= flag::NOT_NULL;
        if column.default.is_none() && !column.automatic {
            flags |= flag::NO_DEFAULT;
        }
    }
    if column.primary {
        flags |= flag::PRIMARY | flag::PART_KEY;
    } else if column.unique {
        flags |= flag::UNIQUE | flag::PART_KEY;
    }
    if column.automatic {
        flags |= flag::AUTOMATIC;
    }
    match column.kind {
        Kind::Text | Kind::Json => flags |= flag::BLOB,
        Kind::Blob => flags |= flag::BLOB | flag::BINARY,
        Kind::Date | Kind::Timestamp | Kind::Time => flags |= flag::BINARY,
        _ => {}
    }
    flags
}

/// A column of a result; `charset` is the client's collation.
pub(crate) fn heading(
    dialect: &Dialect<'_>,
    catalogue: &Catalogue,
    heading: &Heading,
    charset: u16,
) -> Column {
    let wide = if matches!(charset, 8 | 63) {
        1
    } else if charset == 33 {
        3
    } else {
        4
    };
    if let Some(origin) = &heading.origin {
        let column = super::schema::schemas(catalogue)
            .iter()
            .find(|schema| schema.name == origin.schema)
            .and_then(|schema| schema.tables.iter().find(|table| table.name == origin.table))
            .and_then(|table| table.columns.iter().find(|column| column.name == origin.column));
        let (kind, length, decimals, text) = shape(dialect, heading.kind, true, wide);
        // What SHOW makes comes from no table that a client could name.
        let shown = origin.schema.is_empty();
        let named = |text: &str| if shown { String::new() } else { text.to_owned() };
        return Column {
            schema: named(&origin.schema),
            table: named(&origin.alias),
            original_table: named(&origin.table),
            name: heading.name.clone(),
            original_name: named(&origin.column),
            charset: if text { charset } else { BINARY },
            length,
            kind,
            flags: column.map_or(0, flags),
            decimals,
        };
    }
    let (kind, length, decimals, text) = shape(dialect, heading.kind, false, wide);
    Column {
        name: heading.name.clone(),
        charset: if text { charset } else { BINARY },
        length,
        kind,
        flags: if text { 0 } else { flag::BINARY },
        decimals,
        ..Column::default()
    }
}

/// A column of a stored table, as COM_FIELD_LIST gives it.
pub(crate) fn stored(
    dialect: &Dialect<'_>,
    schema: &str,
    table: &str,
    column: &Stored,
    charset: u16,
) -> Column {
    let wide = if matches!(charset, 8 | 63) {
        1
    } else if charset == 33 {
        3
    } else {
        4
    };
    let (kind, length, decimals, text) = shape(dialect, column.kind, true, wide);
    Column {
        schema: schema.to_owned(),
        table: table.to_owned(),
        original_table: table.to_owned(),
        name: column.name.clone(),
        original_name: column.name.clone(),
        charset: if text { charset } else { BINARY },
        length,
        kind,
        flags: flags(column),
        decimals,
    }
}

/// The column that stands for a placeholder.
pub(crate) fn placeholder(maria: bool) -> Column {
    Column {
        name: "?".to_owned(),
        charset: BINARY,
        kind: if maria { kind::NULL } else { kind::VAR_STRING },
        flags: flag::BINARY,
        ..Column::default()
    }
}
