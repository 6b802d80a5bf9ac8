//! The procedures of the system, and the statements of administrators: what intruders come for is recorded,
//! and never done.

use decnet_logging::event::{Body, Direction};

use super::super::codec::{Notice, command};
use super::calls::Arguments;
use super::{Job, LoginAccount, MOST_LOGINS, MOST_OBJECTS, Note, Run, security};
use crate::sql::{Heading, Kind, ResultSet, Value};

/// Extended procedures that master shows.
pub(super) const EXTENDED: &[&str] = &[
    "xp_cmdshell",
    "xp_dirtree",
    "xp_fileexist",
    "xp_subdirs",
    "xp_fixeddrives",
    "xp_regread",
    "xp_regwrite",
    "xp_regdeletevalue",
    "xp_instance_regread",
    "xp_instance_regwrite",
    "xp_msver",
    "xp_logininfo",
    "xp_enumgroups",
    "xp_servicecontrol",
    "xp_readerrorlog",
    "sp_OACreate",
    "sp_OAMethod",
    "sp_OAGetProperty",
    "sp_OADestroy",
];

fn set(columns: &[(&str, Kind)], rows: Vec<Vec<Value>>) -> ResultSet {
    let columns = columns
        .iter()
        .map(|(name, kind)| Heading { name: (*name).to_owned(), kind: *kind, origin: None })
        .collect();
    ResultSet { columns, rows }
}

/// The text of 15281, which a component that is switched off gives.
pub(super) fn blocked(component: &str, object: &str, kind: &str) -> Notice {
    let mut notice = Notice::new(
        15281,
        16,
        1,
        format!(
            "SQL Server blocked access to {kind} '{object}' of component '{component}' because this component is \
             turned off as part of the security configuration for this server. A system administrator can enable \
             the use of '{component}' by using sp_configure. For more information about enabling '{component}', \
             search for '{component}' in SQL Server Books Online."
        ),
    );
    if kind == "procedure" {
        notice.procedure = object.trim_start_matches("sys.").to_owned();
    }
    notice
}

