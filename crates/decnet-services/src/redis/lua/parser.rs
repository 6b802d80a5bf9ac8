//! Text to tree. Messages are those of Lua 5.1's compiler.

use std::rc::Rc;

use super::syntax::{
    Binary, Block, Expression, ExpressionKind, Field, Function, Statement, StatementKind, Unary,
};

/// Why a script does not compile: the line and Lua's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// The line, from 1.
    pub(crate) line: u32,
    /// `unexpected symbol near 'x'`
    pub(crate) message: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(Vec<u8>),
    Number(f64),
    /// A keyword or mark.
    Mark(&'static str),
    End,
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Token::Name(name) => name.clone(),
            Token::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Token::Number(number) => crate::redis::codec::general(*number, 14),
            Token::Mark(mark) => (*mark).to_owned(),
            Token::End => "<eof>".to_owned(),
        }
    }
}

const KEYWORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
];
/// Longest first.
const MARKS: [&str; 26] = [
    "...", "..", "==", "~=", "<=", ">=", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{",
    "}", "[", "]", ";", ":", ",", ".",
];
/// How deep expressions and blocks may nest; Lua's own limit is 200.
const DEPTH: u32 = 100;

type Result<T> = std::result::Result<T, SyntaxError>;

fn lex(source: &[u8]) -> Result<Vec<(Token, u32)>> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut i = 0;
    let error = |line: u32, message: String| SyntaxError { line, message };
    while let Some(&byte) = source.get(i) {
        match byte {
            b'\n' => {
                line += 1;
                i += 1;
            }
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => i += 1,
            b'-' if source.get(i + 1) == Some(&b'-') => {
                i += 2;
                match long_bracket(&source[i..]) {
                    Some((_, _, total)) => {
                        line += source[i..i + total].iter().filter(|byte| **byte == b'\n').count() as u32;
                        i += total;
                    }
                    None => {
                        while source.get(i).is_some_and(|byte| *byte != b'\n') {
                            i += 1;
                        }
                    }
                }
            }
            b'[' if long_bracket(&source[i..]).is_some() => {
                let Some((head, tail, total)) = long_bracket(&source[i..]) else { continue };
                let text = &source[i + head..i + total - tail];
                let text = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n")).unwrap_or(text);
                tokens.push((Token::Text(text.to_vec()), line));
                line += source[i..i + total].iter().filter(|byte| **byte == b'\n').count() as u32;
                i += total;
            }
            b'"' | b'\'' => {
                let (text, length) = quoted(&source[i..], line)?;
                tokens.push((Token::Text(text), line));
                i += length;
            }
            b'0'..=b'9' => {
                let (number, length) = numeral(&source[i..])
                    .ok_or_else(|| error(line, format!("malformed number near '{}'", word(&source[i..]))))?;
                tokens.push((Token::Number(number), line));
                i += length;
            }
            b'.' if source.get(i + 1).is_some_and(u8::is_ascii_digit) => {
                let (number, length) = numeral(&source[i..])
                    .ok_or_else(|| error(line, format!("malformed number near '{}'", word(&source[i..]))))?;
                tokens.push((Token::Number(number), line));
                i += length;
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let name = word(&source[i..]);
                i += name.len();
                match KEYWORDS.iter().find(|keyword| **keyword == name) {
                    Some(keyword) => tokens.push((Token::Mark(keyword), line)),
                    None => tokens.push((Token::Name(name), line)),
                }
            }
            _ => match MARKS.iter().find(|mark| source[i..].starts_with(mark.as_bytes())) {
                Some(mark) => {
                    tokens.push((Token::Mark(mark), line));
                    i += mark.len();
                }
                None => {
                    let shown = if byte.is_ascii_graphic() {
                        char::from(byte).to_string()
                    } else {
                        format!("char({byte})")
                    };
                    return Err(error(line, format!("unexpected symbol near '{shown}'")));
                }
            },
        }
    }
    tokens.push((Token::End, line));
    Ok(tokens)
}

fn word(source: &[u8]) -> String {
    source
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .map(|byte| char::from(*byte))
        .collect()
}

