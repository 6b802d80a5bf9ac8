//! The tree of a script.

use std::rc::Rc;

/// Statements in order.
pub(super) type Block = Vec<Statement>;

/// A statement and its line.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) line: u32,
    pub(super) kind: StatementKind,
}

#[derive(Clone, Debug)]
pub(super) enum StatementKind {
    Local(Vec<String>, Vec<Expression>),
    Assign(Vec<Expression>, Vec<Expression>),
    Call(Expression),
    If(Vec<(Expression, Block)>, Option<Block>),
    While(Expression, Block),
    Repeat(Block, Expression),
    Numeric(String, Box<[Expression; 3]>, Block),
    Generic(Vec<String>, Vec<Expression>, Block),
    Do(Block),
    LocalFunction(String, Rc<Function>),
    Return(Vec<Expression>),
    Break,
}

/// A function's parameters and body.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) parameters: Vec<String>,
    pub(super) variadic: bool,
    pub(super) body: Block,
}

/// An expression and its line.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) line: u32,
    pub(super) kind: ExpressionKind,
}

#[derive(Clone, Debug)]
pub(super) enum ExpressionKind {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Rc<[u8]>),
    Variadic,
    Name(String),
    Index(Box<Expression>, Box<Expression>),
    Call(Box<Expression>, Vec<Expression>),
    Method(Box<Expression>, String, Vec<Expression>),
    Function(Rc<Function>),
    Table(Vec<Field>),
    Unary(Unary, Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    /// In brackets, which cut a list of values to one.
    Single(Box<Expression>),
}

#[derive(Clone, Debug)]
pub(super) enum Field {
    Item(Expression),
    Pair(Expression, Expression),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Minus,
    Not,
    Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Concat,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}
