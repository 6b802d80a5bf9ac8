//! Statements of administrators, and those that reach for other servers: recorded, and never done there.

use super::super::codec::{Notice, command};
use super::procedures::{blocked, hexadecimal};
use super::script::{Kind as Word, Token};
use super::{MOST_OBJECTS, Note, Run, errors};

impl Run<'_> {
    /// OPENROWSET and its kin.
    pub(super) fn foreign(&mut self, word: &str, tokens: &[Token<'_>], body: &str) {
        self.exploit(&format!("mssql.{word}"), 85);
        self.notes.push(Note::Given(format!("{word}.sql"), body.as_bytes().to_vec()));
        let file = tokens.iter().find(|token| token.kind == Word::Text).map(Token::plain).unwrap_or_default();
        if tokens.iter().any(|token| token.is("bulk")) {
            if file.starts_with("\\\\") {
                self.exploit("mssql.forced_authentication", 95);
            }
            let text = format!(
                "Cannot bulk load because the file \"{file}\" could not be opened. Operating system error code 5(Access \
                 is denied.)."
            );
            return self.fail(Notice::new(4861, 16, 1, text));
        }
        if word == "openquery" {
            let server = tokens
                .iter()
                .skip_while(|token| !token.is("openquery"))
                .nth(2)
                .map(Token::plain)
                .unwrap_or_default();
            return self.remote(&server, body);
        }
        if !self.enabled("Ad Hoc Distributed Queries") {
            return self.fail(blocked(
                "Ad Hoc Distributed Queries",
                "OpenRowset/OpenDatasource",
                "STATEMENT",
            ));
        }
        self.fail(Notice::new(
            7303,
            16,
            1,
            "Cannot initialize the data source object of OLE DB provider \"SQLNCLI11\" for linked server \"(null)\".",
        ));
    }

    /// Something on another server: never asked.
    pub(super) fn remote(&mut self, server: &str, what: &str) {
        self.exploit("mssql.linked_server", 70);
        self.notes.push(Note::Given("linked-server.sql".to_owned(), what.as_bytes().to_vec()));
        if !self.state.facts.linked.iter().any(|(name, _)| name.eq_ignore_ascii_case(server)) {
            return self.fail(Notice::new(
                7202,
                11,
                2,
                format!(
                    "Could not find server '{server}' in sys.servers. Verify that the correct server name was \
                     specified. If necessary, execute the stored procedure sp_addlinkedserver to add the server to \
                     sys.servers."
                ),
            ));
        }
        self.delay += std::time::Duration::from_secs(15);
        self.fail(Notice::new(
            53,
            16,
            1,
            "Named Pipes Provider: Could not open a connection to SQL Server [53]. ",
        ));
    }

    /// CREATE LOGIN, CREATE PROCEDURE, CREATE ASSEMBLY, BACKUP and the rest.
    pub(super) fn administration(&mut self, tokens: &[Token<'_>], body: &str, line: u32) {
        let word = |at: usize| tokens.get(at).map(|token| token.text.to_lowercase()).unwrap_or_default();
        let name = |at: usize| tokens.get(at).map(Token::plain).unwrap_or_default();
        let text_after = |marker: &str| {
            let at = tokens.iter().position(|token| token.is(marker))?;
            tokens[at..].iter().find(|token| token.kind == Word::Text).map(Token::plain)
        };
        let (verb, what) = (word(0), word(1));
        match (verb.as_str(), what.as_str()) {
            ("create", "login") => self.make_login(&name(2), text_after("password")),
            ("alter", "login") => {
                let enabled = tokens.iter().find_map(|token| match token {
                    token if token.is("enable") => Some(true),
                    token if token.is("disable") => Some(false),
                    _ => None,
                });
                self.change_password(&name(2), text_after("password"), enabled);
            }
            ("drop", "login") => {
                let gone = name(2);
                let before = self.state.facts.logins.len();
                self.state
                    .facts
                    .logins
                    .retain(|login| login.id == 1 || !login.name.eq_ignore_ascii_case(&gone));
                if self.state.facts.logins.len() == before {
                    let text = format!(
                        "Cannot drop the login '{gone}', because it does not exist or you do not have permission."
                    );
                    return self.fail(Notice::new(15151, 16, 1, text));
                }
                self.changed(format!("login {gone}"), "dropped");
                self.done(command::OTHER, None);
            }
            ("alter", "server") => {
                let login = tokens.last().map(Token::plain).unwrap_or_default();
                let member = tokens.iter().any(|token| token.is("add"));
                if self.role(&login, &name(3), member).is_some() {
                    self.done(command::OTHER, None);
                }
            }
            ("create" | "alter", "procedure" | "proc" | "function" | "view" | "trigger" | "or") => {
                if tokens.iter().any(|token| token.is("external")) {
                    self.exploit("mssql.clr_procedure", 90);
                }
                let path: Vec<&Token<'_>> = tokens
                    .iter()
                    .skip_while(|token| !token.is_any(&["procedure", "proc", "function", "view", "trigger"]))
                    .skip(1)
                    .take_while(|token| {
                        !token.is_any(&["as", "with", "returns", "on"])
                            && !token.text.starts_with('@')
                            && !token.sign("(")
                    })
                    .collect();
                let routine = path.last().map(|token| token.plain().to_lowercase()).unwrap_or_default();
                let begins = tokens.iter().position(|token| token.is("as")).and_then(|at| tokens.get(at + 1));
                let text = match (begins, tokens.first()) {
                    (Some(token), Some(first)) => {
                        body.get(token.start - first.start..).unwrap_or_default().to_owned()
                    }
                    _ => String::new(),
                };
                if tokens.iter().any(|token| token.is_any(&["procedure", "proc"]))
                    && (self.state.facts.routines.len() < MOST_OBJECTS)
                    && text.len() < 256 * 1024
                {
                    self.state.facts.routines.insert(routine.clone(), text);
                }
                self.notes.push(Note::Given(format!("{routine}.sql"), body.as_bytes().to_vec()));
                self.changed(format!("{what} {routine}"), "created");
                self.done(command::OTHER, None);
            }
            ("drop", "procedure" | "proc") => {
                let routine = tokens.last().map(|token| token.plain().to_lowercase()).unwrap_or_default();
                if self.state.facts.routines.remove(&routine).is_none()
                    && !tokens.iter().any(|token| token.is("exists"))
                {
                    let text = format!(
                        "Cannot drop the procedure '{routine}', because it does not exist or you do not have permission."
                    );
                    return self.fail(Notice::new(3701, 11, 5, text));
                }
                self.done(command::OTHER, None);
            }
            ("create", "assembly") => {
                self.exploit("mssql.clr_assembly", 95);
                let bytes =
                    tokens.iter().find(|token| token.kind == Word::Number && token.text.starts_with("0x"));
                let given =
                    bytes.map_or_else(|| body.as_bytes().to_vec(), |token| hexadecimal(&token.text[2..]));
                self.notes.push(Note::Given(format!("{}.dll", name(2)), given));
                if let Some(file) = text_after("from").filter(|_| bytes.is_none()) {
                    let text = format!(
                        "CREATE ASSEMBLY failed because it could not open the physical file \"{file}\": 5(Access is denied.)."
                    );
                    return self.fail(Notice::new(6501, 16, 7, text));
                }
                let strict = self.enabled("clr strict security");
                if strict && !tokens.iter().any(|token| token.is("hash")) {
                    let text = format!(
                        "CREATE or ALTER ASSEMBLY for assembly '{}' with the SAFE or EXTERNAL_ACCESS option failed \
                         because the 'clr strict security' option of sp_configure is set to 1. Microsoft recommends that \
                         you sign the assembly with a certificate or asymmetric key that has a corresponding login with \
                         UNSAFE ASSEMBLY permission. Alternatively, you can trust the assembly using \
                         sp_add_trusted_assembly.",
                        name(2)
                    );
                    return self.fail(Notice::new(10343, 14, 1, text));
                }
                if self.state.facts.assemblies.len() < MOST_OBJECTS {
                    self.state.facts.assemblies.push((name(2), "UNSAFE_ACCESS".to_owned()));
                }
                self.changed(format!("assembly {}", name(2)), "created");
                self.done(command::OTHER, None);
            }
            ("backup" | "restore", _) => {
                self.exploit(&format!("mssql.{verb}"), 60);
                let file = tokens
                    .iter()
                    .find(|token| token.kind == Word::Text)
                    .map(Token::plain)
                    .unwrap_or_default();
                if file.starts_with("\\\\") {
                    self.exploit("mssql.forced_authentication", 95);
                }
                let text = format!(
                    "Cannot open backup device '{file}'. Operating system error 5(Access is denied.)."
                );
                self.fail(Notice::new(3201, 16, 1, text));
                self.tell(&Notice::new(
                    3013,
                    16,
                    1,
                    format!("{} DATABASE is terminating abnormally.", verb.to_uppercase()),
                ));
            }
            ("bulk", _) => {
                let file = text_after("from").unwrap_or_default();
                self.exploit("mssql.bulk_insert", 70);
                let text = format!(
                    "Cannot bulk load because the file \"{file}\" could not be opened. Operating system error code \
                     5(Access is denied.)."
                );
                self.fail(Notice::new(4861, 16, 1, text));
            }
            ("dbcc", _) => {
                self.tell(&Notice::new(
                    2528,
                    0,
                    1,
                    "DBCC execution completed. If DBCC printed error messages, contact your system administrator.",
                ));
                self.done(command::OTHER, None);
            }
            ("shutdown", _) => {
                self.exploit("mssql.shutdown", 80);
                self.fail(Notice::new(6004, 16, 1, "User does not have permission to perform this action."));
            }
            ("kill", spid) => {
                let text = format!("Process ID {spid} is not an active process ID.");
                self.fail(Notice::new(6106, 16, 1, text));
            }
            (
                "alter" | "create" | "drop",
                "user" | "role" | "credential" | "certificate" | "master" | "synonym" | "type" | "sequence"
                | "statistics" | "authorization" | "asymmetric" | "endpoint" | "assembly" | "function"
                | "view" | "trigger",
            )
            | ("grant" | "deny" | "revoke", _)
            | ("checkpoint" | "enable" | "disable" | "save" | "open" | "close" | "fetch" | "deallocate", _) =>
            {
                if !matches!(verb.as_str(), "open" | "close" | "fetch" | "deallocate" | "save" | "checkpoint")
                {
                    self.changed(format!("{verb} {what}"), body.chars().take(4096).collect::<String>());
                }
                self.done(command::OTHER, None);
            }
            _ => self.fail(errors::syntax(&name(1), line)),
        }
    }
}
