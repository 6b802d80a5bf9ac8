//! Errors as the product words and places them. Files, lines and functions are those of 15.18, measured;
//! only the refusal of a protocol has its line by release.

use super::codec::reply::{Fault, Fields};
use crate::sql::{Kind, Near, SqlError};

/// Code, text prefix, and where in the source it is raised.
const SOURCES: &[(&str, &str, &str, u32, &str)] = &[
    ("42601", "syntax error", "scan.l", 1188, "scanner_yyerror"),
    ("42601", "unterminated", "scan.l", 1188, "scanner_yyerror"),
    ("42601", "INSERT has", "analyze.c", 1017, "transformInsertRow"),
    ("42601", "each UNION", "analyze.c", 2166, "transformSetOperationTree"),
    ("42601", "improper qualified", "gram.y", 18_310, "makeRangeVarFromQualifiedName"),
    ("42P01", "relation", "parse_relation.c", 1392, "parserOpenTable"),
    ("42P01", "table", "tablecmds.c", 1304, "DropErrorMsgNonExistent"),
    ("42P01", "missing FROM", "parse_relation.c", 3617, "errorMissingRTE"),
    ("42703", "column", "parse_relation.c", 3665, "errorMissingColumn"),
    ("42702", "", "parse_relation.c", 898, "colNameToVar"),
    ("42883", "", "parse_func.c", 629, "ParseFuncOrColumn"),
    ("22012", "", "int.c", 869, "int4div"),
    ("22P02", "", "numutils.c", 232, "pg_strtoint32"),
    ("22003", "", "int8.c", 1270, "int84"),
    ("23502", "", "execMain.c", 2023, "ExecConstraints"),
    ("23505", "", "nbtinsert.c", 664, "_bt_check_unique"),
    ("42P07", "", "heap.c", 1164, "heap_create_with_catalog"),
    ("42P04", "", "dbcommands.c", 1242, "createdb"),
    ("42P06", "", "pg_namespace.c", 62, "NamespaceCreate"),
    ("3D000", "", "dbcommands.c", 1549, "dropdb"),
    ("3F000", "", "namespace.c", 3099, "get_namespace_oid"),
    ("21000", "", "nodeSubplan.c", 1156, "ExecSetParamPlan"),
    ("42704", "type", "parse_type.c", 270, "typenameType"),
    ("42704", "unrecognized", "guc.c", 5734, "find_option"),
    ("42704", "role", "user.c", 951, "DropRole"),
    ("42710", "role", "user.c", 308, "CreateRole"),
    ("42710", "extension", "extension.c", 1969, "CreateExtension"),
    ("0A000", "extension", "extension.c", 669, "parse_extension_control_file"),
    ("0A000", "cross-database", "namespace.c", 257, "RangeVarGetRelidExtended"),
    ("26000", "", "prepare.c", 451, "FetchPreparedStatement"),
    ("34000", "portal", "postgres.c", 2071, "exec_execute_message"),
    ("34000", "cursor", "portalcmds.c", 187, "PerformPortalFetch"),
    ("25P01", "", "xact.c", 3587, "CheckTransactionBlock"),
    ("25P02", "", "postgres.c", 1081, "exec_simple_query"),
    ("42501", "permission denied to create role", "user.c", 275, "CreateRole"),
    ("42501", "permission denied to create database", "dbcommands.c", 939, "createdb"),
    ("42501", "permission denied to set parameter", "guc.c", 8972, "AlterSystemSetConfigFile"),
    ("42501", "permission denied", "aclchk.c", 3655, "aclcheck_error"),
    ("42501", "must be owner", "aclchk.c", 3793, "aclcheck_error"),
    ("42501", "must be superuser or have privileges of the pg_exec", "copy.c", 84, "DoCopy"),
    ("42501", "must be superuser or have privileges of the pg_read_server", "copy.c", 91, "DoCopy"),
    ("42501", "must be superuser or have privileges of the pg_write", "copy.c", 100, "DoCopy"),
    (
        "42501",
        "must be superuser or have privileges of pg_read_all",
        "guc.c",
        10_085,
        "GetConfigOptionByName",
    ),
    ("42501", "must be superuser to alter", "user.c", 636, "AlterRole"),
    ("42501", "could not open file", "genfile.c", 121, "read_binary_file"),
    ("58P01", "could not open directory", "fd.c", 2807, "ReadDirExtended"),
    ("58P01", "could not open server file", "be-fsstubs.c", 422, "lo_import_internal"),
    ("58P01", "could not access file", "dfmgr.c", 208, "internal_load_library"),
    ("58P01", "could not open file", "genfile.c", 121, "read_binary_file"),
    ("XX000", "incompatible library", "dfmgr.c", 279, "internal_load_library"),
    ("22023", "invalid value for parameter", "guc.c", 7422, "parse_and_validate_value"),
    ("08P01", "invalid frontend message", "postgres.c", 446, "SocketBackend"),
    ("08P01", "invalid string", "pqformat.c", 595, "pq_getmsgstring"),
    ("08P01", "expected SASL", "auth-sasl.c", 95, "CheckSASLAuth"),
    ("08P01", "client selected", "auth-scram.c", 256, "scram_init"),
    ("08P01", "malformed SCRAM", "auth-scram.c", 712, "read_attr_value"),
    ("08P01", "expected password", "auth.c", 733, "recv_password_packet"),
    ("28P01", "", "auth.c", 334, "auth_failed"),
    ("28000", "no pg_hba", "auth.c", 536, "ClientAuthentication"),
    ("28000", "no PostgreSQL user", "postmaster.c", 2351, "ProcessStartupPacket"),
    ("08P01", "invalid startup", "postmaster.c", 2334, "ProcessStartupPacket"),
    ("53300", "", "postmaster.c", 2448, "ProcessStartupPacket"),
    ("57P01", "", "postgres.c", 3217, "ProcessInterrupts"),
    ("54001", "", "postgres.c", 3525, "check_stack_depth"),
];

