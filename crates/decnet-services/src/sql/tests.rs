use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect};

use super::*;

/// A product with few rules of its own.
struct Plain {
    rules: Rules,
}

impl Product for Plain {
    fn dialect(&self) -> &dyn Dialect {
        &PostgreSqlDialect {}
    }

    fn rules(&self) -> Rules {
        self.rules
    }

    fn system_table(&self, context: &Context<'_>, path: &[String]) -> Option<Table> {
        (path.last()? == "pg_tables").then(|| {
            let rows = context.catalogue.databases[0]
                .schemas
                .iter()
                .flat_map(|schema| &schema.tables)
                .map(|table| vec![Value::text(&table.name)])
                .collect();
            Table::system("pg_tables", &[("tablename", Kind::Name)], rows)
        })
    }

    fn function(
        &self,
        context: &Context<'_>,
        name: &str,
        values: &[Value],
    ) -> Option<Result<Value, SqlError>> {
        match name {
            "pg_sleep" => {
                context.sleep(Duration::from_secs_f64(values[0].float().unwrap_or(0.0).clamp(0.0, 1e6)));
                Some(Ok(Value::Null))
            }
            _ => None,
        }
    }

    fn table_function(
        &self,
        _: &Context<'_>,
        name: &str,
        values: &[Value],
    ) -> Option<Result<Table, SqlError>> {
        (name == "generate_series").then(|| {
            let last = values[1].integer().unwrap_or(0).min(10_000);
            let rows = (values[0].integer().unwrap_or(0)..=last).map(|n| vec![Value::Integer(n)]).collect();
            Ok(Table::system(name, &[(name, Kind::Integer)], rows))
        })
    }

    fn constant(&self, context: &Context<'_>, name: &str) -> Option<Result<Value, SqlError>> {
        name.eq_ignore_ascii_case("current_user").then(|| Ok(Value::text(&context.session.user)))
    }

    fn cast(&self, _: &Context<'_>, _: &Value, _: &str) -> Option<Result<Value, SqlError>> {
        None
    }

    fn heading(&self, expression: &Expr) -> String {
        match expression {
            Expr::Function(function) => function.name.to_string(),
            _ => "?column?".to_owned(),
        }
    }
}

const POSTGRES: Rules = Rules {
    fold_names: false,
    fold_texts: false,
    lower_names: true,
    integer_division: true,
    zero_is_error: true,
    plus_joins: false,
    pipes_join: true,
    strict_numbers: true,
    nulls_last: true,
};
const MYSQL: Rules = Rules {
    fold_names: false,
    fold_texts: true,
    lower_names: false,
    integer_division: false,
    zero_is_error: false,
    plus_joins: false,
    pipes_join: false,
    strict_numbers: false,
    nulls_last: false,
};

struct Server {
    catalogue: Catalogue,
    session: Session,
    product: Plain,
}

impl Server {
    fn new(rules: Rules) -> Server {
        let schema = Schema { name: "public".into(), tables: Vec::new() };
        let database = Database { name: "shop".into(), schemas: vec![schema] };
        let session = Session {
            user: "anna".into(),
            database: "shop".into(),
            path: vec!["public".into()],
            now: moment::parse("2024-05-06 07:08:09").unwrap(),
            ..Session::default()
        };
        let mut server =
            Server { catalogue: Catalogue::new(vec![database], 16_384), session, product: Plain { rules } };
        server.run(
            "CREATE TABLE customer (id serial PRIMARY KEY, name varchar(40) NOT NULL, city text, since date)",
        );
        server
            .run("CREATE TABLE purchase (id serial PRIMARY KEY, customer_id integer, amount numeric(10,2))");
        server.run(
            "INSERT INTO customer (name, city, since) VALUES ('Ada', 'London', '2020-01-02'), \
             ('Grace', 'New York', '2021-03-04'), ('Linus', NULL, '2022-05-06'), ('Barbara', 'London', NULL)",
        );
        server
            .run("INSERT INTO purchase (customer_id, amount) VALUES (1, 10.50), (1, 20), (2, 99.99), (9, 1)");
        server
    }

