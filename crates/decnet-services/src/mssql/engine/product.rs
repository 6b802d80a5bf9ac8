//! SQL Server as the engine's product: rules, functions, global variables.

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, MsSqlDialect};

use super::{Client, Facts, Shared, system};
use crate::sql::{Context, Kind, Product, Rules, SqlError, Table, Value};

/// The product with what it knows when it is asked.
pub(super) struct TSql<'a> {
    pub(super) shared: &'a Shared,
    pub(super) facts: &'a Facts,
    pub(super) sysadmin: bool,
    pub(super) transactions: i64,
    pub(super) last_error: i64,
    pub(super) error_text: Option<&'a super::Notice>,
}

impl<'a> TSql<'a> {
    pub(super) fn new(shared: &'a Shared, facts: &'a Facts, client: &Client) -> TSql<'a> {
        TSql {
            shared,
            facts,
            sysadmin: client.sysadmin,
            transactions: client.transactions,
            last_error: client.last_error,
            error_text: None,
        }
    }

    /// SERVERPROPERTY.
    fn server_property(&self, name: &str) -> Value {
        let persona = &self.shared.persona;
        let identity = self.shared.host.identity();
        let build = &persona.build;
        let [major, minor, ..] = persona.numbers;
        Value::text(match name.to_lowercase().as_str() {
            "productversion" => persona.version.clone(),
            "productlevel" => build.product_level.to_owned(),
            "productupdatelevel" if build.update_level.is_empty() => return Value::Null,
            "productupdatelevel" => build.update_level.to_owned(),
            "productupdatereference" if build.article.is_empty() => return Value::Null,
            "productupdatereference" => build.article.to_owned(),
            "productmajorversion" => major.to_string(),
            "productminorversion" => minor.to_string(),
            "productbuild" => persona.numbers[2].to_string(),
            "edition" => persona.edition.to_owned(),
            "engineedition" => {
                return Value::Integer(match persona.edition {
                    edition if edition.starts_with("Express") => 4,
                    edition if edition.starts_with("Standard") => 2,
                    _ => 3,
                });
            }
            "servername" => persona.server_name(),
            "machinename" | "computernamephysicalnetbios" => persona.machine.clone(),
            "instancename" if persona.instance.is_empty() => return Value::Null,
            "instancename" => persona.instance.clone(),
            "collation" => "SQL_Latin1_General_CP1_CI_AS".to_owned(),
            "isclustered"
            | "ishadrenabled"
            | "issingleuser"
            | "isfulltextinstalled"
            | "ispolybaseinstalled" => {
                return Value::Integer(0);
            }
            "isintegratedsecurityonly" => return Value::Integer(0),
            "isxtpsupported" => return Value::Integer(1),
            "licensetype" => "DISABLED".to_owned(),
            "processid" => {
                return Value::Integer(identity.draw(&["mssql", "pid"]).between(300, 1300) as i64 * 4);
            }
            "buildclrversion" => "v4.0.30319".to_owned(),
            "lcid" => return Value::Integer(1033),
            "instancedefaultdatapath" | "instancedefaultlogpath" => system::data_folder(persona),
            _ => return Value::Null,
        })
    }

    fn is_member(&self, role: &str) -> Value {
        match role.to_lowercase().as_str() {
            "public" => Value::Integer(1),
            "sysadmin" | "serveradmin" | "securityadmin" | "setupadmin" | "processadmin" | "diskadmin"
            | "dbcreator" | "bulkadmin" => Value::Integer(i64::from(self.sysadmin)),
            _ => Value::Null,
        }
    }
}

