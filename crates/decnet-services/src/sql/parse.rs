//! From text to statements.

use sqlparser::ast::Statement;
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError};

use super::error::{Near, SqlError};

/// Bytes of one statement.
pub(super) const STATEMENT_LIMIT: usize = 1024 * 1024;
/// Operators in one statement. The parser makes a tree as deep as a chain of them is long, and whoever
/// walks it (dropping it, for one) needs stack for each level.
const OPERATOR_LIMIT: usize = 400;
/// Levels of brackets and subqueries.
const NESTING: usize = 40;

/// Reads statements that are separated by semicolons.
///
/// # Errors
/// [`SqlError::Syntax`], [`SqlError::Unterminated`], [`SqlError::TooComplex`].
pub fn parse(dialect: &dyn Dialect, text: &str) -> Result<Vec<Statement>, SqlError> {
    if text.len() > STATEMENT_LIMIT {
        return Err(SqlError::TooComplex);
    }
    let mut tokens = Tokenizer::new(dialect, text)
        .tokenize_with_location()
        .map_err(|TokenizerError { location, .. }| SqlError::Unterminated(near(text, location, None)))?;
    let operators = tokens.iter().filter(|token| is_operator(&token.token)).count();
    if operators > OPERATOR_LIMIT {
        return Err(SqlError::TooComplex);
    }
    if let Some(token) = misplaced(&tokens) {
        return Err(SqlError::Syntax(near(text, token.span.start, Some(token))));
    }
    number_placeholders(&mut tokens);
    let mut parser =
        Parser::new(dialect).with_recursion_limit(NESTING).with_tokens_with_locations(tokens.clone());
    parser.parse_statements().map_err(|error| match error {
        ParserError::RecursionLimitExceeded => SqlError::TooComplex,
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
            SqlError::Syntax(place(&message).map_or_else(
                || end(text),
                |location| near(text, location, tokens.iter().find(|token| token.span.start == location)),
            ))
        }
    })
}

/// A word that cannot be a name where a table's must stand. The parser takes it for one; no product does.
fn misplaced(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    use Keyword as K;
    let mut before = None;
    for token in tokens {
        let keyword = match &token.token {
            Token::Whitespace(_) => continue,
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => K::NoKeyword,
        };
        let reserved = matches!(
            keyword,
            K::WHERE
                | K::GROUP
                | K::ORDER
                | K::HAVING
                | K::LIMIT
                | K::UNION
                | K::ON
                | K::AND
                | K::OR
                | K::SET
                | K::FROM
                | K::INTO
                | K::JOIN
        );
        if reserved && matches!(before, Some(K::FROM | K::JOIN | K::INTO | K::UPDATE)) {
            return Some(token);
        }
        before = Some(keyword);
    }
    None
}

/// Question marks get numbers, so that a value can be found for each: `?` becomes `?1`, `?2`, …
fn number_placeholders(tokens: &mut [TokenWithSpan]) {
    let mut count = 0;
    for token in tokens {
        if let Token::Placeholder(name) = &mut token.token
            && name == "?"
        {
            count += 1;
            *name = format!("?{count}");
        }
    }
}

/// Whether the parser makes another level of the tree for a token.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::BETWEEN
                | Keyword::IS
                | Keyword::IN
                | Keyword::DIV
                | Keyword::MOD
                | Keyword::COLLATE
                | Keyword::OPERATOR
        ),
        Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::RParen
        | Token::RBracket
        | Token::RBrace
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::Placeholder(_)
        | Token::EOF
        // Brackets are held by the parser's own limit.
        | Token::LParen => false,
        _ => true,
    }
}

/// The place that the parser's message ends with.
fn place(message: &str) -> Option<Location> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location::new(line.parse().ok()?, column.trim().parse().ok()?))
}

/// The end of a statement.
fn end(text: &str) -> Near {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
    Near { offset: text.len(), line, token: String::new() }
}

