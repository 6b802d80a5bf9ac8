//! Walking the tree.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::library::{self, Builtin};
use super::parser::Script;
use super::syntax::{
    Binary, Block, Expression, ExpressionKind, Field, Function, Statement, StatementKind, Unary,
};
use super::value::{Table, Value};

/// Steps of one script. The product would go on and answer BUSY to everybody else.
const STEPS: u64 = 1_000_000;
/// Bytes that one script may make.
const BYTES: usize = 16 * 1024 * 1024;
/// Calls within calls.
const DEPTH: u32 = 60;

/// Why a script ended early.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// An error, with the value that was thrown and the line it came from.
    Error(Value, u32),
    /// One of our bounds.
    Bound,
}

/// What a script may ask of the server.
pub(crate) trait Redis {
    /// Runs a command; an error reply is a table with the field `err`.
    fn command(&mut self, arguments: Vec<Vec<u8>>) -> Value;
    /// A random number below 2⁵³ as a fraction of one.
    fn random(&mut self) -> f64;
    /// REDIS_VERSION
    fn version(&self) -> String;
    /// Whether the release is 7 or later, whose messages differ.
    fn seven(&self) -> bool;
}

/// A function of the script and what it sees.
#[derive(Debug)]
pub(crate) struct Closure {
    function: Rc<Function>,
    scope: Rc<Scope>,
}

#[derive(Debug, Default)]
struct Scope {
    names: RefCell<BTreeMap<String, Rc<RefCell<Value>>>>,
    parent: Option<Rc<Scope>>,
    variadic: Option<Vec<Value>>,
}

impl Scope {
    fn inside(parent: &Rc<Scope>) -> Rc<Scope> {
        Rc::new(Scope { parent: Some(Rc::clone(parent)), ..Scope::default() })
    }

    fn find(&self, name: &str) -> Option<Rc<RefCell<Value>>> {
        if let Some(found) = self.names.borrow().get(name) {
            return Some(Rc::clone(found));
        }
        let mut scope = self.parent.as_ref();
        while let Some(outer) = scope {
            if let Some(found) = outer.names.borrow().get(name) {
                return Some(Rc::clone(found));
            }
            scope = outer.parent.as_ref();
        }
        None
    }

    fn declare(&self, name: &str, value: Value) {
        self.names.borrow_mut().insert(name.to_owned(), Rc::new(RefCell::new(value)));
    }

    fn variadic(&self) -> Vec<Value> {
        if let Some(values) = &self.variadic {
            return values.clone();
        }
        let mut scope = self.parent.as_ref();
        while let Some(outer) = scope {
            if let Some(values) = &outer.variadic {
                return values.clone();
            }
            scope = outer.parent.as_ref();
        }
        Vec::new()
    }
}

enum Flow {
    Next,
    Break,
    Return(Vec<Value>),
}

type Step<T> = Result<T, Stop>;

/// A script under way.
pub(crate) struct Interpreter<'a> {
    /// The server.
    pub(crate) redis: &'a mut dyn Redis,
    globals: BTreeMap<String, Value>,
    /// What `redis.register_function` was given: name, function, flags.
    pub(crate) registered: Vec<(Vec<u8>, Value, Vec<Vec<u8>>)>,
    /// Whether functions may be registered: only while a library is loaded.
    pub(crate) registering: bool,
    /// The name before the line in messages: `user_script`, `user_function`.
    pub(crate) chunk: &'static str,
    steps: u64,
    bytes: usize,
    depth: u32,
    /// The line under way.
    pub(crate) line: u32,
}

