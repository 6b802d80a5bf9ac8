//! An event as a flat list of named values, straight from its `Serialize`: the names are those of the JSON,
//! so that there is no second list of fields to keep in step.

use std::fmt;

use serde::Serialize;
use serde::ser::{Impossible, SerializeMap, SerializeStruct, Serializer};

use crate::json;

/// Takes the fields of an event, in the order of its JSON.
pub(crate) trait Visit {
    /// A string.
    fn text(&mut self, name: &str, value: &str);
    /// A number or a truth value.
    fn plain(&mut self, name: &str, value: fmt::Arguments<'_>);
    /// A list or an object, as line-safe JSON.
    fn json(&mut self, name: &str, value: &str);
}

/// Visits every field of a value that serialises as a map or a struct.
pub(crate) fn visit<T: Serialize>(value: &T, visitor: &mut impl Visit) -> Result<(), Error> {
    value.serialize(Top(visitor))
}

/// Why a value has no fields; an [`crate::Event`] always has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Told to the caller inside this module: the value is a list or an object.
    #[error("a list or an object where a single value is wanted")]
    Compound,
    /// Neither a map nor a struct at the top, or a key that is no string.
    #[error("a single value where fields are wanted")]
    Single,
    /// From `Serialize`.
    #[error("{0}")]
    Serialize(String),
}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::Serialize(message.to_string())
    }
}

/// The top: only what has fields.
struct Top<'a, V>(&'a mut V);

/// The fields of the top.
struct Fields<'a, V> {
    visitor: &'a mut V,
    name: String,
}

/// A single value of a field.
struct Single<'a, V> {
    visitor: &'a mut V,
    name: &'a str,
}

impl<V: Visit> Fields<'_, V> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        match value.serialize(Single { visitor: &mut *self.visitor, name }) {
            Err(Error::Compound) => {
                let mut out = Vec::new();
                json::encode_into(value, &mut out).map_err(|error| Error::Serialize(error.to_string()))?;
                let text = std::str::from_utf8(&out).map_err(|error| Error::Serialize(error.to_string()))?;
                self.visitor.json(name, text);
                Ok(())
            }
            other => other,
        }
    }
}

impl<V: Visit> SerializeMap for Fields<'_, V> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.name = key.serialize(Key)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = std::mem::take(&mut self.name);
        self.field(&name, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<V: Visit> SerializeStruct for Fields<'_, V> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

/// The methods of a serializer that all answer alike.
macro_rules! answer {
    ($error:expr; $($method:ident($($arg:ident: $type:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $($arg: $type),*) -> Result<$ok, Error> {
            $(let _ = $arg;)*
            Err($error)
        })*
    };
}

impl<'a, V: Visit> Serializer for Top<'a, V> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Fields<'a, V>;
    type SerializeStruct = Fields<'a, V>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn serialize_map(self, _len: Option<usize>) -> Result<Fields<'a, V>, Error> {
        Ok(Fields { visitor: self.0, name: String::new() })
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Fields<'a, V>, Error> {
        Ok(Fields { visitor: self.0, name: String::new() })
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Error> {
        Err(Error::Single)
    }

    answer! { Error::Single;
        serialize_bool(value: bool) -> ();
        serialize_i8(value: i8) -> ();
        serialize_i16(value: i16) -> ();
        serialize_i32(value: i32) -> ();
        serialize_i64(value: i64) -> ();
        serialize_u8(value: u8) -> ();
        serialize_u16(value: u16) -> ();
        serialize_u32(value: u32) -> ();
        serialize_u64(value: u64) -> ();
        serialize_f32(value: f32) -> ();
        serialize_f64(value: f64) -> ();
        serialize_char(value: char) -> ();
        serialize_str(value: &str) -> ();
        serialize_bytes(value: &[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(name: &'static str) -> ();
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Impossible<(), Error>;
        serialize_tuple(len: usize) -> Impossible<(), Error>;
        serialize_tuple_struct(name: &'static str, len: usize) -> Impossible<(), Error>;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Impossible<(), Error>;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Impossible<(), Error>;
    }
}

/// The methods of [`Single`] that print a plain value.
macro_rules! plain {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.visitor.plain(self.name, format_args!("{value}"));
            Ok(())
        })*
    };
}

impl<V: Visit> Serializer for Single<'_, V> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    plain! {
        serialize_bool: bool;
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.visitor.text(self.name, value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    /// What is missing has no field.
    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Error> {
        Err(Error::Compound)
    }

    answer! { Error::Compound;
        serialize_f32(value: f32) -> ();
        serialize_f64(value: f64) -> ();
        serialize_bytes(value: &[u8]) -> ();
        serialize_unit() -> ();
        serialize_unit_struct(name: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Impossible<(), Error>;
        serialize_tuple(len: usize) -> Impossible<(), Error>;
        serialize_tuple_struct(name: &'static str, len: usize) -> Impossible<(), Error>;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Impossible<(), Error>;
        serialize_map(len: Option<usize>) -> Impossible<(), Error>;
        serialize_struct(name: &'static str, len: usize) -> Impossible<(), Error>;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Impossible<(), Error>;
    }
}

/// A key: only a string.
struct Key;

impl Serializer for Key {
    type Ok = String;
    type Error = Error;
    type SerializeSeq = Impossible<String, Error>;
    type SerializeTuple = Impossible<String, Error>;
    type SerializeTupleStruct = Impossible<String, Error>;
    type SerializeTupleVariant = Impossible<String, Error>;
    type SerializeMap = Impossible<String, Error>;
    type SerializeStruct = Impossible<String, Error>;
    type SerializeStructVariant = Impossible<String, Error>;

    fn serialize_str(self, value: &str) -> Result<String, Error> {
        Ok(value.to_owned())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<String, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<String, Error> {
        Err(Error::Single)
    }

    answer! { Error::Single;
        serialize_bool(value: bool) -> String;
        serialize_i8(value: i8) -> String;
        serialize_i16(value: i16) -> String;
        serialize_i32(value: i32) -> String;
        serialize_i64(value: i64) -> String;
        serialize_u8(value: u8) -> String;
        serialize_u16(value: u16) -> String;
        serialize_u32(value: u32) -> String;
        serialize_u64(value: u64) -> String;
        serialize_f32(value: f32) -> String;
        serialize_f64(value: f64) -> String;
        serialize_char(value: char) -> String;
        serialize_bytes(value: &[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(name: &'static str) -> String;
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> String;
        serialize_seq(len: Option<usize>) -> Impossible<String, Error>;
        serialize_tuple(len: usize) -> Impossible<String, Error>;
        serialize_tuple_struct(name: &'static str, len: usize) -> Impossible<String, Error>;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Impossible<String, Error>;
        serialize_map(len: Option<usize>) -> Impossible<String, Error>;
        serialize_struct(name: &'static str, len: usize) -> Impossible<String, Error>;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Impossible<String, Error>;
    }
}
