//! Transact-SQL as far as a parser of single statements does not know it: a batch needs no semicolons. The
//! text is cut into words with their places; statements begin where a word can only begin one.

/// A word, a literal or a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or name without quotes, also `@x` and `#t`.
    Word,
    /// A name in brackets or double quotes.
    Quoted,
    /// A text.
    Text,
    /// A number.
    Number,
    /// Anything else, one character.
    Sign,
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// As written.
    pub(super) text: &'a str,
    /// Where it begins.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
}

impl Token<'_> {
    /// Whether it is this word.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these words.
    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Whether it is this sign.
    pub(super) fn sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    /// What a name or a text says without its quotes.
    pub(super) fn plain(&self) -> String {
        match self.kind {
            Kind::Text => {
                let text = self.text.trim_start_matches(['N', 'n']);
                let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                inner.replace("''", "'")
            }
            Kind::Quoted => {
                let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default();
                if self.text.starts_with('[') {
                    inner.replace("]]", "]")
                } else {
                    inner.replace("\"\"", "\"")
                }
            }
            _ => self.text.to_owned(),
        }
    }
}

/// A text or comment without an end: where it begins, and whether it is a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) start: usize,
    pub(super) comment: bool,
}

/// Cuts a batch into tokens.
///
/// # Errors
/// A text, name or comment that does not end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Open> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let next = bytes.get(at + 1).copied();
        let kind = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'-' if next == Some(b'-') => {
                at = text[at..].find('\n').map_or(bytes.len(), |length| at + length);
                continue;
            }
            b'/' if next == Some(b'*') => {
                at = comment(bytes, at).ok_or(Open { start, comment: true })?;
                continue;
            }
            b'\'' => {
                at = quoted(bytes, at, b'\'').ok_or(Open { start, comment: false })?;
                Kind::Text
            }
            b'N' | b'n' if next == Some(b'\'') => {
                at = quoted(bytes, at + 1, b'\'').ok_or(Open { start, comment: false })?;
                Kind::Text
            }
            b'"' => {
                at = quoted(bytes, at, b'"').ok_or(Open { start, comment: false })?;
                Kind::Quoted
            }
            b'[' => {
                at = quoted(bytes, at, b']').ok_or(Open { start, comment: false })?;
                Kind::Quoted
            }
            b'0'..=b'9' => {
                while bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.') {
                    at += 1;
                }
                Kind::Number
            }
            byte if byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@' | b'#') || byte >= 0x80 => {
                while bytes.get(at).is_some_and(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b'#' | b'$') || *byte >= 0x80
                }) {
                    at += 1;
                }
                Kind::Word
            }
            _ => {
                at += 1;
                Kind::Sign
            }
        };
        tokens.push(Token { kind, text: &text[start..at], start, end: at });
    }
    Ok(tokens)
}

/// The place behind a quoted text; the quote is doubled where it stands for itself.
fn quoted(bytes: &[u8], start: usize, end: u8) -> Option<usize> {
    let mut at = start + 1;
    loop {
        if *bytes.get(at)? == end {
            if bytes.get(at + 1) != Some(&end) {
                return Some(at + 1);
            }
            at += 1;
        }
        at += 1;
    }
}