impl<'a> Interpreter<'a> {
    /// A fresh interpreter with the library and these keys and arguments.
    pub(crate) fn new(redis: &'a mut dyn Redis, chunk: &'static str) -> Interpreter<'a> {
        let globals = library::globals(redis);
        Interpreter {
            redis,
            globals,
            registered: Vec::new(),
            registering: false,
            chunk,
            steps: 0,
            bytes: 0,
            depth: 0,
            line: 1,
        }
    }

    /// Sets a global, as EVAL does with KEYS and ARGV.
    pub(crate) fn set_global(&mut self, name: &str, value: Value) {
        self.globals.insert(name.to_owned(), value);
    }

    /// Runs a script; gives its first value.
    ///
    /// # Errors
    /// An error of the script, or one of our bounds.
    pub(crate) fn run(&mut self, script: &Script) -> Result<Value, Stop> {
        let scope = Rc::new(Scope { variadic: Some(Vec::new()), ..Scope::default() });
        match self.block(&script.0.body, &scope)? {
            Flow::Return(values) => Ok(values.into_iter().next().unwrap_or(Value::Nil)),
            _ => Ok(Value::Nil),
        }
    }

    /// Calls a function of the script; gives its first value.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn invoke(&mut self, function: &Value, arguments: Vec<Value>) -> Result<Value, Stop> {
        Ok(self.call(function, arguments, None)?.into_iter().next().unwrap_or(Value::Nil))
    }

    /// An error with the position before it.
    pub(super) fn fail(&self, message: &str) -> Stop {
        Stop::Error(Value::text(format!("{}:{}: {message}", self.chunk, self.line)), self.line)
    }

    /// An error with a value as it is.
    pub(super) fn throw(&self, value: Value) -> Stop {
        Stop::Error(value, self.line)
    }

    fn step(&mut self) -> Step<()> {
        self.steps += 1;
        if self.steps > STEPS { Err(Stop::Bound) } else { Ok(()) }
    }

    /// Counts bytes that the script makes.
    pub(super) fn take(&mut self, bytes: usize) -> Step<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.steps += bytes as u64 / 64;
        if self.bytes > BYTES { Err(Stop::Bound) } else { Ok(()) }
    }

    fn block(&mut self, block: &Block, outer: &Rc<Scope>) -> Step<Flow> {
        let scope = Scope::inside(outer);
        self.statements(block, &scope)
    }

    fn statements(&mut self, block: &Block, scope: &Rc<Scope>) -> Step<Flow> {
        for statement in block {
            self.step()?;
            match self.statement(statement, scope)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement, scope: &Rc<Scope>) -> Step<Flow> {
        self.line = statement.line;
        match &statement.kind {
            StatementKind::Local(names, values) => {
                let mut values = self.values(values, scope)?.into_iter();
                for name in names {
                    self.take(48)?;
                    scope.declare(name, values.next().unwrap_or(Value::Nil));
                }
            }
            StatementKind::LocalFunction(name, function) => {
                scope.declare(name, Value::Nil);
                let closure = Closure { function: Rc::clone(function), scope: Rc::clone(scope) };
                if let Some(place) = scope.find(name) {
                    *place.borrow_mut() = Value::Closure(Rc::new(closure));
                }
            }
            StatementKind::Assign(targets, values) => {
                let mut values = self.values(values, scope)?.into_iter();
                for target in targets {
                    let value = values.next().unwrap_or(Value::Nil);
                    self.assign(target, value, scope)?;
                }
            }
            StatementKind::Call(call) => {
                self.many(call, scope)?;
            }
            StatementKind::Do(body) => return self.block(body, scope),
            StatementKind::If(arms, otherwise) => {
                for (condition, body) in arms {
                    if self.one(condition, scope)?.truth() {
                        return self.block(body, scope);
                    }
                }
                if let Some(body) = otherwise {
                    return self.block(body, scope);
                }
            }
            StatementKind::While(condition, body) => {
                while self.one(condition, scope)?.truth() {
                    self.step()?;
                    match self.block(body, scope)? {
                        Flow::Next => {}
                        Flow::Break => break,
                        other => return Ok(other),
                    }
                }
            }
            StatementKind::Repeat(body, condition) => loop {
                self.step()?;
                // The condition sees the locals of the body.
                let inner = Scope::inside(scope);
                match self.statements(body, &inner)? {
                    Flow::Next => {}
                    Flow::Break => break,
                    other => return Ok(other),
                }
                if self.one(condition, &inner)?.truth() {
                    break;
                }
            },
            StatementKind::Numeric(name, bounds, body) => return self.numeric(name, bounds, body, scope),
            StatementKind::Generic(names, values, body) => return self.generic(names, values, body, scope),
            StatementKind::Return(values) => return Ok(Flow::Return(self.values(values, scope)?)),
            StatementKind::Break => return Ok(Flow::Break),
        }
        Ok(Flow::Next)
    }

    fn numeric(
        &mut self,
        name: &str,
        bounds: &[Expression; 3],
        body: &Block,
        scope: &Rc<Scope>,
    ) -> Step<Flow> {
        let mut numbers = [0.0; 3];
        for ((number, bound), what) in numbers.iter_mut().zip(bounds).zip(["initial", "limit", "step"]) {
            let value = self.one(bound, scope)?;
            let text = if what == "limit" {
                "'for' limit must be a number".to_owned()
            } else {
                format!("'for' {what} value must be a number")
            };
            *number = value.number().ok_or_else(|| self.fail(&text))?;
        }
        let [mut at, to, step] = numbers;
        while if step > 0.0 { at <= to } else { at >= to } {
            self.step()?;
            let inner = Scope::inside(scope);
            inner.declare(name, Value::Number(at));
            match self.statements(body, &inner)? {
                Flow::Next => {}
                Flow::Break => break,
                other => return Ok(other),
            }
            at += step;
        }
        Ok(Flow::Next)
    }

    fn generic(
        &mut self,
        names: &[String],
        values: &[Expression],
        body: &Block,
        scope: &Rc<Scope>,
    ) -> Step<Flow> {
        let mut triple = self.values(values, scope)?.into_iter();
        let function = triple.next().unwrap_or(Value::Nil);
        let state = triple.next().unwrap_or(Value::Nil);
        let mut control = triple.next().unwrap_or(Value::Nil);
        loop {
            self.step()?;
            let results = self.call(&function, vec![state.clone(), control], None)?;
            control = results.first().cloned().unwrap_or(Value::Nil);
            if matches!(control, Value::Nil) {
                return Ok(Flow::Next);
            }
            let inner = Scope::inside(scope);
            let mut results = results.into_iter();
            for name in names {
                inner.declare(name, results.next().unwrap_or(Value::Nil));
            }
            match self.statements(body, &inner)? {
                Flow::Next => {}
                Flow::Break => return Ok(Flow::Next),
                other => return Ok(other),
            }
        }
    }

    fn assign(&mut self, target: &Expression, value: Value, scope: &Rc<Scope>) -> Step<()> {
        match &target.kind {
            ExpressionKind::Name(name) => match scope.find(name) {
                Some(place) => {
                    *place.borrow_mut() = value;
                    Ok(())
                }
                None if self.redis.seven() => Err(self.fail("Attempt to modify a readonly table")),
                None => Err(self.fail(&format!("Script attempted to create global variable '{name}'"))),
            },
            ExpressionKind::Index(of, key) => {
                let (of_value, key) = (self.one(of, scope)?, self.one(key, scope)?);
                match &of_value {
                    Value::Table(table) => {
                        self.take(64)?;
                        if table.borrow().read_only {
                            return Err(self.fail("Attempt to modify a readonly table"));
                        }
                        if table.borrow_mut().set(&key, value) {
                            Ok(())
                        } else if matches!(key, Value::Nil) {
                            Err(self.fail("table index is nil"))
                        } else {
                            Err(self.fail("table index is NaN"))
                        }
                    }
                    other => {
                        Err(self.fail(&format!("attempt to index {}", self.described(of, other, scope))))
                    }
                }
            }
            _ => Err(self.fail("syntax error")),
        }
    }

    /// A value as Lua's messages name it: `local 'a' (a nil value)`.
    fn described(&self, expression: &Expression, value: &Value, scope: &Rc<Scope>) -> String {
        let kind = value.kind();
        match &expression.kind {
            ExpressionKind::Name(name) if scope.find(name).is_some() => {
                format!("local '{name}' (a {kind} value)")
            }
            ExpressionKind::Name(name) => format!("global '{name}' (a {kind} value)"),
            ExpressionKind::Index(_, key) => match &key.kind {
                ExpressionKind::Text(name) => {
                    format!("field '{}' (a {kind} value)", String::from_utf8_lossy(name))
                }
                _ => format!("field '?' (a {kind} value)"),
            },
            ExpressionKind::Method(_, name, _) => format!("method '{name}' (a {kind} value)"),
            _ => format!("a {kind} value"),
        }
    }

    fn values(&mut self, list: &[Expression], scope: &Rc<Scope>) -> Step<Vec<Value>> {
        let mut values = Vec::with_capacity(list.len());
        for (at, expression) in list.iter().enumerate() {
            if at + 1 == list.len() {
                values.extend(self.many(expression, scope)?);
            } else {
                values.push(self.one(expression, scope)?);
            }
        }
        Ok(values)
    }

    fn one(&mut self, expression: &Expression, scope: &Rc<Scope>) -> Step<Value> {
        match &expression.kind {
            ExpressionKind::Call(..) | ExpressionKind::Method(..) | ExpressionKind::Variadic => {
                Ok(self.many(expression, scope)?.into_iter().next().unwrap_or(Value::Nil))
            }
            _ => self.evaluate(expression, scope),
        }
    }

    fn many(&mut self, expression: &Expression, scope: &Rc<Scope>) -> Step<Vec<Value>> {
        match &expression.kind {
            ExpressionKind::Variadic => Ok(scope.variadic()),
            ExpressionKind::Call(function, arguments) => {
                let callee = self.one(function, scope)?;
                let arguments = self.values(arguments, scope)?;
                self.line = expression.line;
                let name = self.described(function, &callee, scope);
                self.call(&callee, arguments, Some(name))
            }
            ExpressionKind::Method(of, name, arguments) => {
                let object = self.one(of, scope)?;
                let key = Value::text(name);
                let callee = match &object {
                    Value::Table(table) => table.borrow().get(&key),
                    Value::Text(_) => match self.globals.get("string") {
                        Some(Value::Table(strings)) => strings.borrow().get(&key),
                        _ => Value::Nil,
                    },
                    other => {
                        return Err(
                            self.fail(&format!("attempt to index {}", self.described(of, other, scope)))
                        );
                    }
                };
                let mut all = vec![object];
                all.extend(self.values(arguments, scope)?);
                self.line = expression.line;
                let shown = self.described(expression, &callee, scope);
                self.call(&callee, all, Some(shown))
            }
            _ => Ok(vec![self.evaluate(expression, scope)?]),
        }
    }

    /// Calls a function.
    ///
    /// # Errors
    /// Those of the function, or that it is none.
    pub(super) fn call(
        &mut self,
        callee: &Value,
        arguments: Vec<Value>,
        name: Option<String>,
    ) -> Step<Vec<Value>> {
        self.step()?;
        if self.depth >= DEPTH {
            return Err(self.fail("stack overflow"));
        }
        self.depth += 1;
        let result = match callee {
            Value::Builtin(Builtin(name)) => library::call(self, name, arguments),
            Value::Closure(closure) => self.enter(closure, arguments),
            other => {
                let shown = name.unwrap_or_else(|| format!("a {} value", other.kind()));
                Err(self.fail(&format!("attempt to call {shown}")))
            }
        };
        self.depth -= 1;
        result
    }

    fn enter(&mut self, closure: &Rc<Closure>, arguments: Vec<Value>) -> Step<Vec<Value>> {
        let function = Rc::clone(&closure.function);
        let mut arguments = arguments.into_iter();
        let named: Vec<Value> =
            function.parameters.iter().map(|_| arguments.next().unwrap_or(Value::Nil)).collect();
        let scope = Rc::new(Scope {
            parent: Some(Rc::clone(&closure.scope)),
            variadic: Some(if function.variadic { arguments.collect() } else { Vec::new() }),
            ..Scope::default()
        });
        for (name, value) in function.parameters.iter().zip(named) {
            self.take(48)?;
            scope.declare(name, value);
        }
        Ok(match self.statements(&function.body, &scope)? {
            Flow::Return(values) => values,
            _ => Vec::new(),
        })
    }

    fn evaluate(&mut self, expression: &Expression, scope: &Rc<Scope>) -> Step<Value> {
        self.step()?;
        match &expression.kind {
            ExpressionKind::Nil => Ok(Value::Nil),
            ExpressionKind::Bool(value) => Ok(Value::Bool(*value)),
            ExpressionKind::Number(number) => Ok(Value::Number(*number)),
            ExpressionKind::Text(text) => Ok(Value::Text(Rc::clone(text))),
            ExpressionKind::Single(inner) => self.one(inner, scope),
            ExpressionKind::Variadic | ExpressionKind::Call(..) | ExpressionKind::Method(..) => {
                self.one(expression, scope)
            }
            ExpressionKind::Name(name) => match scope.find(name) {
                Some(place) => Ok(place.borrow().clone()),
                None => match self.globals.get(name) {
                    Some(value) => Ok(value.clone()),
                    None => Err(self
                        .fail(&format!("Script attempted to access nonexistent global variable '{name}'"))),
                },
            },
            ExpressionKind::Index(of, key) => {
                let object = self.one(of, scope)?;
                let key = self.one(key, scope)?;
                match &object {
                    Value::Table(table) => Ok(table.borrow().get(&key)),
                    Value::Text(_) => match self.globals.get("string") {
                        Some(Value::Table(strings)) => Ok(strings.borrow().get(&key)),
                        _ => Ok(Value::Nil),
                    },
                    other => {
                        Err(self.fail(&format!("attempt to index {}", self.described(of, other, scope))))
                    }
                }
            }
            ExpressionKind::Function(function) => {
                self.take(64)?;
                let closure = Closure { function: Rc::clone(function), scope: Rc::clone(scope) };
                Ok(Value::Closure(Rc::new(closure)))
            }
            ExpressionKind::Table(fields) => self.table(fields, scope),
            ExpressionKind::And(left, right) => {
                let left = self.one(left, scope)?;
                if left.truth() { self.one(right, scope) } else { Ok(left) }
            }
            ExpressionKind::Or(left, right) => {
                let left = self.one(left, scope)?;
                if left.truth() { Ok(left) } else { self.one(right, scope) }
            }
            ExpressionKind::Unary(operator, operand) => {
                let value = self.one(operand, scope)?;
                match (operator, &value) {
                    (Unary::Not, value) => Ok(Value::Bool(!value.truth())),
                    (Unary::Length, Value::Text(text)) => Ok(Value::Number(text.len() as f64)),
                    (Unary::Length, Value::Table(table)) => Ok(Value::Number(table.borrow().len() as f64)),
                    (Unary::Length, other) => Err(self.fail(&format!(
                        "attempt to get length of {}",
                        self.described(operand, other, scope)
                    ))),
                    (Unary::Minus, value) => match value.number() {
                        Some(number) => Ok(Value::Number(-number)),
                        None => Err(self.fail(&format!(
                            "attempt to perform arithmetic on {}",
                            self.described(operand, value, scope)
                        ))),
                    },
                }
            }
            ExpressionKind::Binary(operator, left, right) => {
                let (a, b) = (self.one(left, scope)?, self.one(right, scope)?);
                self.line = expression.line;
                self.binary(*operator, (left, a), (right, b), scope)
            }
        }
    }

    fn table(&mut self, fields: &[Field], scope: &Rc<Scope>) -> Step<Value> {
        let mut table = Table::default();
        for (at, field) in fields.iter().enumerate() {
            self.take(64)?;
            match field {
                Field::Item(item) if at + 1 == fields.len() => {
                    for value in self.many(item, scope)? {
                        self.take(32)?;
                        table.push(value);
                    }
                }
                Field::Item(item) => table.push(self.one(item, scope)?),
                Field::Pair(key, value) => {
                    let (key, value) = (self.one(key, scope)?, self.one(value, scope)?);
                    if !table.set(&key, value) {
                        return Err(self.fail("table index is nil"));
                    }
                }
            }
        }
        Ok(Value::Table(Rc::new(RefCell::new(table))))
    }

    fn binary(
        &mut self,
        operator: Binary,
        (left, a): (&Expression, Value),
        (right, b): (&Expression, Value),
        scope: &Rc<Scope>,
    ) -> Step<Value> {
        match operator {
            Binary::Equal => return Ok(Value::Bool(a.same(&b))),
            Binary::Unequal => return Ok(Value::Bool(!a.same(&b))),
            Binary::Concat => {
                let (Some(x), Some(y)) = (a.bytes(), b.bytes()) else {
                    let (expression, value) = if a.bytes().is_none() { (left, &a) } else { (right, &b) };
                    let shown = self.described(expression, value, scope);
                    return Err(self.fail(&format!("attempt to concatenate {shown}")));
                };
                self.take(x.len() + y.len())?;
                return Ok(Value::text([x, y].concat()));
            }
            Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
                let order = match (&a, &b) {
                    (Value::Number(x), Value::Number(y)) => x.partial_cmp(y),
                    (Value::Text(x), Value::Text(y)) => Some(x.cmp(y)),
                    _ => {
                        let (x, y) = (a.kind(), b.kind());
                        return Err(self.fail(&if x == y {
                            format!("attempt to compare two {x} values")
                        } else {
                            format!("attempt to compare {x} with {y}")
                        }));
                    }
                };
                return Ok(Value::Bool(order.is_some_and(|order| match operator {
                    Binary::Less => order.is_lt(),
                    Binary::LessEqual => order.is_le(),
                    Binary::Greater => order.is_gt(),
                    _ => order.is_ge(),
                })));
            }
            _ => {}
        }
        let (Some(x), Some(y)) = (a.number(), b.number()) else {
            let (expression, value) = if a.number().is_none() { (left, &a) } else { (right, &b) };
            let shown = self.described(expression, value, scope);
            return Err(self.fail(&format!("attempt to perform arithmetic on {shown}")));
        };
        Ok(Value::Number(match operator {
            Binary::Add => x + y,
            Binary::Subtract => x - y,
            Binary::Multiply => x * y,
            Binary::Divide => x / y,
            Binary::Modulo => x - (x / y).floor() * y,
            _ => x.powf(y),
        }))
    }
}
