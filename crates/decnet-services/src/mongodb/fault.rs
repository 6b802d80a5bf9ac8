//! What a command fails with: the product's code, its name and the text.

use super::codec::{Document, Value};

/// A failed command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// The code (`error_codes.yml` of the product).
    pub(crate) code: i32,
    /// The text.
    pub(crate) text: String,
    /// More values behind the name of the code, as a duplicate key has.
    pub(crate) more: Document,
}

impl Fault {
    /// A fault of a code.
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Fault {
        Fault { code, text: text.into(), more: Document::new() }
    }

    /// BadValue.
    pub(crate) fn bad(text: impl Into<String>) -> Fault {
        Fault::new(2, text)
    }

    /// FailedToParse.
    pub(crate) fn parse(text: impl Into<String>) -> Fault {
        Fault::new(9, text)
    }

    /// TypeMismatch.
    pub(crate) fn mismatch(text: impl Into<String>) -> Fault {
        Fault::new(14, text)
    }

    /// The name of the code.
    pub(crate) fn name(&self) -> String {
        let name = match self.code {
            2 => "BadValue",
            9 => "FailedToParse",
            11 => "UserNotFound",
            13 => "Unauthorized",
            14 => "TypeMismatch",
            17 => "ProtocolError",
            18 => "AuthenticationFailed",
            20 => "IllegalOperation",
            22 => "InvalidBSON",
            26 => "NamespaceNotFound",
            27 => "IndexNotFound",
            28 => "PathNotViable",
            40 => "ConflictingUpdateOperators",
            43 => "CursorNotFound",
            48 => "NamespaceExists",
            50 => "MaxTimeMSExpired",
            52 => "DollarPrefixedFieldName",
            59 => "CommandNotFound",
            66 => "ImmutableField",
            67 => "CannotCreateIndex",
            68 => "IndexAlreadyExists",
            72 => "InvalidOptions",
            73 => "InvalidNamespace",
            76 => "NoReplicationEnabled",
            94 => "NotYetInitialized",
            115 => "CommandNotSupported",
            166 => "CommandNotSupportedOnView",
            168 => "InvalidPipelineOperator",
            238 => "NotImplemented",
            303 => "FeatureNotSupported",
            334 => "MechanismUnavailable",
            352 => "UnsupportedOpQueryCommand",
            10334 => "BSONObjectTooLarge",
            11000 => "DuplicateKey",
            14031 => "OutOfDiskSpace",
            16945 => "Location16945",
            other => return format!("Location{other}"),
        };
        name.to_owned()
    }

    /// The whole answer, by the order that the release writes. Before 3.4 codes have no names, and before
    /// 3.0 `ok` comes first.
    pub(crate) fn answer(&self, release: (u32, u32)) -> Document {
        let mut answer =
            Document::new().with("ok", 0.0).with("errmsg", self.text.as_str()).with("code", self.code);
        if release >= (3, 4) {
            answer.push("codeName", self.name());
        }
        answer.0.extend(self.more.0.iter().cloned());
        answer
    }

    /// As an element of `writeErrors`.
    pub(crate) fn write_error(&self, index: usize) -> Document {
        let mut error =
            Document::new().with("index", i32::try_from(index).unwrap_or(i32::MAX)).with("code", self.code);
        error.0.extend(self.more.0.iter().cloned());
        error.with("errmsg", Value::from(self.text.as_str()))
    }
}