/// The place behind a comment; comments nest.
fn comment(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0u32;
    let mut at = start;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// Words that begin a statement wherever they stand outside of brackets, but where another word says
/// otherwise.
const BEGINNINGS: &[&str] = &[
    "select",
    "insert",
    "update",
    "delete",
    "exec",
    "execute",
    "declare",
    "set",
    "if",
    "while",
    "print",
    "use",
    "create",
    "alter",
    "drop",
    "truncate",
    "begin",
    "end",
    "commit",
    "rollback",
    "save",
    "waitfor",
    "raiserror",
    "throw",
    "return",
    "break",
    "continue",
    "go",
    "grant",
    "revoke",
    "deny",
    "backup",
    "restore",
    "dbcc",
    "merge",
    "reconfigure",
    "shutdown",
    "kill",
    "with",
    "else",
    "bulk",
    "open",
    "close",
    "fetch",
    "deallocate",
    "goto",
    "checkpoint",
    "disable",
    "enable",
    "revert",
];

/// The index of the token behind the statement that begins at `from`.
pub(super) fn statement_end(tokens: &[Token<'_>], from: usize) -> usize {
    let Some(first) = tokens.get(from) else { return from };
    let mut depth = 0i32;
    // What makes the procedure or trigger takes the rest of the batch.
    if first.is_any(&["create", "alter"])
        && tokens[from + 1..]
            .iter()
            .take(4)
            .any(|token| token.is_any(&["procedure", "proc", "trigger", "function", "view"]))
    {
        return tokens.len();
    }
    let mut cases = 0u32;
    let mut selects = first.is_any(&["insert", "with", "merge"]);
    for at in from + 1..tokens.len() {
        let (token, before) = (&tokens[at], &tokens[at - 1]);
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            ";" if depth <= 0 => return at,
            _ => {}
        }
        if depth > 0 || token.kind != Kind::Word {
            continue;
        }
        if token.is("case") {
            cases += 1;
        } else if token.is("end") && cases > 0 {
            cases -= 1;
            continue;
        }
        if before.sign(".") || before.is("as") && !token.is_any(&["select", "begin"]) {
            continue;
        }
        if !token.is_any(BEGINNINGS) {
            continue;
        }
        let next = tokens.get(at + 1);
        let part = match token.text.to_ascii_lowercase().as_str() {
            "select" => {
                let part = selects || before.is_any(&["union", "all", "except", "intersect", "as", "for"]);
                selects = false;
                part
            }
            // INSERT … EXEC.
            "exec" | "execute" => {
                let part = first.is("insert") && selects;
                if part {
                    selects = false;
                }
                part || before.is("with") || first.is_any(&["grant", "deny", "revoke"])
            }
            "insert" | "update" | "delete" => {
                let part = first.is_any(&["merge", "grant", "deny", "revoke"])
                    || before.is_any(&["on", "then", "for", "after"])
                    || first.is("with") && selects;
                if first.is("with") {
                    selects = false;
                }
                part
            }
            "set" => first.is_any(&["update", "alter", "merge"]) || first.is("with"),
            "with" => !before.sign(";"),
            "if" => {
                before.is_any(&[
                    "table",
                    "view",
                    "database",
                    "procedure",
                    "proc",
                    "function",
                    "login",
                    "user",
                ]) || next.is_some_and(|next| next.is("exists")) && first.is_any(&["drop", "create"])
            }
            "alter" | "drop" | "create" | "add" => first.is_any(&["alter", "grant", "deny", "revoke"]),
            "backup" | "restore" => first.is_any(&["grant", "deny", "revoke"]),
            "fetch" => before.is_any(&["rows", "row"]),
            "open" | "close" | "use" | "enable" | "disable" => {
                first.is_any(&["create", "alter"]) || before.is_any(&["option", "."])
            }
            "end" | "else" => false,
            _ => false,
        };
        if !part {
            return at;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str) -> Vec<String> {
        let all = tokens(text).unwrap();
        let mut from = 0;
        let mut statements = Vec::new();
        while from < all.len() {
            if all[from].sign(";") {
                from += 1;
                continue;
            }
            let end = statement_end(&all, from).max(from + 1);
            statements.push(text[all[from].start..all[end - 1].end].to_owned());
            from = end;
        }
        statements
    }

    #[test]
    fn statements_need_no_semicolons() {
        for (text, wanted) in [
            ("select 1 select 2", vec!["select 1", "select 2"]),
            (
                "SELECT 1 UNION ALL SELECT 2; PRINT 'x;y' -- z\nuse master",
                vec!["SELECT 1 UNION ALL SELECT 2", "PRINT 'x;y'", "use master"],
            ),
            (
                "insert into t select a from b update t set a = 1",
                vec!["insert into t select a from b", "update t set a = 1"],
            ),
            (
                "select case when 1=1 then 2 end, [end] from t exec xp_cmdshell 'select 1'",
                vec!["select case when 1=1 then 2 end, [end] from t", "exec xp_cmdshell 'select 1'"],
            ),
            (
                "drop table if exists t create table t (a int) insert t values (1)",
                vec!["drop table if exists t", "create table t (a int)", "insert t values (1)"],
            ),
            (
                "select name from t with (nolock) where id in (select 1)",
                vec!["select name from t with (nolock) where id in (select 1)"],
            ),
            ("exec sp_configure 'a', 1;reconfigure;", vec!["exec sp_configure 'a', 1", "reconfigure"]),
            ("/* a /* b */ c */ select N'it''s'", vec!["select N'it''s'"]),
        ] {
            assert_eq!(split(text), wanted, "{text}");
        }
        assert_eq!(tokens("select 'a"), Err(Open { start: 7, comment: false }));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,200}") {
            if let Ok(all) = tokens(&text) {
                let mut from = 0;
                while from < all.len() {
                    let end = statement_end(&all, from);
                    prop_assert!(end > from);
                    let _ = all[from].plain();
                    from = end;
                }
            }
        }
    }
}
