//! COPY.

use super::super::files;
use super::super::product::{Note, Postgres};
use super::split::{literal, words};
use super::*;

/// Rows that come in over COPY … FROM STDIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyIn {
    /// The table as it was written.
    pub(crate) table: String,
    /// The columns in brackets, or nothing.
    pub(crate) columns: String,
    /// The number of columns.
    pub(crate) count: usize,
    /// What stands between two fields.
    pub(crate) delimiter: char,
    /// CSV.
    pub(crate) csv: bool,
    /// Whether the first line is left out.
    pub(crate) header: bool,
}

/// What a COPY says.
struct Copy {
    source: String,
    columns: String,
    from: bool,
    target: Target,
    delimiter: char,
    csv: bool,
    header: bool,
    query: bool,
}

enum Target {
    Client,
    Program(String),
    File(String),
}

/// Reads `COPY table [(columns)] | (query) FROM | TO target [WITH] [(options)]`.
fn read(text: &str) -> Option<Copy> {
    let words = words(text);
    let mut depth = 0i32;
    let at = words.iter().enumerate().skip(1).position(|(_, word)| {
        match *word {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0 && (word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("to"))
    })? + 1;
    let from = words[at].eq_ignore_ascii_case("from");
    let query = words.get(1) == Some(&"(");
    let place = words[at].as_ptr() as usize - text.as_ptr() as usize;
    let start = words.get(1)?.as_ptr() as usize - text.as_ptr() as usize;
    let left = text.get(start..place)?.trim();
    let (source, columns) = if query {
        (left.strip_prefix('(')?.strip_suffix(')')?.to_owned(), String::new())
    } else {
        match left.split_once('(') {
            Some((table, columns)) => (table.trim().to_owned(), format!("({columns}")),
            None => (left.to_owned(), String::new()),
        }
    };
    let mut rest = words[at + 1..].iter();
    let target = match rest.next()? {
        word if word.eq_ignore_ascii_case("stdin") || word.eq_ignore_ascii_case("stdout") => Target::Client,
        word if word.eq_ignore_ascii_case("program") => Target::Program(literal(rest.next()?)?),
        word => Target::File(literal(word)?),
    };
    let rest: Vec<&str> = rest.copied().collect();
    let has = |wanted: &str| rest.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    let csv = has("csv");
    let delimiter = rest
        .iter()
        .position(|word| word.eq_ignore_ascii_case("delimiter"))
        .and_then(|at| rest[at + 1..].iter().find_map(|word| literal(word)))
        .and_then(|text| text.chars().next());
    Some(Copy {
        source,
        columns,
        from,
        target,
        delimiter: delimiter.unwrap_or(if csv { ',' } else { '\t' }),
        csv,
        header: has("header"),
        query,
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out
}

/// The fields of a line; none is null.
fn fields_of(line: &str, copy: &CopyIn) -> Vec<Option<String>> {
    if copy.csv {
        let mut out = Vec::new();
        let (mut field, mut quoted, mut was) = (String::new(), false, false);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => {
                    letters.next();
                    field.push('"');
                }
                '"' => {
                    quoted = !quoted;
                    was = true;
                }
                other if other == copy.delimiter && !quoted => {
                    out.push((was || !field.is_empty()).then(|| std::mem::take(&mut field)));
                    field.clear();
                    was = false;
                }
                other => field.push(other),
            }
        }
        out.push((was || !field.is_empty()).then_some(field));
        return out;
    }
    line.split(copy.delimiter)
        .map(|field| {
            (field != "\\N").then(|| field.replace("\\t", "\t").replace("\\n", "\n").replace("\\\\", "\\"))
        })
        .collect()
}

impl Talk {
    pub(super) fn copy(&mut self, persona: &Persona, state: &mut State, text: &str, now: i64) -> Result<Ran> {
        let Some(copy) = read(text) else {
            return Err(errors::of(&sql::SqlError::Unsupported(String::new()), text, "").into());
        };
        let mut notes = Vec::new();
        let superuser = state.superuser(&self.user);
        let denied = |notes: Vec<Note>, what: &str, role: &str| {
            let mut fault = errors::fault(
                "ERROR",
                "42501",
                format!("must be superuser or have privileges of the {role} role to COPY {what}"),
            );
            fault.hint = Some(
                "Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone."
                    .to_owned(),
            );
            Err(Refused { fault, notes, kept: Vec::new() })
        };
        match &copy.target {
            Target::Program(command) => {
                notes.push(Note::Exploit("postgres.copy_program"));
                notes.push(Note::Changed("program".to_owned(), command.clone()));
                if !superuser {
                    return denied(notes, "to or from an external program", "pg_execute_server_program");
                }
            }
            Target::File(path) if copy.from => {
                notes.push(Note::Exploit("postgres.copy_file"));
                notes.push(Note::Read(path.clone()));
                if !superuser {
                    return denied(notes, "from a file", "pg_read_server_files");
                }
            }
            Target::File(path) => {
                notes.push(Note::Exploit("postgres.copy_file"));
                notes.push(Note::Wrote(path.clone()));
                if !superuser {
                    return denied(notes, "to a file", "pg_write_server_files");
                }
            }
            Target::Client => {}
        }
        let kept = match &copy.target {
            Target::Program(command) => vec![("command".to_owned(), command.clone().into_bytes())],
            _ => Vec::new(),
        };
        let told = |refused: Refused, notes: Vec<Note>| Refused { notes, ..refused };
        if copy.from {
            let count = match self.columns(persona, state, &copy, now) {
                Ok(count) => count,
                Err(refused) => return Err(told(refused, notes)),
            };
            let incoming = CopyIn {
                table: copy.source.clone(),
                columns: copy.columns.clone(),
                count,
                delimiter: copy.delimiter,
                csv: copy.csv,
                header: copy.header,
            };
            let output = match &copy.target {
                Target::Client => return Ok(Ran { notes, ..Ran::of(Done::CopyIn(incoming)) }),
                // The command is run by nobody; what it would print is known for a few.
                Target::Program(command) => program(persona, state, command),
                Target::File(path) => {
                    let product = self.product(persona, state);
                    match files::read(&product, path, &[]) {
                        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                        Err(error) => {
                            let mut fault = errors::of(&error, text, "");
                            fault.hint = Some(
                                "COPY FROM instructs the PostgreSQL server process to read a file. You may want a \
                                 client-side facility such as psql's \\copy."
                                    .to_owned(),
                            );
                            Err(fault)
                        }
                    }
                }
            };
            let output = match output {
                Ok(output) => output,
                Err(fault) => return Err(Refused { fault, notes, kept }),
            };
            return match self.take(persona, state, &incoming, output.as_bytes(), now) {
                Ok(rows) => Ok(Ran { notes, kept, ..Ran::tag(format!("COPY {rows}")) }),
                Err(refused) => Err(Refused { notes, kept, ..refused }),
            };
        }
        let query = if copy.query {
            copy.source.clone()
        } else if copy.columns.is_empty() {
            format!("SELECT * FROM {}", copy.source)
        } else {
            format!("SELECT {} FROM {}", copy.columns.trim_matches(['(', ')']), copy.source)
        };
        let plan = plan(&query)?;
        let ran = match self.run(persona, state, &query, &plan, Vec::new(), now) {
            Ok(ran) => ran,
            Err(refused) => return Err(told(refused, notes)),
        };
        let Done::Rows(fields, rows, _) = ran.done else {
            return refuse("42601", "COPY query must have a RETURNING clause");
        };
        let delimiter = copy.delimiter.to_string();
        let mut lines = Vec::new();
        if copy.header {
            lines.push(fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>().join(&delimiter));
        }
        for row in &rows {
            let texts = row.iter().zip(&fields).map(|(value, field)| {
                match (super::super::format::text(value, field.oid), copy.csv) {
                    (None, true) => String::new(),
                    (None, false) => "\\N".to_owned(),
                    (Some(text), true) if text.contains([copy.delimiter, '"', '\n']) || text.is_empty() => {
                        format!("\"{}\"", text.replace('"', "\"\""))
                    }
                    (Some(text), true) => text,
                    (Some(text), false) => escaped(&text),
                }
            });
            lines.push(texts.collect::<Vec<_>>().join(&delimiter));
        }
        notes.extend(ran.notes);
        let done = match copy.target {
            Target::Client => Done::CopyOut(fields.len(), lines),
            _ => Done::Tag(format!("COPY {}", rows.len())),
        };
        Ok(Ran { notes, kept, touched: ran.touched, delay: ran.delay, ..Ran::of(done) })
    }

    /// The number of columns that a line has.
    fn columns(&mut self, persona: &Persona, state: &mut State, copy: &Copy, now: i64) -> Result<usize> {
        if !self.may_change(state) {
            return refuse("42501", format!("permission denied for table {}", copy.source));
        }
        let list = if copy.columns.is_empty() { "*" } else { copy.columns.trim_matches(['(', ')']) };
        let query = format!("SELECT {list} FROM {} LIMIT 0", copy.source);
        let plan = plan(&query)?;
        let mut refused = match self.run(persona, state, &query, &plan, Vec::new(), now) {
            Ok(Ran { done: Done::Rows(fields, ..), .. }) => return Ok(fields.len()),
            Ok(_) => return refuse("42601", "syntax error at or near \"COPY\""),
            Err(refused) => refused,
        };
        refused.fault.position = None;
        refused.fault.source = ("namespace.c".to_owned(), 433, "RangeVarGetRelidExtended");
        Err(refused)
    }

    /// Takes lines into a table; how many.
    pub(crate) fn take(
        &mut self,
        persona: &Persona,
        state: &mut State,
        copy: &CopyIn,
        bytes: &[u8],
        now: i64,
    ) -> Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut rows = 0;
        for (at, line) in text.lines().enumerate() {
            if (at == 0 && copy.header) || line == "\\." {
                continue;
            }
            let fields = fields_of(line, copy);
            let place = format!("COPY {}, line {}", copy.table, at + 1);
            if fields.len() != copy.count {
                let mut fault = if fields.len() > copy.count {
                    errors::fault("ERROR", "22P04", "extra data after last expected column")
                } else {
                    errors::fault("ERROR", "22P04", "missing data for column")
                };
                fault.place = Some(format!("{place}: \"{line}\""));
                return Err(fault.into());
            }
            let values: Vec<String> = (1..=fields.len()).map(|number| format!("${number}")).collect();
            let insert =
                format!("INSERT INTO {} {} VALUES ({})", copy.table, copy.columns, values.join(", "));
            let plan = plan(&insert)?;
            let parameters = fields.into_iter().map(|field| field.map_or(Value::Null, Value::text)).collect();
            if let Err(mut refused) = self.run(persona, state, &insert, &plan, parameters, now) {
                refused.fault.place = Some(format!("{place}: \"{line}\""));
                refused.fault.position = None;
                return Err(refused);
            }
            rows += 1;
        }
        Ok(rows)
    }
}