/// An error with its source.
pub(crate) fn fault(severity: &'static str, code: &str, message: impl Into<String>) -> Fault {
    let message = message.into();
    let (file, line, routine) = SOURCES
        .iter()
        .find(|(known, prefix, ..)| *known == code && message.starts_with(prefix))
        .map_or(("elog.c", 0, ""), |(_, _, file, line, routine)| (*file, *line, *routine));
    let source = if line == 0 { (String::new(), 0, "") } else { (file.to_owned(), line, routine) };
    Fields { severity, code: code.to_owned(), message, source, ..Fields::default() }.into()
}

/// The type of a kind as texts name it.
fn kind_name(kind: Kind) -> String {
    super::functions::plain_type(kind)
}

/// Where a word stands in a statement, in characters from 1.
fn position(text: &str, word: &str) -> Option<usize> {
    let lower = text.to_lowercase();
    let wanted = word.to_lowercase();
    let mut from = 0;
    while let Some(at) = lower.get(from..)?.find(&wanted) {
        let at = from + at;
        let before = lower[..at].chars().next_back();
        let after = lower[at + wanted.len()..].chars().next();
        let part =
            |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        if !part(before) && !part(after) {
            return Some(lower[..at].chars().count() + 1);
        }
        from = at + wanted.len().max(1);
    }
    None
}

fn near(near: &Near, text: &str) -> Fault {
    let mut made = if near.token.is_empty() {
        let mut made = fault("ERROR", "42601", "syntax error at end of input");
        made.source.1 = 1180;
        made
    } else {
        fault("ERROR", "42601", format!("syntax error at or near \"{}\"", near.token))
    };
    let head = text.get(..near.offset.min(text.len())).unwrap_or(text);
    made.position = Some(head.chars().count() + 1);
    made
}