    fn try_run(&mut self, text: &str) -> Result<Executed, SqlError> {
        let mut last = Err(SqlError::NoDatabase);
        for statement in parse(self.product.dialect(), text)? {
            let layout = Layout { flat: false, schemas: &["public"] };
            last = execute(&mut self.catalogue, &self.session, &self.product, layout, &statement);
            last.as_ref().map_err(Clone::clone)?;
        }
        last
    }

    fn run(&mut self, text: &str) -> Executed {
        self.try_run(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    /// The rows as texts: values by `|`, rows by lines.
    fn rows(&mut self, text: &str) -> String {
        let Outcome::Rows(result) = self.run(text).outcome else { panic!("{text}") };
        let rows = result.rows.iter();
        rows.map(|row| row.iter().map(Value::to_string).collect::<Vec<_>>().join("|"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn error(&mut self, text: &str) -> SqlError {
        self.try_run(text).expect_err(text)
    }
}

#[test]
fn queries_give_what_the_language_says() {
    let mut server = Server::new(POSTGRES);
    for (text, rows) in [
        ("SELECT 1 + 2 * 3, 7 / 2, 7.0 / 2, 'a' || 1", "7|3|3.50000000000000000|a1"),
        ("SELECT name FROM customer WHERE city = 'London' ORDER BY name DESC", "Barbara\nAda"),
        ("SELECT count(*), count(city), count(DISTINCT city) FROM customer", "4|3|2"),
        (
            "SELECT city, count(*) FROM customer GROUP BY city ORDER BY 2 DESC, 1",
            "London|2\nNew York|1\nNULL|1",
        ),
        ("SELECT city FROM customer GROUP BY city HAVING count(*) > 1", "London"),
        (
            "SELECT c.name, sum(p.amount) AS total FROM customer c LEFT JOIN purchase p ON p.customer_id = c.id \
             GROUP BY c.name ORDER BY total DESC NULLS LAST, c.name LIMIT 3",
            "Grace|99.99\nAda|30.50\nBarbara|NULL",
        ),
        (
            "SELECT name FROM customer WHERE id IN (SELECT customer_id FROM purchase) ORDER BY id",
            "Ada\nGrace",
        ),
        (
            "SELECT name FROM customer c WHERE NOT EXISTS (SELECT 1 FROM purchase p WHERE p.customer_id = c.id)",
            "Linus\nBarbara",
        ),
        ("SELECT name FROM customer WHERE city IS NULL", "Linus"),
        ("SELECT name FROM customer WHERE city NOT IN ('London', NULL)", ""),
        (
            "SELECT name FROM customer WHERE since BETWEEN '2021-01-01' AND '2022-12-31' ORDER BY since",
            "Grace\nLinus",
        ),
        (
            "SELECT CASE WHEN id < 2 THEN 'first' ELSE 'other' END FROM customer ORDER BY id LIMIT 2",
            "first\nother",
        ),
        ("SELECT name FROM customer WHERE name LIKE '%ra%' ORDER BY 1", "Barbara\nGrace"),
        ("SELECT name FROM customer WHERE name ~ '^(Ada|Li)' ORDER BY 1", "Ada\nLinus"),
        ("SELECT upper(left(name, 2)), length(name) FROM customer WHERE id = 2", "GR|5"),
        ("SELECT 1 UNION SELECT 1 UNION ALL SELECT 2", "1\n2"),
        ("WITH recent AS (SELECT * FROM customer WHERE id > 2) SELECT count(*) FROM recent", "2"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n",
            "15",
        ),
        (
            "SELECT a.name, b.name FROM customer a, customer b WHERE a.city = b.city AND a.id < b.id",
            "Ada|Barbara",
        ),
        (
            "SELECT name, row_number() OVER (PARTITION BY city ORDER BY id) FROM customer WHERE city = 'London'",
            "Ada|1\nBarbara|2",
        ),
        (
            "SELECT (SELECT max(amount) FROM purchase WHERE customer_id = c.id) FROM customer c WHERE id = 1",
            "20.00",
        ),
        ("SELECT string_agg(name, ', ' ORDER BY name) FROM customer", "Ada, Barbara, Grace, Linus"),
        ("SELECT x FROM generate_series(2, 4) AS x", "2\n3\n4"),
        ("SELECT 5 = ANY(ARRAY[1, 5]), ARRAY(SELECT id FROM customer ORDER BY id DESC)", "t|{4,3,2,1}"),
        ("SELECT '42'::int + 1, CAST(2.5 AS integer), 'x'::varchar(1)", "43|3|x"),
        ("SELECT current_user, now()::date, extract(year FROM now())", "anna|2024-05-06|2024"),
        ("SELECT coalesce(NULL, 'x'), nullif(1, 1), greatest(1, 3, 2)", "x|NULL|3"),
        ("SELECT tablename FROM pg_catalog.pg_tables ORDER BY 1", "customer\npurchase"),
        ("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, letter) WHERE n > 1", "2|b"),
        ("SELECT date_trunc('month', since) FROM customer WHERE id = 2", "2021-03-01 00:00:00"),
        (
            "SELECT c.*, p.amount FROM customer c JOIN purchase p ON c.id = p.customer_id AND p.amount > 50",
            "2|Grace|New York|2021-03-04|99.99",
        ),
        ("SELECT count(*) FROM customer NATURAL JOIN purchase", "4"),
        (
            "SELECT id, amount FROM purchase p FULL JOIN customer c USING (id) ORDER BY id OFFSET 1 FETCH FIRST 2 ROWS ONLY",
            "2|20.00\n3|99.99",
        ),
    ] {
        assert_eq!(server.rows(text), rows, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let mut server = Server::new(POSTGRES);
    let column = |name: &str, clause| SqlError::UnknownColumn { name: name.into(), clause };
    for (text, error) in [
        ("SELECT nothing FROM customer", column("nothing", "field list")),
        ("SELECT name FROM customer WHERE nothing = 1", column("nothing", "where clause")),
        ("SELECT name FROM customer ORDER BY 7", column("7", "order clause")),
        ("SELECT * FROM nowhere", SqlError::UnknownTable(vec!["public".into(), "nowhere".into()])),
        ("SELECT id FROM customer, purchase", SqlError::Ambiguous("id".into())),
        ("SELECT frobnicate(1)", SqlError::UnknownFunction { name: "frobnicate".into(), arguments: 1 }),
        ("SELECT 1 / 0", SqlError::DivisionByZero),
        ("SELECT (SELECT id FROM customer)", SqlError::ManyRows),
        ("SELECT 1 UNION SELECT 1, 2", SqlError::ColumnCount),
        ("SELECT 'x'::int", SqlError::BadValue { value: "x".into(), wanted: Kind::Integer }),
        ("INSERT INTO customer (name) VALUES (NULL)", SqlError::NotNull("name".into())),
        ("INSERT INTO customer (city) VALUES ('x')", SqlError::NoDefault("name".into())),
        ("INSERT INTO customer (id, name) VALUES (1, 2, 3)", SqlError::ValueCount(1)),
        (
            "INSERT INTO customer (id, name) VALUES (1, 'x')",
            SqlError::Duplicate { value: "1".into(), table: "customer".into(), key: "id".into() },
        ),
        ("CREATE TABLE customer (id int)", SqlError::TableExists("customer".into())),
        ("DROP TABLE nowhere", SqlError::UnknownTable(vec!["public".into(), "nowhere".into()])),
        ("DELETE FROM pg_catalog.pg_tables", SqlError::ReadOnly("pg_catalog.pg_tables".into())),
    ] {
        assert_eq!(server.error(text), error, "{text}");
    }
}

#[test]
fn changes_last() {
    let mut server = Server::new(POSTGRES);
    let changed = |rows| Outcome::Changed { rows, matched: rows, last_id: 0 };
    assert_eq!(
        server.run("UPDATE customer SET city = upper(city) WHERE city = 'London'").outcome,
        changed(2)
    );
    assert_eq!(server.run("DELETE FROM purchase WHERE amount < 5").outcome, changed(1));
    assert_eq!(server.rows("SELECT city FROM customer WHERE id = 1"), "LONDON");
    let inserted = server.run("INSERT INTO customer (name) VALUES ('Edsger'), ('Tony')").outcome;
    assert_eq!(inserted, Outcome::Changed { rows: 2, matched: 2, last_id: 5 });
    server
        .run("CREATE TABLE readme AS SELECT 'send coins' AS note; ALTER TABLE readme ADD COLUMN wallet text");
    assert_eq!(server.rows("SELECT * FROM readme"), "send coins|NULL");
    server.run("DROP TABLE customer, purchase");
    assert!(matches!(server.error("SELECT * FROM customer"), SqlError::UnknownTable(_)));
    server.run("CREATE DATABASE other; DROP DATABASE other");
    server.run("INSERT INTO readme (note) SELECT note FROM readme; TRUNCATE readme");
    assert_eq!(server.rows("SELECT count(*) FROM readme"), "0");
    assert_eq!(server.catalogue.added(), 0, "nothing of what was added is left but an empty table");
}

#[test]
fn rules_of_a_product_change_what_comes_out() {
    let mut server = Server::new(MYSQL);
    for (text, rows) in [
        ("SELECT 7 / 2, 1 / 0, 'abc' + 1", "3.5000|NULL|1"),
        ("SELECT count(*) FROM customer WHERE city = 'LONDON'", "2"),
        ("SELECT city FROM customer ORDER BY city LIMIT 1", "NULL"),
        ("SELECT COUNT(*) FROM customer WHERE NAME = 'ada' or 1=1", "4"),
    ] {
        assert_eq!(server.rows(text), rows, "{text}");
    }
}

#[test]
fn what_is_read_of_planted_tables_is_told_and_sleeping_is_counted() {
    let mut server = Server::new(POSTGRES);
    for table in &mut server.catalogue.databases[0].schemas[0].tables {
        table.planted = true;
    }
    let executed =
        server.run("SELECT name, pg_sleep(2) FROM customer WHERE id IN (SELECT customer_id FROM purchase)");
    assert_eq!(executed.touched, ["public.customer", "public.purchase"]);
    assert_eq!(executed.delay, Duration::from_secs(4));
}

#[test]
fn nothing_runs_for_ever_or_grows_without_bound() {
    let mut server = Server::new(POSTGRES);
    for text in [
        "SELECT count(*) FROM generate_series(1, 10000) a, generate_series(1, 10000) b",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "SELECT repeat(repeat('x', 1000000), 1000000)",
        "SELECT string_agg(repeat('x', 100000), '') FROM generate_series(1, 10000)",
        "SELECT repeat('x', 900000) FROM generate_series(1, 1000)",
        "SELECT lpad('x', 2000000000)",
    ] {
        assert_eq!(server.error(text), SqlError::TooComplex, "{text}");
    }
    // A catalogue is full at some time, and still answers.
    server.run("CREATE TABLE big (t text)");
    let row = format!("INSERT INTO big SELECT repeat('x', 900000) FROM generate_series(1, {})", 10);
    server.run(&row);
    assert_eq!(server.error(&row), SqlError::Full);
    assert_eq!(server.rows("SELECT count(*) FROM big"), "10");
    assert!(server.catalogue.added() <= catalogue::ADDED_LIMIT);
    for number in 0.. {
        match server.try_run(&format!("CREATE TABLE t{number} (i int)")) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, SqlError::Full);
                break;
            }
        }
    }
    assert!(server.catalogue.objects() <= catalogue::OBJECT_LIMIT);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever words stand together, a server answers or refuses, and can be asked again.
        #[test]
        fn no_statement_breaks_a_server(words in prop::collection::vec(prop::sample::select(vec![
            "SELECT", "FROM", "WHERE", "(", ")", ",", "'a'", "1", "0", "customer", "purchase", "name", "id", "AND",
            "OR", "NOT", "NULL", "CASE", "WHEN", "THEN", "END", "count(*)", "sum(id)", "=", "<", "*", "-", "/", "JOIN",
            "LEFT JOIN", "ON", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "UNION", "IN", "EXISTS", "LIKE", "substr(name, 2)",
            "INSERT INTO", "VALUES", "UPDATE", "SET", "DELETE FROM", "DROP TABLE", "::int", "lpad(name, 9)", "c.", "AS x",
        ]), 0..25)) {
            let mut server = Server::new(POSTGRES);
            let _ = server.try_run(&format!("SELECT {}", words.join(" ")));
            let _ = server.try_run(&words.join(" "));
            prop_assert_eq!(server.rows("SELECT 1"), "1");
        }
    }
}
