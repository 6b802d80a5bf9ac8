//! The views of a database on its own objects.

use super::product::TSql;
use super::system::{BIT, INT, Made, NAME, TIME, TYPES, data_folder, file, int, text, typed};
use crate::sql::{Database, Kind, Value};

/// What each database has of its own.
pub(super) fn objects(product: &TSql<'_>, here: &Database, name: &str) -> Option<Made> {
    let tables = || {
        here.schemas
            .iter()
            .enumerate()
            .flat_map(|(at, schema)| schema.tables.iter().map(move |table| (at as i64 + 1, table)))
    };
    let routines = || product.facts.routines.keys().filter(|_| here.name != "tempdb");
    Some(match name {
        "objects" | "all_objects" | "tables" | "sysobjects" | "procedures" | "views" | "triggers" => {
            let mut rows: Vec<Vec<Value>> = Vec::new();
            if !matches!(name, "procedures" | "views" | "triggers") {
                rows.extend(tables().map(|(schema, table)| {
                    object(&table.name, table.number.into(), schema, ("U ", "USER_TABLE"), table.made)
                }));
            }
            if !matches!(name, "tables" | "views" | "triggers") {
                rows.extend(routines().enumerate().map(|(at, name)| {
                    object(
                        name,
                        1_525_580_473 + at as i64,
                        1,
                        ("P ", "SQL_STORED_PROCEDURE"),
                        product.facts.started,
                    )
                }));
            }
            if matches!(name, "all_objects" | "sysobjects") && here.name == "master" {
                for (at, name) in super::procedures::EXTENDED.iter().enumerate() {
                    rows.push(object(
                        name,
                        -1_000_000 - at as i64,
                        4,
                        ("X ", "EXTENDED_STORED_PROCEDURE"),
                        0,
                    ));
                }
            }
            (
                vec![
                    ("name", NAME),
                    (if name == "sysobjects" { "id" } else { "object_id" }, INT),
                    ("schema_id", INT),
                    ("parent_object_id", INT),
                    (if name == "sysobjects" { "xtype" } else { "type" }, Kind::Char(2)),
                    ("type_desc", Kind::Varchar(60)),
                    (if name == "sysobjects" { "crdate" } else { "create_date" }, TIME),
                    ("modify_date", TIME),
                    ("is_ms_shipped", BIT),
                    (if name == "sysobjects" { "type" } else { "xtype" }, Kind::Char(2)),
                    (if name == "sysobjects" { "uid" } else { "principal_id" }, INT),
                ],
                rows,
            )
        }
        "columns" | "all_columns" | "syscolumns" => {
            let old = name == "syscolumns";
            (
                vec![
                    (if old { "id" } else { "object_id" }, INT),
                    ("name", NAME),
                    (if old { "colid" } else { "column_id" }, INT),
                    (if old { "xtype" } else { "system_type_id" }, Kind::SmallInt),
                    (if old { "xusertype" } else { "user_type_id" }, INT),
                    (if old { "length" } else { "max_length" }, Kind::SmallInt),
                    (if old { "prec" } else { "precision" }, Kind::SmallInt),
                    ("scale", Kind::SmallInt),
                    (if old { "isnullable" } else { "is_nullable" }, BIT),
                    ("is_identity", BIT),
                ],
                tables()
                    .flat_map(|(_, table)| {
                        table.columns.iter().enumerate().map(move |(at, column)| {
                            let (id, size, precision, scale) = typed(column.kind);
                            vec![
                                int(table.number),
                                text(&column.name),
                                int(at as i64 + 1),
                                int(id),
                                int(id),
                                int(size),
                                int(precision),
                                int(scale),
                                Value::Bool(column.nullable),
                                Value::Bool(column.automatic),
                            ]
                        })
                    })
                    .collect(),
            )
        }
        "schemas" => (
            vec![("name", NAME), ("schema_id", INT), ("principal_id", INT)],
            [("dbo", 1), ("guest", 2), ("INFORMATION_SCHEMA", 3), ("sys", 4)]
                .map(|(name, id)| vec![text(name), int(id), int(id)])
                .to_vec(),
        ),
        "types" | "systypes" => (
            vec![
                ("name", NAME),
                ("system_type_id", INT),
                ("user_type_id", INT),
                ("xtype", INT),
                ("xusertype", INT),
                ("max_length", INT),
                ("precision", INT),
            ],
            TYPES
                .iter()
                .map(|&(id, name, size, precision)| {
                    let system = if id == 256 { 231 } else { id };
                    vec![text(name), int(system), int(id), int(system), int(id), int(size), int(precision)]
                })
                .collect(),
        ),
        "database_principals" | "sysusers" => (
            vec![
                ("name", NAME),
                (if name == "sysusers" { "uid" } else { "principal_id" }, INT),
                ("type", Kind::Char(1)),
                ("type_desc", Kind::Varchar(60)),
                ("default_schema_name", NAME),
                ("sid", Kind::Blob),
            ],
            [
                ("public", 0, "R", "DATABASE_ROLE"),
                ("dbo", 1, "S", "SQL_USER"),
                ("guest", 2, "S", "SQL_USER"),
                ("INFORMATION_SCHEMA", 3, "S", "SQL_USER"),
                ("sys", 4, "S", "SQL_USER"),
                ("db_owner", 16_384, "R", "DATABASE_ROLE"),
                ("db_accessadmin", 16_385, "R", "DATABASE_ROLE"),
                ("db_securityadmin", 16_386, "R", "DATABASE_ROLE"),
                ("db_ddladmin", 16_387, "R", "DATABASE_ROLE"),
                ("db_backupoperator", 16_389, "R", "DATABASE_ROLE"),
                ("db_datareader", 16_390, "R", "DATABASE_ROLE"),
                ("db_datawriter", 16_391, "R", "DATABASE_ROLE"),
                ("db_denydatareader", 16_392, "R", "DATABASE_ROLE"),
                ("db_denydatawriter", 16_393, "R", "DATABASE_ROLE"),
            ]
            .map(|(name, id, kind, description)| {
                let schema = if kind == "S" { text("dbo") } else { Value::Null };
                let sid = if name == "dbo" { Value::bytes([1]) } else { Value::Null };
                vec![text(name), int(id), text(kind), text(description), schema, sid]
            })
            .to_vec(),
        ),
        "database_role_members" => {
            (vec![("role_principal_id", INT), ("member_principal_id", INT)], vec![vec![int(16_384), int(1)]])
        }
        "assemblies" => (
            vec![
                ("name", NAME),
                ("assembly_id", INT),
                ("clr_name", Kind::Varchar(4000)),
                ("permission_set_desc", Kind::Varchar(60)),
            ],
            product
                .facts
                .assemblies
                .iter()
                .enumerate()
                .map(|(at, (name, set))| vec![text(name), int(65_536 + at as i64), text(name), text(set)])
                .collect(),
        ),
        "partitions" | "dm_db_partition_stats" => (
            vec![("object_id", INT), ("index_id", INT), ("rows", Kind::BigInt), ("row_count", Kind::BigInt)],
            tables()
                .map(|(_, table)| {
                    let count = table.rows.len() as i64;
                    vec![int(table.number), int(1), int(count), int(count)]
                })
                .collect(),
        ),
        "indexes" | "sysindexes" => (
            vec![
                ("object_id", INT),
                ("id", INT),
                ("name", NAME),
                ("index_id", INT),
                ("indid", INT),
                ("rows", INT),
            ],
            tables()
                .map(|(_, table)| {
                    let name = text(format!("PK_{}", table.name));
                    vec![
                        int(table.number),
                        int(table.number),
                        name,
                        int(1),
                        int(1),
                        int(table.rows.len() as i64),
                    ]
                })
                .collect(),
        ),
        "foreign_keys"
        | "key_constraints"
        | "default_constraints"
        | "check_constraints"
        | "synonyms"
        | "sql_modules"
        | "extended_properties"
        | "assembly_modules" => {
            (vec![("name", NAME), ("object_id", INT), ("definition", Kind::Text)], Vec::new())
        }
        "database_files" | "sysfiles" => (
            vec![
                ("file_id", INT),
                ("name", NAME),
                ("physical_name", Kind::Varchar(260)),
                ("filename", Kind::Varchar(260)),
            ],
            vec![{
                let path = file(&data_folder(&product.shared.persona), &here.name);
                vec![int(1), text(&here.name), text(&path), text(&path)]
            }],
        ),
        _ => return None,
    })
}

fn object(name: &str, id: i64, schema: i64, kind: (&str, &str), made: i64) -> Vec<Value> {
    vec![
        text(name),
        int(id),
        int(schema),
        int(0),
        text(kind.0),
        text(kind.1),
        Value::Timestamp(made),
        Value::Timestamp(made),
        Value::Bool(id < 0),
        text(kind.0),
        int(schema),
    ]
}