/// Lengths of the opening, the closing and all of a long bracket.
fn long_bracket(source: &[u8]) -> Option<(usize, usize, usize)> {
    if source.first() != Some(&b'[') {
        return None;
    }
    let level = source[1..].iter().take_while(|byte| **byte == b'=').count();
    if source.get(1 + level) != Some(&b'[') {
        return None;
    }
    let close: Vec<u8> =
        std::iter::once(b']').chain(std::iter::repeat_n(b'=', level)).chain([b']']).collect();
    let head = level + 2;
    let at = source[head..].windows(close.len()).position(|window| window == close)?;
    Some((head, close.len(), head + at + close.len()))
}

fn quoted(source: &[u8], line: u32) -> Result<(Vec<u8>, usize)> {
    let quote = source[0];
    let mut text = Vec::new();
    let mut i = 1;
    let unfinished = |text: &[u8]| SyntaxError {
        line,
        message: format!("unfinished string near '{}{}'", char::from(quote), String::from_utf8_lossy(text)),
    };
    loop {
        match source.get(i) {
            None => {
                return Err(SyntaxError { line, message: "unfinished string near '<eof>'".to_owned() });
            }
            Some(b'\n') => return Err(unfinished(&text)),
            Some(b'\\') => {
                i += 1;
                match source.get(i) {
                    None => return Err(unfinished(&text)),
                    Some(digit) if digit.is_ascii_digit() => {
                        let digits =
                            source[i..].iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                        let code = source[i..i + digits]
                            .iter()
                            .fold(0u32, |code, byte| code * 10 + u32::from(byte - b'0'));
                        let Ok(code) = u8::try_from(code) else {
                            return Err(SyntaxError {
                                line,
                                message: format!(
                                    "escape sequence too large near '{}'",
                                    String::from_utf8_lossy(&text)
                                ),
                            });
                        };
                        text.push(code);
                        i += digits;
                        continue;
                    }
                    Some(other) => text.push(match other {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        b'a' => 7,
                        b'b' => 8,
                        b'f' => 12,
                        b'v' => 11,
                        other => *other,
                    }),
                }
                i += 1;
            }
            Some(byte) if *byte == quote => return Ok((text, i + 1)),
            Some(byte) => {
                text.push(*byte);
                i += 1;
            }
        }
    }
}

fn numeral(source: &[u8]) -> Option<(f64, usize)> {
    let mut length = 0;
    while let Some(byte) = source.get(length) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && matches!(source.get(length.wrapping_sub(1)), Some(b'e' | b'E'))
            && !source.starts_with(b"0x");
        if byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'_' || exponent_sign {
            length += 1;
        } else {
            break;
        }
    }
    let text = std::str::from_utf8(&source[..length]).ok()?;
    super::value::parse_number(text).map(|number| (number, length))
}

struct Parser {
    tokens: Vec<(Token, u32)>,
    at: usize,
    depth: u32,
}

/// Parses a script.
///
/// # Errors
/// Lua's message for the first thing that is wrong.
pub(crate) fn parse(source: &[u8]) -> Result<Script> {
    let mut parser = Parser { tokens: lex(source)?, at: 0, depth: 0 };
    let body = parser.block()?;
    if *parser.peek() != Token::End {
        return Err(parser.wrong(&format!("'<eof>' expected near '{}'", parser.peek().shown())));
    }
    Ok(Script(Rc::new(Function { parameters: Vec::new(), variadic: true, body })))
}