/// What the product says to an error of the engine. `text` is the statement, `call` the types of the last
/// call's arguments.
pub(crate) fn of(error: &SqlError, text: &str, call: &str) -> Fault {
    let e = |code: &str, message: String| fault("ERROR", code, message);
    match error {
        SqlError::Syntax(at) => near(at, text),
        SqlError::Unterminated(at) => {
            let rest = text.get(at.offset..).unwrap_or_default();
            let what = if rest.starts_with("/*") {
                "/* comment"
            } else if rest.starts_with('"') {
                "quoted identifier"
            } else {
                "quoted string"
            };
            let mut made = e("42601", format!("unterminated {what} at or near \"{rest}\""));
            made.position = Some(text.get(..at.offset).unwrap_or(text).chars().count() + 1);
            made
        }
        SqlError::TooComplex => {
            let mut made = e("54001", "stack depth limit exceeded".to_owned());
            made.hint = Some("Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the \
                 platform's stack depth limit is adequate.".to_owned());
            made
        }
        SqlError::Full => {
            e("53100", "could not extend file \"base/16384/16390\": No space left on device".to_owned())
        }
        SqlError::UnknownDatabase(name) => e("3D000", format!("database \"{name}\" does not exist")),
        SqlError::UnknownSchema(name) => e("3F000", format!("schema \"{name}\" does not exist")),
        SqlError::UnknownTable(path) => {
            let drop = text.trim_start().to_lowercase().starts_with("drop ");
            let alter = text.trim_start().to_lowercase().starts_with("alter ");
            // The engine completes a name without a schema by the first of the path.
            let written = path.join(".");
            let last = path.last().cloned().unwrap_or_default();
            let shown = if position(text, &written).is_some() { written } else { last };
            if drop {
                return e("42P01", format!("table \"{shown}\" does not exist"));
            }
            let mut made = e("42P01", format!("relation \"{shown}\" does not exist"));
            if alter {
                made.source = ("namespace.c".to_owned(), 433, "RangeVarGetRelidExtended");
            } else {
                made.position = position(text, &shown);
            }
            made
        }
        SqlError::UnknownColumn { name, .. } => {
            let known = name.split_once('.');
            let quoted = if known.is_some() { name.clone() } else { format!("\"{name}\"") };
            let mut made = e("42703", format!("column {quoted} does not exist"));
            made.position = position(text, name);
            made
        }
        SqlError::Ambiguous(name) => {
            let mut made = e("42702", format!("column reference \"{name}\" is ambiguous"));
            made.position = position(text, name);
            made
        }
        SqlError::UnknownFunction { name, .. } | SqlError::ArgumentCount(name) => {
            let mut made = e("42883", format!("function {name}{call} does not exist"));
            made.hint = Some(
                "No function matches the given name and argument types. You might need to add explicit type casts."
                    .to_owned(),
            );
            made.position = position(text, name);
            made
        }
        SqlError::UnknownType(name) => {
            let name = name.to_lowercase();
            let mut made = e("42704", format!("type \"{name}\" does not exist"));
            made.position = position(text, &name);
            made
        }
        SqlError::BadValue { value, wanted } => {
            let mut made =
                e("22P02", format!("invalid input syntax for type {}: \"{value}\"", kind_name(*wanted)));
            made.position = text.find(&format!("'{value}'")).map(|at| text[..at].chars().count() + 1);
            made
        }
        SqlError::DivisionByZero => e("22012", "division by zero".to_owned()),
        SqlError::OutOfRange => e("22003", "integer out of range".to_owned()),
        SqlError::ManyRows => {
            e("21000", "more than one row returned by a subquery used as an expression".to_owned())
        }
        SqlError::ColumnCount => {
            e("42601", "each UNION query must have the same number of columns".to_owned())
        }
        SqlError::ValueCount(_) => e("42601", "INSERT has more expressions than target columns".to_owned()),
        SqlError::Duplicate { value, table, key } => {
            let mut made =
                e("23505", format!("duplicate key value violates unique constraint \"{table}_pkey\""));
            made.detail = Some(format!("Key ({key})=({value}) already exists."));
            made.names =
                vec![(b's', "public".to_owned()), (b't', table.clone()), (b'n', format!("{table}_pkey"))];
            made
        }
        SqlError::NotNull(column) | SqlError::NoDefault(column) => {
            let table = table_of(text);
            let mut made = e(
                "23502",
                format!(
                    "null value in column \"{column}\" of relation \"{table}\" violates not-null constraint"
                ),
            );
            made.names = vec![(b's', "public".to_owned()), (b't', table), (b'c', column.clone())];
            made
        }
        SqlError::TableExists(name) => e("42P07", format!("relation \"{name}\" already exists")),
        SqlError::DatabaseExists(name) => {
            if text.to_lowercase().contains("schema") {
                e("42P06", format!("schema \"{name}\" already exists"))
            } else {
                e("42P04", format!("database \"{name}\" already exists"))
            }
        }
        SqlError::NoDatabase => e("3F000", "no schema has been selected to create in".to_owned()),
        SqlError::ReadOnly(name) => {
            let name = name.rsplit('.').next().unwrap_or(name);
            e("42501", format!("permission denied: \"{name}\" is a system catalog"))
        }
        SqlError::Unsupported(_) => {
            let word: String = text
                .trim_start()
                .chars()
                .take_while(|letter| !letter.is_whitespace() && *letter != ';')
                .collect();
            let mut made = e("42601", format!("syntax error at or near \"{word}\""));
            made.position = Some(text.chars().count() - text.trim_start().chars().count() + 1);
            made
        }
        SqlError::Product { code, message } => {
            let mut made = fault("ERROR", code, message.clone());
            if code == "58P01"
                && message.starts_with("could not open file")
                && text.to_lowercase().trim_start().starts_with("copy")
            {
                made.source = ("copyfrom.c".to_owned(), 1523, "BeginCopyFrom");
            }
            if code == "42P01" {
                made.source = ("namespace.c".to_owned(), 433, "RangeVarGetRelidExtended");
            }
            made
        }
    }
}

/// The table that INSERT or UPDATE names.
fn table_of(text: &str) -> String {
    let mut words =
        text.split(|letter: char| letter.is_whitespace() || letter == '(').filter(|word| !word.is_empty());
    let _ = words.find(|word| word.eq_ignore_ascii_case("into") || word.eq_ignore_ascii_case("update"));
    let name = words.next().unwrap_or_default();
    name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_owned()
}
