//! Types as they are written in statements.

use sqlparser::ast::{CharacterLength, DataType, ExactNumberInfo, ObjectNamePart};

use super::engine::Context;
use super::error::SqlError;
use super::value::{Kind, Value};

/// The kind of a type as written.
///
/// # Errors
/// [`SqlError::UnknownType`].
pub fn kind(data_type: &DataType) -> Result<Kind, SqlError> {
    use DataType as T;
    let length = |length: &Option<CharacterLength>, otherwise: u32| match length {
        Some(CharacterLength::IntegerLength { length, .. }) => u32::try_from(*length).unwrap_or(u32::MAX),
        Some(CharacterLength::Max) => u32::MAX,
        None => otherwise,
    };
    Ok(match data_type {
        T::Bool | T::Boolean | T::Bit(None | Some(1)) => Kind::Boolean,
        T::TinyInt(Some(1)) => Kind::Boolean,
        T::TinyInt(_) | T::TinyIntUnsigned(_) => Kind::TinyInt,
        T::SmallInt(_) | T::Int2(_) | T::SmallIntUnsigned(_) => Kind::SmallInt,
        T::Int(_) | T::Integer(_) | T::Int4(_) | T::MediumInt(_) => Kind::Integer,
        T::IntUnsigned(_) | T::IntegerUnsigned(_) => Kind::Integer,
        T::BigInt(_) | T::Int8(_) | T::BigIntUnsigned(_) | T::Signed | T::SignedInteger => Kind::BigInt,
        T::Unsigned | T::UnsignedInteger => Kind::BigInt,
        T::Decimal(info) | T::Numeric(info) | T::Dec(info) | T::DecimalUnsigned(info) => exact(info),
        T::Real | T::Float4 => Kind::Float,
        T::Float(_) | T::Double(_) | T::DoublePrecision | T::Float8 => Kind::Double,
        T::Char(l) | T::Character(l) => Kind::Char(length(l, 1)),
        T::Varchar(l) | T::CharacterVarying(l) | T::CharVarying(l) | T::Nvarchar(l) => {
            Kind::Varchar(length(l, u32::MAX))
        }
        T::Text | T::TinyText | T::MediumText | T::LongText | T::String(_) | T::Clob(_) => Kind::Text,
        T::Enum(..) | T::Set(_) => Kind::Varchar(64),
        T::Blob(_) | T::TinyBlob | T::MediumBlob | T::LongBlob | T::Bytea => Kind::Blob,
        T::Binary(_) | T::Varbinary(_) | T::Bytes(_) => Kind::Blob,
        T::Date => Kind::Date,
        T::Time(..) => Kind::Time,
        T::Timestamp(..) | T::Datetime(_) => Kind::Timestamp,
        T::JSON | T::JSONB => Kind::Json,
        T::Uuid => Kind::Uuid,
        T::Regclass => Kind::Oid,
        T::Array(_) => Kind::Array,
        T::Bit(_) | T::BitVarying(_) => Kind::Blob,
        T::Custom(name, arguments) => {
            let word = match name.0.last() {
                Some(ObjectNamePart::Identifier(ident)) => ident.value.to_lowercase(),
                _ => String::new(),
            };
            named(&word, arguments).ok_or(SqlError::UnknownType(name.to_string()))?
        }
        other => return Err(SqlError::UnknownType(other.to_string())),
    })
}

fn exact(info: &ExactNumberInfo) -> Kind {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (18, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            (*precision, u64::try_from(*scale).unwrap_or(0))
        }
    };
    Kind::Decimal { precision: precision.min(65) as u8, scale: scale.min(30) as u8 }
}

/// Types that the parser knows by name only.
fn named(word: &str, arguments: &[String]) -> Option<Kind> {
    let length = arguments.first().and_then(|length| length.parse().ok());
    Some(match word {
        "serial" | "serial4" => Kind::Integer,
        "bigserial" | "serial8" => Kind::BigInt,
        "smallserial" => Kind::SmallInt,
        "money" | "smallmoney" => Kind::Decimal { precision: 19, scale: 4 },
        "nchar" | "bpchar" => Kind::Char(length.unwrap_or(1)),
        "ntext" | "xml" | "sql_variant" | "citext" | "image" | "hstore" => Kind::Text,
        "datetime2" | "smalldatetime" | "datetimeoffset" | "timestamptz" => Kind::Timestamp,
        "uniqueidentifier" => Kind::Uuid,
        "sysname" | "name" => Kind::Name,
        "oid" | "regclass" | "regtype" | "regproc" | "regnamespace" | "regrole" | "xid" | "cid" => Kind::Oid,
        "char" => Kind::Letter,
        "year" => Kind::SmallInt,
        "rowversion" => Kind::Blob,
        "inet" | "cidr" | "macaddr" | "interval" | "point" | "anyarray" | "pg_node_tree" => Kind::Text,
        _ => return None,
    })
}

/// Makes a value fit a type as written.
///
/// # Errors
/// [`SqlError::UnknownType`]; [`SqlError::BadValue`] where the product refuses it.
pub(super) fn cast(context: &Context<'_>, value: &Value, data_type: &DataType) -> Result<Value, SqlError> {
    let written = data_type.to_string().to_lowercase();
    if let Some(result) = context.product.cast(context, value, &written) {
        return result;
    }
    let kind = kind(data_type)?;
    let cut = |value: Value, length: u32| match value {
        Value::Text(text) => match text.char_indices().nth(usize::try_from(length).unwrap_or(usize::MAX)) {
            Some((end, _)) => Value::text(&text[..end]),
            None => Value::Text(text),
        },
        other => other,
    };
    if matches!(kind, Kind::Array)
        && let Value::Text(text) = value
    {
        return Ok(Value::Array(super::functions::array_of(text).into()));
    }
    match kind.coerce(value.clone()) {
        Some(value) => Ok(match kind {
            Kind::Char(length) | Kind::Varchar(length) => cut(value, length),
            _ => value,
        }),
        None if !context.rules.strict_numbers && kind.is_number() => {
            Ok(kind.coerce(Value::Integer(value.integer().unwrap_or(0))).unwrap_or(Value::Null))
        }
        None if !context.rules.strict_numbers => Ok(Value::Null),
        None => Err(SqlError::BadValue { value: value.to_string(), wanted: kind }),
    }
}