/// What stands at a place.
fn near(text: &str, location: Location, token: Option<&TokenWithSpan>) -> Near {
    let offset = offset(text, location);
    let rest = text.get(offset..).unwrap_or_default();
    let length = match token {
        Some(token) if token.span.end > token.span.start => {
            self::offset(text, token.span.end).saturating_sub(offset)
        }
        _ => rest.len(),
    };
    Near { offset, line: location.line.max(1), token: rest.get(..length).unwrap_or(rest).to_owned() }
}

/// The byte at a line and column, both from 1 and the column in characters.
fn offset(text: &str, location: Location) -> usize {
    let mut start = 0;
    for _ in 1..location.line {
        match text[start..].find('\n') {
            Some(at) => start += at + 1,
            None => return text.len(),
        }
    }
    let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
    text[start..].char_indices().nth(column).map_or(text.len(), |(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sqlparser::dialect::{MsSqlDialect, MySqlDialect, PostgreSqlDialect};

    use super::*;

    fn syntax(text: &str) -> Near {
        match parse(&MySqlDialect {}, text) {
            Err(SqlError::Syntax(near)) => near,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_place_of_a_mistake_is_known() {
        let near = syntax("SELECT 1\nFROM WHERE x");
        assert_eq!((near.line, near.offset), (2, 14));
        assert_eq!(near.token, "WHERE");
        let near = syntax("SELEC 1");
        assert_eq!((near.offset, near.token.as_str()), (0, "SELEC"));
        assert_eq!(syntax("SELECT 'ä', FROM WHERE x").token, "WHERE");
        assert_eq!(syntax("SELECT * FROM").token, "");
        assert!(matches!(parse(&MySqlDialect {}, "SELECT 'abc"), Err(SqlError::Unterminated(_))));
    }

    #[test]
    fn a_long_chain_or_a_deep_nest_is_refused() {
        let chain = format!("SELECT {}1", "1+".repeat(100_000));
        let unary = format!("SELECT {}1", "- ".repeat(100_000));
        let brackets = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
        let union = vec!["SELECT 1"; 5_000].join(" UNION ");
        let casts = format!("SELECT 1{}", "::text".repeat(5_000));
        let not = format!("SELECT {} 1", "NOT ".repeat(5_000));
        for text in [chain, unary, brackets, union, casts, not] {
            assert_eq!(parse(&PostgreSqlDialect {}, &text), Err(SqlError::TooComplex), "{}", &text[..40]);
        }
        // Long is not deep.
        let rows = vec!["(1, 'x', NULL)"; 20_000].join(",");
        assert!(parse(&PostgreSqlDialect {}, &format!("INSERT INTO t VALUES {rows}")).is_ok());
    }

    #[test]
    fn question_marks_are_numbered() {
        let statements = parse(&MySqlDialect {}, "SELECT ?, a FROM t WHERE b = ?").unwrap();
        assert_eq!(statements[0].to_string(), "SELECT ?1, a FROM t WHERE b = ?2");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,200}") {
            let _ = parse(&MySqlDialect {}, &text);
            let _ = parse(&PostgreSqlDialect {}, &text);
            let _ = parse(&MsSqlDialect {}, &text);
        }

        #[test]
        fn no_sequence_of_words_breaks_it(words in prop::collection::vec(prop::sample::select(vec![
            "SELECT", "FROM", "WHERE", "(", ")", ",", "'a'", "1", "t", "AND", "NOT", "CASE", "WHEN", "END",
            "INSERT", "INTO", "VALUES", "UPDATE", "SET", "=", "*", ";", "JOIN", "ON", "::", "[", "]", "$1",
            "CREATE", "TABLE", "DROP", "IN", "EXISTS", "LIKE", "BETWEEN", "UNION", "ORDER", "BY", "LIMIT",
        ]), 0..60)) {
            let text = words.join(" ");
            let _ = parse(&MySqlDialect {}, &text);
            let _ = parse(&PostgreSqlDialect {}, &text);
            let _ = parse(&MsSqlDialect {}, &text);
        }
    }
}