/// What a command that tells who runs it prints. No command is run.
fn program(persona: &Persona, state: &State, command: &str) -> std::result::Result<String, Fault> {
    let _ = state;
    let words: Vec<&str> = command.split_whitespace().collect();
    let failed = |code: u8| {
        let mut fault = errors::fault("ERROR", "38000", format!("program \"{command}\" failed"));
        fault.detail = Some(if code == 127 {
            "command not found".to_owned()
        } else {
            format!("child process exited with exit code {code}")
        });
        Err(fault)
    };
    let shell = !persona.windows;
    match words[..] {
        ["id"] if shell => {
            Ok("uid=108(postgres) gid=115(postgres) groups=115(postgres),114(ssl-cert)\n".to_owned())
        }
        ["whoami"] if shell => Ok("postgres\n".to_owned()),
        ["whoami"] => Ok("nt authority\\network service\n".to_owned()),
        ["pwd"] if shell => Ok(format!("{}\n", persona.data)),
        ["echo", ref rest @ ..] if shell => Ok(format!("{}\n", rest.join(" ").replace(['\'', '"'], ""))),
        ["cat", path] if shell => {
            let talk = Talk { user: "postgres".to_owned(), ..Talk::default() };
            let product: Postgres<'_> = talk.product(persona, state);
            match files::read(&product, path, &[]) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Err(_) => failed(1),
            }
        }
        // Fetching and running says nothing on standard output.
        [first, ..]
            if [
                "curl", "wget", "bash", "sh", "nohup", "chmod", "rm", "pkill", "kill", "crontab", "mkdir",
                "touch",
            ]
            .contains(&first)
                || command.contains(['|', ';', '>', '&']) =>
        {
            Ok(String::new())
        }
        _ => failed(127),
    }
}