/// A script that compiles.
#[derive(Clone, Debug)]
pub(crate) struct Script(pub(super) Rc<Function>);

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn wrong(&self, message: &str) -> SyntaxError {
        SyntaxError { line: self.line(), message: message.to_owned() }
    }

    fn unexpected(&self) -> SyntaxError {
        self.wrong(&format!("unexpected symbol near '{}'", self.peek().shown()))
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(other) if *other == mark)
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.is(mark);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<()> {
        if self.eat(mark) {
            Ok(())
        } else {
            Err(self.wrong(&format!("'{mark}' expected near '{}'", self.peek().shown())))
        }
    }

    fn name(&mut self) -> Result<String> {
        match self.peek().clone() {
            Token::Name(name) => {
                self.at += 1;
                Ok(name)
            }
            other => Err(self.wrong(&format!("'<name>' expected near '{}'", other.shown()))),
        }
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Parser) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.wrong("chunk has too many syntax levels"));
        }
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn block(&mut self) -> Result<Block> {
        self.deeper(|parser| {
            let mut block = Vec::new();
            loop {
                while parser.eat(";") {}
                if matches!(parser.peek(), Token::End | Token::Mark("end" | "else" | "elseif" | "until")) {
                    return Ok(block);
                }
                let line = parser.line();
                let kind = parser.statement()?;
                let last = matches!(kind, StatementKind::Return(_) | StatementKind::Break);
                block.push(Statement { line, kind });
                if last {
                    parser.eat(";");
                    return Ok(block);
                }
            }
        })
    }

    fn statement(&mut self) -> Result<StatementKind> {
        match self.peek().clone() {
            Token::Mark("local") => {
                self.at += 1;
                if self.eat("function") {
                    let name = self.name()?;
                    return Ok(StatementKind::LocalFunction(name, Rc::new(self.function_body(false)?)));
                }
                let mut names = vec![self.name()?];
                while self.eat(",") {
                    names.push(self.name()?);
                }
                let values = if self.eat("=") { self.list()? } else { Vec::new() };
                Ok(StatementKind::Local(names, values))
            }
            Token::Mark("if") => {
                self.at += 1;
                let mut arms = Vec::new();
                let condition = self.expression()?;
                self.expect("then")?;
                arms.push((condition, self.block()?));
                let mut otherwise = None;
                loop {
                    if self.eat("elseif") {
                        let condition = self.expression()?;
                        self.expect("then")?;
                        arms.push((condition, self.block()?));
                    } else if self.eat("else") {
                        otherwise = Some(self.block()?);
                        self.expect("end")?;
                        break;
                    } else {
                        self.expect("end")?;
                        break;
                    }
                }
                Ok(StatementKind::If(arms, otherwise))
            }
            Token::Mark("while") => {
                self.at += 1;
                let condition = self.expression()?;
                self.expect("do")?;
                let body = self.block()?;
                self.expect("end")?;
                Ok(StatementKind::While(condition, body))
            }
            Token::Mark("repeat") => {
                self.at += 1;
                let body = self.block()?;
                self.expect("until")?;
                Ok(StatementKind::Repeat(body, self.expression()?))
            }
            Token::Mark("do") => {
                self.at += 1;
                let body = self.block()?;
                self.expect("end")?;
                Ok(StatementKind::Do(body))
            }
            Token::Mark("for") => self.for_loop(),
            Token::Mark("function") => {
                self.at += 1;
                let line = self.line();
                let mut target = Expression { line, kind: ExpressionKind::Name(self.name()?) };
                let mut method = false;
                while self.is(".") || self.is(":") {
                    method = self.is(":");
                    self.at += 1;
                    let name = self.name()?;
                    target = Self::field(target, &name, line);
                    if method {
                        break;
                    }
                }
                let function = Rc::new(self.function_body(method)?);
                let value = Expression { line, kind: ExpressionKind::Function(function) };
                Ok(StatementKind::Assign(vec![target], vec![value]))
            }
            Token::Mark("return") => {
                self.at += 1;
                let ends = matches!(
                    self.peek(),
                    Token::End | Token::Mark("end" | "else" | "elseif" | "until" | ";")
                );
                Ok(StatementKind::Return(if ends { Vec::new() } else { self.list()? }))
            }
            Token::Mark("break") => {
                self.at += 1;
                Ok(StatementKind::Break)
            }
            _ => {
                let first = self.suffixed()?;
                if self.is("=") || self.is(",") {
                    let mut targets = vec![first];
                    while self.eat(",") {
                        targets.push(self.suffixed()?);
                    }
                    self.expect("=")?;
                    let values = self.list()?;
                    let fits = |target: &Expression| {
                        matches!(target.kind, ExpressionKind::Name(_) | ExpressionKind::Index(..))
                    };
                    if !targets.iter().all(fits) {
                        return Err(self.wrong(&format!("syntax error near '{}'", self.peek().shown())));
                    }
                    return Ok(StatementKind::Assign(targets, values));
                }
                match first.kind {
                    ExpressionKind::Call(..) | ExpressionKind::Method(..) => Ok(StatementKind::Call(first)),
                    _ => Err(self.wrong(&format!("'=' expected near '{}'", self.peek().shown()))),
                }
            }
        }
    }

    fn for_loop(&mut self) -> Result<StatementKind> {
        self.at += 1;
        let first = self.name()?;
        if self.eat("=") {
            let from = self.expression()?;
            self.expect(",")?;
            let to = self.expression()?;
            let one = Expression { line: self.line(), kind: ExpressionKind::Number(1.0) };
            let step = if self.eat(",") { self.expression()? } else { one };
            self.expect("do")?;
            let body = self.block()?;
            self.expect("end")?;
            return Ok(StatementKind::Numeric(first, Box::new([from, to, step]), body));
        }
        let mut names = vec![first];
        while self.eat(",") {
            names.push(self.name()?);
        }
        if !self.eat("in") {
            return Err(self.wrong(&format!("'=' or 'in' expected near '{}'", self.peek().shown())));
        }
        let values = self.list()?;
        self.expect("do")?;
        let body = self.block()?;
        self.expect("end")?;
        Ok(StatementKind::Generic(names, values, body))
    }

    fn function_body(&mut self, method: bool) -> Result<Function> {
        self.expect("(")?;
        let mut parameters = if method { vec!["self".to_owned()] } else { Vec::new() };
        let mut variadic = false;
        if !self.is(")") {
            loop {
                if self.eat("...") {
                    variadic = true;
                    break;
                }
                parameters.push(self.name()?);
                if !self.eat(",") {
                    break;
                }
            }
        }
        self.expect(")")?;
        let body = self.block()?;
        self.expect("end")?;
        Ok(Function { parameters, variadic, body })
    }

    fn list(&mut self) -> Result<Vec<Expression>> {
        let mut values = vec![self.expression()?];
        while self.eat(",") {
            values.push(self.expression()?);
        }
        Ok(values)
    }

    fn expression(&mut self) -> Result<Expression> {
        self.binary(0)
    }

    /// Precedence climbing; left and right binding powers as in lparser.c.
    fn binary(&mut self, least: u8) -> Result<Expression> {
        self.deeper(|parser| {
            let line = parser.line();
            let unary = match parser.peek() {
                Token::Mark("-") => Some(Unary::Minus),
                Token::Mark("not") => Some(Unary::Not),
                Token::Mark("#") => Some(Unary::Length),
                _ => None,
            };
            let mut left = match unary {
                Some(operator) => {
                    parser.at += 1;
                    let operand = parser.binary(8)?;
                    Expression { line, kind: ExpressionKind::Unary(operator, Box::new(operand)) }
                }
                None => parser.simple()?,
            };
            loop {
                let Token::Mark(mark) = *parser.peek() else { return Ok(left) };
                let (left_power, right_power) = match mark {
                    "or" => (1, 1),
                    "and" => (2, 2),
                    "<" | ">" | "<=" | ">=" | "~=" | "==" => (3, 3),
                    ".." => (5, 4),
                    "+" | "-" => (6, 6),
                    "*" | "/" | "%" => (7, 7),
                    "^" => (10, 9),
                    _ => return Ok(left),
                };
                if left_power <= least {
                    return Ok(left);
                }
                let line = parser.line();
                parser.at += 1;
                let right = Box::new(parser.binary(right_power)?);
                let boxed = Box::new(left);
                let binary = |operator| ExpressionKind::Binary(operator, boxed.clone(), right.clone());
                let kind = match mark {
                    "or" => ExpressionKind::Or(boxed.clone(), right.clone()),
                    "and" => ExpressionKind::And(boxed.clone(), right.clone()),
                    "<" => binary(Binary::Less),
                    ">" => binary(Binary::Greater),
                    "<=" => binary(Binary::LessEqual),
                    ">=" => binary(Binary::GreaterEqual),
                    "~=" => binary(Binary::Unequal),
                    "==" => binary(Binary::Equal),
                    ".." => binary(Binary::Concat),
                    "+" => binary(Binary::Add),
                    "-" => binary(Binary::Subtract),
                    "*" => binary(Binary::Multiply),
                    "/" => binary(Binary::Divide),
                    "%" => binary(Binary::Modulo),
                    _ => binary(Binary::Power),
                };
                left = Expression { line, kind };
            }
        })
    }

    fn simple(&mut self) -> Result<Expression> {
        let line = self.line();
        let kind = match self.peek().clone() {
            Token::Number(number) => ExpressionKind::Number(number),
            Token::Text(text) => ExpressionKind::Text(text.into()),
            Token::Mark("nil") => ExpressionKind::Nil,
            Token::Mark("true") => ExpressionKind::Bool(true),
            Token::Mark("false") => ExpressionKind::Bool(false),
            Token::Mark("...") => ExpressionKind::Variadic,
            Token::Mark("{") => return self.table(),
            Token::Mark("function") => {
                self.at += 1;
                let function = self.function_body(false)?;
                return Ok(Expression { line, kind: ExpressionKind::Function(Rc::new(function)) });
            }
            _ => return self.suffixed(),
        };
        self.at += 1;
        Ok(Expression { line, kind })
    }

    fn field(of: Expression, name: &str, line: u32) -> Expression {
        let key = Expression { line, kind: ExpressionKind::Text(name.as_bytes().into()) };
        Expression { line, kind: ExpressionKind::Index(Box::new(of), Box::new(key)) }
    }

    fn suffixed(&mut self) -> Result<Expression> {
        let line = self.line();
        let mut value = match self.next() {
            Token::Name(name) => Expression { line, kind: ExpressionKind::Name(name) },
            Token::Mark("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Expression { line, kind: ExpressionKind::Single(Box::new(inner)) }
            }
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        };
        loop {
            let line = self.line();
            match self.peek().clone() {
                Token::Mark(".") => {
                    self.at += 1;
                    let name = self.name()?;
                    value = Self::field(value, &name, line);
                }
                Token::Mark("[") => {
                    self.at += 1;
                    let key = self.expression()?;
                    self.expect("]")?;
                    value = Expression { line, kind: ExpressionKind::Index(Box::new(value), Box::new(key)) };
                }
                Token::Mark(":") => {
                    self.at += 1;
                    let name = self.name()?;
                    let arguments = self.arguments()?;
                    value =
                        Expression { line, kind: ExpressionKind::Method(Box::new(value), name, arguments) };
                }
                Token::Mark("(" | "{") | Token::Text(_) => {
                    let arguments = self.arguments()?;
                    value = Expression { line, kind: ExpressionKind::Call(Box::new(value), arguments) };
                }
                _ => return Ok(value),
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Expression>> {
        let line = self.line();
        match self.peek().clone() {
            Token::Text(text) => {
                self.at += 1;
                Ok(vec![Expression { line, kind: ExpressionKind::Text(text.into()) }])
            }
            Token::Mark("{") => Ok(vec![self.table()?]),
            Token::Mark("(") => {
                self.at += 1;
                if self.eat(")") {
                    return Ok(Vec::new());
                }
                let list = self.list()?;
                self.expect(")")?;
                Ok(list)
            }
            other => Err(self.wrong(&format!("function arguments expected near '{}'", other.shown()))),
        }
    }

    fn table(&mut self) -> Result<Expression> {
        self.deeper(|parser| {
            let line = parser.line();
            parser.expect("{")?;
            let mut fields = Vec::new();
            while !parser.is("}") {
                let named = matches!(parser.peek(), Token::Name(_))
                    && matches!(parser.tokens.get(parser.at + 1), Some((Token::Mark("="), _)));
                if named {
                    let key_line = parser.line();
                    let name = parser.name()?;
                    parser.expect("=")?;
                    let key =
                        Expression { line: key_line, kind: ExpressionKind::Text(name.as_bytes().into()) };
                    fields.push(Field::Pair(key, parser.expression()?));
                } else if parser.eat("[") {
                    let key = parser.expression()?;
                    parser.expect("]")?;
                    parser.expect("=")?;
                    fields.push(Field::Pair(key, parser.expression()?));
                } else {
                    fields.push(Field::Item(parser.expression()?));
                }
                if !parser.eat(",") && !parser.eat(";") {
                    break;
                }
            }
            parser.expect("}")?;
            Ok(Expression { line, kind: ExpressionKind::Table(fields) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_luas() {
        for (source, message) in [
            ("foo(", "unexpected symbol near '<eof>'"),
            ("return 1 1", "'<eof>' expected near '1'"),
            ("x", "'=' expected near '<eof>'"),
            ("local 1", "'<name>' expected near '1'"),
            ("if x then", "'end' expected near '<eof>'"),
            ("return 'a", "unfinished string near '<eof>'"),
            ("return @", "unexpected symbol near '@'"),
        ] {
            assert_eq!(parse(source.as_bytes()).unwrap_err().message, message, "{source}");
        }
        assert!(parse(&[b"return ".as_slice(), &b"(".repeat(100_000)].concat()).is_err());
        assert!(
            parse(b"--[[ x ]] local a = [==[x]]]==] for i=1,2 do f{a=1;2,[3]=4} end return a.b:c'd'").is_ok()
        );
    }
}