impl Run<'_> {
    pub(super) fn enabled(&self, name: &str) -> bool {
        self.state.facts.settings.iter().any(|setting| setting.name == name && setting.running == 1)
    }

    /// Calls a procedure; its status, or `None` after an error that ends it.
    pub(super) fn procedure(&mut self, path: &[String], arguments: &Arguments) -> Option<i32> {
        let name = path.last().cloned().unwrap_or_default();
        let lower = name.to_lowercase();
        if path.len() == 4 {
            self.remote(&path[0].clone(), &name);
            return None;
        }
        if let Some(body) = self.state.facts.routines.get(&lower).cloned() {
            self.depth += 1;
            self.text(&body);
            self.depth -= 1;
            return Some(0);
        }
        self.depth += 1;
        let status = self.system_procedure(&lower, arguments);
        self.depth -= 1;
        if let Some(status) = status {
            return status;
        }
        let full = path.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(".");
        self.fail(Notice::new(2812, 16, 62, format!("Could not find stored procedure '{full}'.")));
        None
    }

    /// A procedure of the system; the outer `None` for a name that is none.
    fn system_procedure(&mut self, name: &str, arguments: &Arguments) -> Option<Option<i32>> {
        Some(match name {
            "sp_configure" => self.configure(arguments),
            "xp_cmdshell" => self.command_shell(arguments),
            "sp_executesql" => {
                let text = arguments
                    .text(0, "@stmt")
                    .or_else(|| arguments.text(0, "@statement"))
                    .unwrap_or_default();
                for argument in arguments.0.iter().skip(2) {
                    if let Some(name) = &argument.name {
                        self.client.session.variables.insert(name.clone(), argument.value.clone());
                    }
                }
                self.text(&text);
                Some(0)
            }
            "xp_dirtree" | "xp_subdirs" | "xp_fileexist" => self.directory(name, arguments),
            "xp_fixeddrives" => {
                let rows = vec![vec![Value::text("C"), Value::Integer(41_327)]];
                self.result(&set(&[("drive", Kind::Char(1)), ("MB free", Kind::Integer)], rows));
                Some(0)
            }
            "sp_oacreate" | "sp_oamethod" | "sp_oagetproperty" | "sp_oasetproperty" | "sp_oadestroy" => {
                let what = arguments.text(0, "@progid").unwrap_or_default();
                self.exploit("mssql.ole_automation", 90);
                self.given("ole-automation.txt", &what, arguments);
                if !self.enabled("Ole Automation Procedures") {
                    let object =
                        format!("sys.{}", if name == "sp_oacreate" { "sp_OACreate" } else { "sp_OAMethod" });
                    self.fail(blocked("Ole Automation Procedures", &object, "procedure"));
                    return Some(None);
                }
                // The class is not registered: HRESULT 0x80040154.
                Some(-2_147_221_005)
            }
            "sp_tables" => {
                let database = self.client.session.database.clone();
                let rows = self.tables();
                let rows = rows
                    .into_iter()
                    .map(|(schema, table)| {
                        vec![
                            Value::text(&database),
                            Value::text(schema),
                            Value::text(table),
                            Value::text("TABLE"),
                            Value::Null,
                        ]
                    })
                    .collect();
                self.result(&set(
                    &[
                        ("TABLE_QUALIFIER", Kind::Name),
                        ("TABLE_OWNER", Kind::Name),
                        ("TABLE_NAME", Kind::Name),
                        ("TABLE_TYPE", Kind::Varchar(32)),
                        ("REMARKS", Kind::Varchar(254)),
                    ],
                    rows,
                ));
                Some(0)
            }
            "sp_databases" => {
                let rows = self
                    .state
                    .catalogue
                    .databases
                    .iter()
                    .map(|database| {
                        let tables = database.schemas.iter().flat_map(|schema| &schema.tables);
                        let size = 16_384 + tables.map(crate::sql::Table::size).sum::<usize>() as i64 / 1024;
                        vec![Value::text(&database.name), Value::Integer(size), Value::Null]
                    })
                    .collect();
                self.result(&set(
                    &[
                        ("DATABASE_NAME", Kind::Name),
                        ("DATABASE_SIZE", Kind::Integer),
                        ("REMARKS", Kind::Varchar(254)),
                    ],
                    rows,
                ));
                Some(0)
            }
            "sp_columns" => {
                let table = arguments.text(0, "@table_name").unwrap_or_default();
                let text = format!(
                    "SELECT TABLE_CATALOG AS TABLE_QUALIFIER, TABLE_SCHEMA AS TABLE_OWNER, TABLE_NAME, COLUMN_NAME, \
                     DATA_TYPE AS TYPE_NAME, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = '{}'",
                    table.replace('\'', "''")
                );
                self.text(&text);
                Some(0)
            }
            "sp_helpdb" => {
                self.text("SELECT name, database_id AS dbid, create_date AS created, compatibility_level FROM sys.databases");
                Some(0)
            }
            "sp_who" | "sp_who2" => {
                self.text("SELECT session_id AS spid, status, login_name AS loginame, host_name AS hostname, program_name FROM sys.dm_exec_sessions");
                Some(0)
            }
            "sp_help" if arguments.0.is_empty() => {
                self.text("SELECT name AS Name, 'dbo' AS Owner, 'user table' AS Object_type FROM sys.tables");
                Some(0)
            }
            "sp_helpuser" => {
                self.text(
                    "SELECT name AS UserName, 'db_owner' AS RoleName, 'sa' AS LoginName, 'master' AS DefDBName, \
                     default_schema_name AS DefSchemaName, principal_id AS UserID, sid AS SID FROM \
                     sys.database_principals WHERE type = 'S'",
                );
                Some(0)
            }
            "sp_helpsrvrolemember" => {
                self.text("SELECT 'sysadmin' AS ServerRole, name AS MemberName, sid AS MemberSID FROM sys.server_principals WHERE type <> 'R' AND is_disabled = 0");
                Some(0)
            }
            "sp_linkedservers" => {
                self.text("SELECT name AS SRV_NAME, provider AS SRV_PROVIDERNAME, product AS SRV_PRODUCT, data_source AS SRV_DATASOURCE, NULL AS SRV_PROVIDERSTRING, NULL AS SRV_LOCATION, NULL AS SRV_CAT FROM sys.servers");
                Some(0)
            }
            "sp_helplinkedsrvlogin" => {
                self.text("SELECT name AS [Linked Server], NULL AS [Local Login], is_linked AS [Is Self Mapping], NULL AS [Remote Login] FROM sys.servers WHERE is_linked = 1");
                Some(0)
            }
            "sp_helpserver" => {
                self.text(
                    "SELECT name, name AS network_name, '' AS status, server_id AS id FROM sys.servers",
                );
                Some(0)
            }
            "sp_addlinkedserver" => {
                let server = arguments.text(0, "@server").unwrap_or_default();
                let source = arguments.text(3, "@datasrc").unwrap_or_else(|| server.clone());
                self.exploit("mssql.linked_server", 70);
                if self.state.facts.linked.len() < MOST_OBJECTS {
                    self.state.facts.linked.push((server.clone(), source));
                }
                self.changed(format!("linked server {server}"), "created");
                Some(0)
            }
            "sp_addlinkedsrvlogin" | "sp_serveroption" | "sp_dropserver" | "sp_droplinkedsrvlogin" => Some(0),
            "sp_addsrvrolemember" | "sp_dropsrvrolemember" => {
                let login = arguments.text(0, "@loginame").unwrap_or_default();
                let role = arguments.text(1, "@rolename").unwrap_or_default();
                self.role(&login, &role, name == "sp_addsrvrolemember")
            }
            "sp_addlogin" => {
                let login = arguments.text(0, "@loginame").unwrap_or_default();
                let password = arguments.text(1, "@passwd");
                self.make_login(&login, password);
                Some(0)
            }
            "sp_password" => {
                let login =
                    arguments.text(2, "@loginame").unwrap_or_else(|| self.client.session.user.clone());
                let password = arguments.text(1, "@new").unwrap_or_default();
                self.change_password(&login, Some(password), None);
                Some(0)
            }
            "sp_add_job" | "sp_add_jobstep" | "sp_start_job" | "sp_add_jobserver" | "sp_delete_job"
            | "sp_update_job" => self.job(name, arguments),
            "xp_msver" => {
                let persona = &self.shared.persona;
                let row = |index: i64, name: &str, value: &str| {
                    vec![Value::Integer(index), Value::text(name), Value::Null, Value::text(value)]
                };
                let rows = vec![
                    row(1, "ProductName", "Microsoft SQL Server"),
                    row(2, "ProductVersion", &persona.version),
                    row(3, "Language", "English (United States)"),
                    row(4, "Platform", "NT x64"),
                ];
                self.result(&set(
                    &[
                        ("Index", Kind::SmallInt),
                        ("Name", Kind::Varchar(50)),
                        ("Internal_Value", Kind::Integer),
                        ("Character_Value", Kind::Varchar(255)),
                    ],
                    rows,
                ));
                Some(0)
            }
            "xp_regread"
            | "xp_instance_regread"
            | "xp_regwrite"
            | "xp_instance_regwrite"
            | "xp_regdeletevalue" => {
                self.exploit("mssql.registry", 80);
                let all: Vec<String> =
                    arguments.0.iter().map(|argument| argument.value.to_string()).collect();
                if name.contains("write") || name.contains("delete") {
                    self.changed("registry", all.join(" "));
                    return Some(Some(0));
                }
                let mut notice = Notice::new(
                    22001,
                    1,
                    0,
                    "RegOpenKeyEx() returned error 2, 'The system cannot find the file specified.'",
                );
                notice.procedure = name.to_owned();
                self.tell(&notice);
                Some(1)
            }
            "xp_servicecontrol" | "xp_logininfo" | "xp_enumgroups" | "xp_readerrorlog"
            | "sp_readerrorlog" => {
                self.exploit("mssql.extended_procedure", 60);
                Some(0)
            }
            "sp_addextendedproc" | "sp_execute_external_script" | "sp_add_trusted_assembly" => {
                self.exploit(&format!("mssql.{}", name.trim_start_matches("sp_")), 95);
                self.given("extended-procedure.txt", name, arguments);
                Some(0)
            }
            "sp_reset_connection"
            | "sp_datatype_info"
            | "sp_datatype_info_100"
            | "sp_oledb_ro_usrname"
            | "sp_oledb_database"
            | "sp_getapplock"
            | "sp_releaseapplock"
            | "sp_server_info"
            | "sp_dropextendedproc" => Some(0),
            _ => return None,
        })
    }

    fn given(&mut self, name: &str, what: &str, arguments: &Arguments) {
        let all: Vec<String> = arguments.0.iter().map(|argument| argument.value.to_string()).collect();
        let text = format!("{what} {}", all.join("\n"));
        self.notes.push(Note::Given(name.to_owned(), text.into_bytes()));
    }

    fn tables(&self) -> Vec<(String, String)> {
        let database = self.state.catalogue.database(&self.client.session.database, true);
        let found = database.and_then(|at| self.state.catalogue.databases.get(at));
        found
            .into_iter()
            .flat_map(|database| &database.schemas)
            .flat_map(|schema| schema.tables.iter().map(|table| (schema.name.clone(), table.name.clone())))
            .collect()
    }

    fn configure(&mut self, arguments: &Arguments) -> Option<i32> {
        let columns = [
            ("name", Kind::Varchar(35)),
            ("minimum", Kind::Integer),
            ("maximum", Kind::Integer),
            ("config_value", Kind::Integer),
            ("run_value", Kind::Integer),
        ];
        let advanced = self.enabled("show advanced options");
        let row = |setting: &super::Setting| {
            vec![
                Value::text(setting.name),
                Value::Integer(setting.minimum),
                Value::Integer(setting.maximum),
                Value::Integer(setting.configured),
                Value::Integer(setting.running),
            ]
        };
        let Some(wanted) = arguments.text(0, "@configname") else {
            let mut rows: Vec<Vec<Value>> = self
                .state
                .facts
                .settings
                .iter()
                .filter(|setting| advanced || !setting.advanced)
                .map(row)
                .collect();
            rows.sort_by_key(|row| row[0].to_string().to_lowercase());
            self.result(&set(&columns, rows));
            return Some(0);
        };
        // Names may be shortened as long as they are one.
        let lower = wanted.to_lowercase();
        let found: Vec<usize> = self
            .state
            .facts
            .settings
            .iter()
            .enumerate()
            .filter(|(_, setting)| advanced || !setting.advanced)
            .filter(|(_, setting)| setting.name.to_lowercase().starts_with(&lower))
            .map(|(at, _)| at)
            .collect();
        let exact = found
            .iter()
            .copied()
            .find(|at| self.state.facts.settings[*at].name.eq_ignore_ascii_case(&wanted));
        let Some(at) = exact.or((found.len() == 1).then(|| found[0])) else {
            let mut notice = Notice::new(
                15123,
                16,
                1,
                format!(
                    "The configuration option '{wanted}' does not exist, or it may be an advanced option."
                ),
            );
            notice.procedure = "sp_configure".to_owned();
            notice.line = 62;
            self.fail(notice);
            return None;
        };
        let Some(value) = arguments.get(1, "@configvalue").and_then(Value::integer) else {
            let rows = vec![row(&self.state.facts.settings[at])];
            self.result(&set(&columns, rows));
            return Some(0);
        };
        let setting = &mut self.state.facts.settings[at];
        if value < setting.minimum || value > setting.maximum {
            let text = format!("'{value}' is not a valid value for configuration option '{}'.", setting.name);
            self.fail(Notice::new(15129, 16, 1, text));
            return None;
        }
        let (name, old) = (setting.name, setting.configured);
        setting.configured = value;
        let mut notice = Notice::new(
            15457,
            0,
            1,
            format!(
                "Configuration option '{name}' changed from {old} to {value}. Run the RECONFIGURE statement to install."
            ),
        );
        notice.procedure = "sp_configure".to_owned();
        notice.line = 185;
        self.tell(&notice);
        self.note(Body::StateChanged {
            object: format!("sp_configure {name}"),
            old: Some(old.to_string()),
            new: value.to_string(),
        });
        if value == 1
            && matches!(
                name,
                "xp_cmdshell" | "Ole Automation Procedures" | "clr enabled" | "Ad Hoc Distributed Queries"
            )
        {
            self.exploit(&format!("mssql.enable {name}"), 90);
        }
        Some(0)
    }

    /// RECONFIGURE.
    pub(super) fn reconfigure(&mut self) {
        for setting in self.state.facts.settings.iter_mut().filter(|setting| setting.dynamic) {
            setting.running = setting.configured;
        }
        self.done(command::OTHER, None);
    }

    fn command_shell(&mut self, arguments: &Arguments) -> Option<i32> {
        let line = arguments.text(0, "@command").unwrap_or_default();
        let quiet =
            arguments.text(1, "@option").is_some_and(|option| option.eq_ignore_ascii_case("no_output"));
        self.exploit("mssql.xp_cmdshell", 95);
        if !self.enabled("xp_cmdshell") {
            self.fail(blocked("xp_cmdshell", "sys.xp_cmdshell", "procedure"));
            return None;
        }
        if !self.shared.persona.windows {
            // From knowledge, not from a capture: the engine for Linux has no process to start.
            let text = "An error occurred during the execution of xp_cmdshell. A call to 'CreateProcess' failed with \
                        error code: '5'.";
            let mut notice = Notice::new(15121, 16, 21, text);
            notice.procedure = "xp_cmdshell".to_owned();
            self.fail(notice);
            return None;
        }
        let now = self.client.session.now;
        let ran = self.state.shell.run(&line, now);
        let outcome = if ran.status == 0 {
            decnet_logging::event::Outcome::Accepted
        } else {
            decnet_logging::event::Outcome::Failed
        };
        let verb = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        self.note(Body::Command { command: verb, line: line.clone(), outcome });
        for url in ran.fetched {
            self.note(Body::FileDownload {
                name: None,
                url: Some(url),
                direction: Direction::Requested,
                size: None,
                bait: None,
            });
        }
        for (name, bytes) in ran.written {
            self.notes.push(Note::Given(name, bytes));
        }
        self.delay += ran.delay;
        if !quiet {
            let mut rows: Vec<Vec<Value>> = ran
                .lines
                .iter()
                .map(|line| vec![if line.is_empty() { Value::Null } else { Value::text(line) }])
                .collect();
            rows.push(vec![Value::Null]);
            self.result(&set(&[("output", Kind::Varchar(255))], rows));
        }
        Some(i32::from(ran.status != 0))
    }

    fn directory(&mut self, name: &str, arguments: &Arguments) -> Option<i32> {
        let path = arguments.text(0, "@path").unwrap_or_default();
        let depth = arguments.get(1, "@depth").and_then(Value::integer).unwrap_or(0);
        let files = arguments.get(2, "@file").and_then(Value::integer).unwrap_or(0) != 0;
        let remote = path.starts_with("\\\\") || path.starts_with("//");
        if remote {
            // The forced authentication to a share: told, and never done.
            self.exploit("mssql.forced_authentication", 95);
            self.note(Body::FileDownload {
                name: None,
                url: Some(format!("file:{}", path.replace('\\', "/"))),
                direction: Direction::Requested,
                size: None,
                bait: None,
            });
            self.delay += std::time::Duration::from_millis(self.shared.host.entropy.between(900, 2600));
        }
        let entries = if remote { Vec::new() } else { self.state.shell.entries(&path) };
        match name {
            "xp_fileexist" => {
                let (file, folder) = if remote { (false, false) } else { self.state.shell.exists(&path) };
                let parent = file || folder;
                self.result(&set(
                    &[
                        ("File Exists", Kind::TinyInt),
                        ("File is a Directory", Kind::TinyInt),
                        ("Parent Directory Exists", Kind::TinyInt),
                    ],
                    vec![[file, folder, parent].map(|yes| Value::Integer(i64::from(yes))).to_vec()],
                ));
            }
            "xp_subdirs" => {
                let rows = entries
                    .into_iter()
                    .filter(|(_, folder)| *folder)
                    .map(|(name, _)| vec![Value::text(name)])
                    .collect();
                self.result(&set(&[("subdirectory", Kind::Name)], rows));
            }
            _ => {
                let mut columns = vec![("subdirectory", Kind::Varchar(512)), ("depth", Kind::Integer)];
                if files {
                    columns.push(("file", Kind::Integer));
                }
                let rows = entries
                    .into_iter()
                    .filter(|(_, folder)| *folder || files)
                    .map(|(name, folder)| {
                        let mut row = vec![Value::text(name), Value::Integer(1)];
                        if files {
                            row.push(Value::Integer(i64::from(!folder)));
                        }
                        row
                    })
                    .collect();
                let _ = depth;
                self.result(&set(&columns, rows));
            }
        }
        Some(0)
    }

    pub(super) fn job(&mut self, name: &str, arguments: &Arguments) -> Option<i32> {
        let job = arguments.text(0, "@job_name").or_else(|| arguments.text(0, "@job_id")).unwrap_or_default();
        if self.shared.persona.edition.starts_with("Express") && name == "sp_start_job" {
            self.fail(Notice::new(
                22022,
                16,
                1,
                "SQLServerAgent is not currently running so it cannot be notified of this action.",
            ));
            return None;
        }
        self.exploit("mssql.agent_job", 85);
        self.given("agent-job.txt", name, arguments);
        let at = self
            .state
            .facts
            .jobs
            .iter()
            .position(|known| known.name.eq_ignore_ascii_case(&job) || known.id == job);
        match (name, at) {
            ("sp_add_job", Some(_)) => {
                self.fail(Notice::new(
                    14261,
                    16,
                    1,
                    format!("The specified @name ('{job}') already exists."),
                ));
                return None;
            }
            ("sp_add_job", None) if self.state.facts.jobs.len() < MOST_OBJECTS => {
                let count = self.state.facts.jobs.len().to_string();
                let id = security::guid(&mut self.shared.host.identity().draw(&["mssql", "job", &count]));
                let made = self.client.session.now;
                self.state.facts.jobs.push(Job { id, name: job.clone(), made, steps: Vec::new() });
            }
            ("sp_add_job", None) => {}
            (_, None) => {
                self.fail(Notice::new(
                    14262,
                    16,
                    1,
                    format!("The specified @job_name ('{job}') does not exist."),
                ));
                return None;
            }
            ("sp_add_jobstep", Some(at)) => {
                let kind = arguments.text(2, "@subsystem").unwrap_or_else(|| "TSQL".to_owned());
                let text = arguments.text(3, "@command").unwrap_or_default();
                let steps = &mut self.state.facts.jobs[at].steps;
                if steps.len() < MOST_OBJECTS {
                    steps.push((kind, text.chars().take(65_536).collect()));
                }
            }
            ("sp_delete_job", Some(at)) => drop(self.state.facts.jobs.remove(at)),
            ("sp_start_job", Some(_)) => {
                let text = format!("Job '{job}' started successfully.");
                self.tell(&Notice::new(14225, 0, 1, text));
            }
            _ => {}
        }
        self.changed(format!("agent job {job}"), name);
        Some(0)
    }

    pub(super) fn role(&mut self, login: &str, role: &str, member: bool) -> Option<i32> {
        let Some(known) =
            self.state.facts.logins.iter_mut().find(|known| known.name.eq_ignore_ascii_case(login))
        else {
            let text = format!("'{login}' is not a valid login or you do not have permission.");
            self.fail(Notice::new(15007, 16, 1, text));
            return None;
        };
        if role.eq_ignore_ascii_case("sysadmin") {
            known.sysadmin = member;
        }
        self.changed(
            format!("server role {role}"),
            format!("{} {login}", if member { "add" } else { "drop" }),
        );
        Some(0)
    }

    pub(super) fn make_login(&mut self, name: &str, password: Option<String>) {
        if self.state.login(name).is_some() {
            return self.fail(Notice::new(
                15025,
                16,
                2,
                format!("The server principal '{name}' already exists."),
            ));
        }
        if self.state.facts.logins.len() < MOST_LOGINS {
            let id = self.state.facts.logins.iter().map(|login| login.id).max().unwrap_or(256) + 1;
            let sid: [u8; 16] = self.shared.host.entropy.bytes();
            self.state.facts.logins.push(LoginAccount {
                name: name.to_owned(),
                kind: if password.is_some() { 'S' } else { 'U' },
                password,
                disabled: false,
                sysadmin: false,
                id,
                sid: sid.to_vec(),
                made: self.client.session.now,
            });
        }
        self.changed(format!("login {name}"), "created");
        self.done(command::OTHER, None);
    }

    pub(super) fn change_password(&mut self, name: &str, password: Option<String>, enabled: Option<bool>) {
        let Some(login) =
            self.state.facts.logins.iter_mut().find(|login| login.name.eq_ignore_ascii_case(name))
        else {
            let text = format!(
                "Cannot alter the login '{name}', because it does not exist or you do not have permission."
            );
            return self.fail(Notice::new(15151, 16, 1, text));
        };
        if password.is_some() {
            login.password = password;
        }
        if let Some(enabled) = enabled {
            login.disabled = !enabled;
        }
        self.changed(format!("login {name}"), "altered");
        self.done(command::OTHER, None);
    }
}

/// The bytes of hexadecimal digits.
pub(super) fn hexadecimal(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}