impl Product for TSql<'_> {
    fn dialect(&self) -> &dyn Dialect {
        &MsSqlDialect {}
    }

    fn rules(&self) -> Rules {
        Rules {
            fold_names: true,
            fold_texts: true,
            lower_names: false,
            integer_division: true,
            zero_is_error: true,
            plus_joins: true,
            pipes_join: false,
            strict_numbers: true,
            nulls_last: false,
        }
    }

    fn system_table(&self, context: &Context<'_>, path: &[String]) -> Option<Table> {
        system::table(self, context, path)
    }

    fn function(
        &self,
        context: &Context<'_>,
        name: &str,
        values: &[Value],
    ) -> Option<Result<Value, SqlError>> {
        let text = |at: usize| values.get(at).map(Value::to_string).unwrap_or_default();
        let session = context.session;
        let fold = true;
        let database = |at: usize| match values.get(at) {
            None => context.database(),
            Some(Value::Integer(id)) => usize::try_from(*id - 1).ok(),
            Some(name) => context.catalogue.database(&name.to_string(), fold),
        };
        Some(Ok(match name {
            "serverproperty" => self.server_property(&text(0)),
            "db_name" => {
                let found = database(0).and_then(|at| context.catalogue.databases.get(at));
                found.map_or(Value::Null, |database| Value::text(&database.name))
            }
            "db_id" => database(0).map_or(Value::Null, |at| Value::Integer(at as i64 + 1)),
            "has_dbaccess" => database(0).map_or(Value::Null, |_| Value::Integer(1)),
            "suser_name" | "suser_sname" | "original_login" | "system_user" if values.is_empty() => {
                Value::text(&session.user)
            }
            "suser_name" | "suser_sname" => {
                let found = self.facts.logins.iter().find(|login| match &values[0] {
                    Value::Bytes(sid) => login.sid == sid.as_ref(),
                    other => other.integer() == Some(login.id),
                });
                found.map_or(Value::Null, |login| Value::text(&login.name))
            }
            "suser_id" | "suser_sid" => {
                let wanted = if values.is_empty() { session.user.clone() } else { text(0) };
                let found = self.facts.logins.iter().find(|login| login.name.eq_ignore_ascii_case(&wanted));
                match found {
                    Some(login) if name == "suser_sid" => Value::bytes(&login.sid),
                    Some(login) => Value::Integer(login.id),
                    None => Value::Null,
                }
            }
            "user_name" | "user" | "current_user" | "session_user" => {
                Value::text(if self.sysadmin { "dbo" } else { "guest" })
            }
            "user_id" | "database_principal_id" => Value::Integer(1),
            "is_srvrolemember" => self.is_member(&text(0)),
            "is_member" | "is_rolemember" => Value::Integer(i64::from(self.sysadmin)),
            "has_perms_by_name" => Value::Integer(i64::from(self.sysadmin)),
            "host_name" => {
                Value::text(self.facts.sessions.get(&(session.connection as u16)).map_or("", |s| &s.0))
            }
            "app_name" => {
                Value::text(self.facts.sessions.get(&(session.connection as u16)).map_or("", |s| &s.1))
            }
            "host_id" => Value::Null,
            "schema_name" => Value::text(match values.first().and_then(Value::integer) {
                None | Some(1) => "dbo",
                Some(2) => "guest",
                Some(3) => "INFORMATION_SCHEMA",
                Some(4) => "sys",
                _ => return Some(Ok(Value::Null)),
            }),
            "schema_id" => match text(0).to_lowercase().as_str() {
                "dbo" | "" => Value::Integer(1),
                "guest" => Value::Integer(2),
                "information_schema" => Value::Integer(3),
                "sys" => Value::Integer(4),
                _ => Value::Null,
            },
            "object_id" => {
                let path: Vec<String> =
                    text(0).split('.').map(|part| part.trim_matches(['[', ']', '"']).to_owned()).collect();
                let found = context.find(&path).ok().and_then(|place| context.catalogue.at(place));
                let routine = path.last().and_then(|name| self.facts.routines.get(&name.to_lowercase()));
                match (found, routine) {
                    (Some(table), _) => Value::Integer(table.number.into()),
                    (None, Some(_)) => Value::Integer(1_525_580_473),
                    _ => Value::Null,
                }
            }
            "object_name" => {
                let wanted = values.first().and_then(Value::integer);
                let tables =
                    context.catalogue.databases.iter().flat_map(|d| &d.schemas).flat_map(|s| &s.tables);
                let mut found = tables.filter(|table| Some(i64::from(table.number)) == wanted);
                found.next().map_or(Value::Null, |table| Value::text(&table.name))
            }
            "type_name" => system::type_name(values.first().and_then(Value::integer).unwrap_or(0)),
            "databasepropertyex" => match text(1).to_lowercase().as_str() {
                "status" => Value::text("ONLINE"),
                "recovery" => Value::text("FULL"),
                "updateability" => Value::text("READ_WRITE"),
                "useraccess" => Value::text("MULTI_USER"),
                "collation" => Value::text("SQL_Latin1_General_CP1_CI_AS"),
                "version" => Value::Integer(904),
                _ => Value::Null,
            },
            "objectproperty" | "columnproperty" | "indexproperty" | "fulltextserviceproperty" => {
                Value::Integer(0)
            }
            "connectionproperty" => match text(0).to_lowercase().as_str() {
                "net_transport" | "protocol_type" => Value::text("TCP"),
                "auth_scheme" => Value::text("SQL"),
                "local_net_address" => Value::text(self.shared.host.decky.address.to_string()),
                "local_tcp_port" => Value::Integer(1433),
                _ => Value::Null,
            },
            "scope_identity" | "ident_current" => match session.last_id {
                0 => Value::Null,
                id => Value::Integer(id),
            },
            "newid" | "newsequentialid" => {
                let bytes: [u8; 16] = self.shared.host.entropy.bytes();
                let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                Value::text(format!(
                    "{}-{}-4{}-A{}-{}",
                    &hex[..8],
                    &hex[8..12],
                    &hex[13..16],
                    &hex[17..20],
                    &hex[20..]
                ))
            }
            "rand" => Value::Float(self.shared.host.entropy.between(0, 999_999_999) as f64 / 1e9),
            "xact_state" => Value::Integer(i64::from(self.transactions > 0)),
            "error_number" => {
                self.error_text.map_or(Value::Null, |error| Value::Integer(error.number.into()))
            }
            "error_message" => self.error_text.map_or(Value::Null, |error| Value::text(&error.text)),
            "error_severity" => {
                self.error_text.map_or(Value::Null, |error| Value::Integer(error.class.into()))
            }
            "error_state" => self.error_text.map_or(Value::Null, |error| Value::Integer(error.state.into())),
            "error_line" => self.error_text.map_or(Value::Null, |error| Value::Integer(error.line.into())),
            "isnumeric" => Value::Integer(i64::from(text(0).trim().parse::<f64>().is_ok())),
            "sysdatetime" | "sysutcdatetime" | "getutcdate" => Value::Timestamp(session.now / 1000 * 1000),
            "checksum" | "binary_checksum" => Value::Integer(
                text(0).bytes().fold(0i64, |sum, byte| (sum << 4 ^ i64::from(byte)) & 0x7fff_ffff),
            ),
            "collationproperty" => Value::Integer(1033),
            "permissions" => Value::Integer(i64::from(self.sysadmin)),
            "string_agg" => return None,
            _ => return None,
        }))
    }

    fn table_function(
        &self,
        _: &Context<'_>,
        name: &str,
        values: &[Value],
    ) -> Option<Result<Table, SqlError>> {
        match name.trim_start_matches("sys.").to_lowercase().as_str() {
            "fn_my_permissions" => {
                let names = [
                    "CONNECT SQL",
                    "SHUTDOWN",
                    "CREATE ENDPOINT",
                    "CREATE ANY DATABASE",
                    "ALTER ANY LOGIN",
                    "ALTER SERVER STATE",
                    "ALTER SETTINGS",
                    "VIEW ANY DATABASE",
                    "VIEW SERVER STATE",
                    "CONTROL SERVER",
                ];
                let count = if self.sysadmin { names.len() } else { 1 };
                let rows = names[..count]
                    .iter()
                    .map(|name| vec![Value::text("server"), Value::text(""), Value::text(name)])
                    .collect();
                Some(Ok(Table::system(
                    "fn_my_permissions",
                    &[
                        ("entity_name", Kind::Name),
                        ("subentity_name", Kind::Name),
                        ("permission_name", Kind::Name),
                    ],
                    rows,
                )))
            }
            "string_split" => {
                let (text, mark) = (values.first()?.to_string(), values.get(1)?.to_string());
                let rows = text.split(&mark).map(|part| vec![Value::text(part)]).collect();
                Some(Ok(Table::system("string_split", &[("value", Kind::Varchar(4000))], rows)))
            }
            "fn_helpcollations" => Some(Ok(Table::system(
                "fn_helpcollations",
                &[("name", Kind::Name), ("description", Kind::Varchar(1000))],
                vec![vec![
                    Value::text("SQL_Latin1_General_CP1_CI_AS"),
                    Value::text(
                        "Latin1-General, case-insensitive, accent-sensitive, kanatype-insensitive, \
                         width-insensitive for Unicode Data, SQL Server Sort Order 52 on Code Page 1252 for \
                         non-Unicode Data",
                    ),
                ]],
            ))),
            _ => None,
        }
    }

    fn constant(&self, context: &Context<'_>, name: &str) -> Option<Result<Value, SqlError>> {
        let persona = &self.shared.persona;
        let session = context.session;
        let lower = name.to_lowercase();
        Some(Ok(match lower.as_str() {
            "@@version" => Value::text(persona.banner(self.shared.host.identity())),
            "@@servername" => Value::text(persona.server_name()),
            "@@servicename" => Value::text(persona.service_name()),
            "@@spid" => Value::Integer(session.connection.into()),
            "@@rowcount" => Value::Integer(session.row_count),
            "@@error" => Value::Integer(self.last_error),
            "@@trancount" => Value::Integer(self.transactions),
            "@@identity" => match session.last_id {
                0 => Value::Null,
                id => Value::Integer(id),
            },
            "@@language" => Value::text("us_english"),
            "@@langid" | "@@nestlevel" | "@@cursor_rows" | "@@procid" => Value::Integer(0),
            "@@fetch_status" => Value::Integer(-1),
            "@@max_connections" => Value::Integer(32_767),
            "@@max_precision" => Value::Integer(38),
            "@@microsoftversion" => {
                let [major, minor, build, _] = persona.numbers;
                Value::Integer(i64::from(major) << 24 | i64::from(minor) << 16 | i64::from(build))
            }
            "@@datefirst" => Value::Integer(7),
            "@@textsize" => Value::Integer(2_147_483_647),
            "@@lock_timeout" => Value::Integer(-1),
            "@@options" => Value::Integer(5496),
            "@@dbts" => Value::bytes([0, 0, 0, 0, 0, 0, 7, 0xd0]),
            "system_user" => Value::text(&session.user),
            "current_user" | "session_user" | "user" => {
                Value::text(if self.sysadmin { "dbo" } else { "guest" })
            }
            "current_timestamp" => Value::Timestamp(session.now / 1000 * 1000),
            name if name.starts_with("@@") => {
                return Some(Err(SqlError::UnknownColumn { name: name.to_owned(), clause: "field list" }));
            }
            name if name.starts_with('@') => match session.variables.get(name) {
                Some(value) => value.clone(),
                None => {
                    return Some(Err(SqlError::UnknownColumn {
                        name: name.to_owned(),
                        clause: "field list",
                    }));
                }
            },
            _ => return None,
        }))
    }

    fn cast(&self, _: &Context<'_>, value: &Value, kind: &str) -> Option<Result<Value, SqlError>> {
        match value {
            Value::Bytes(bytes)
                if kind.starts_with("varchar") || kind.starts_with("char") || kind.starts_with("text") =>
            {
                let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                Some(Ok(Value::text(text)))
            }
            Value::Bytes(bytes) if kind.starts_with('n') => {
                Some(Ok(Value::text(crate::mssql::codec::utf16_lossy(bytes))))
            }
            Value::Bool(truth) if kind.contains("char") => {
                Some(Ok(Value::text(if *truth { "1" } else { "0" })))
            }
            Value::Timestamp(_) | Value::Date(_) if kind.contains("char") => {
                Some(Ok(Value::text(short_date(value.timestamp().unwrap_or(0)))))
            }
            _ => None,
        }
    }

    fn heading(&self, _: &Expr) -> String {
        // A column without a name has none.
        String::new()
    }
}

/// Style 0: `Nov 20 2026 12:00PM`.
fn short_date(at: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = crate::sql::moment::DAY;
    let (year, month, date) = crate::sql::moment::calendar(i32::try_from(at.div_euclid(day)).unwrap_or(0));
    let minutes = at.rem_euclid(day) / 60_000_000;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let name = usize::try_from(month).ok().and_then(|month| MONTHS.get(month.wrapping_sub(1))).unwrap_or(&"");
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!("{name} {date:2} {year} {hour:2}:{minute:02}{half}")
}
