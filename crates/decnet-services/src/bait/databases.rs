//! The databases of an organisation's applications: tables with a few hundred rows that fit each other.

use decnet_core::identity::Identity;
use decnet_core::seed::Draw;

use super::{People, capital, words};
use crate::sql::moment::DAY;
use crate::sql::{Column, Decimal, Kind, Schema, Table, Value};

/// An application whose database a server holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Customers, products, orders.
    Shop,
    /// Employees, salaries, leave.
    Personnel,
    /// Accounts, contacts, notes.
    Crm,
    /// Suppliers, invoices, payments.
    Accounting,
    /// Users, keys, sessions of an application of the house.
    Portal,
    /// Tickets and their messages.
    Helpdesk,
}

impl Application {
    /// All of them, with the words by which configs name them.
    pub const ALL: [(&'static str, Application); 6] = [
        ("shop", Application::Shop),
        ("hr", Application::Personnel),
        ("crm", Application::Crm),
        ("accounting", Application::Accounting),
        ("portal", Application::Portal),
        ("helpdesk", Application::Helpdesk),
    ];

    /// The word by which configs name it.
    pub fn word(self) -> &'static str {
        Application::ALL.iter().find(|(_, other)| *other == self).map_or("", |(word, _)| word)
    }

    /// The name of its database.
    fn database(self, people: &People, draw: &mut Draw) -> String {
        let stem = &people.stem;
        let names = match self {
            Application::Shop => [format!("{stem}_shop"), "webshop".to_owned(), "shop_prod".to_owned()],
            Application::Personnel => ["hr".to_owned(), "personnel".to_owned(), format!("{stem}_hr")],
            Application::Crm => ["crm".to_owned(), format!("{stem}_crm"), "crm_prod".to_owned()],
            Application::Accounting => ["accounting".to_owned(), "finance".to_owned(), format!("{stem}_fin")],
            Application::Portal => [format!("{stem}_portal"), "intranet".to_owned(), format!("{stem}_app")],
            Application::Helpdesk => ["helpdesk".to_owned(), "tickets".to_owned(), "support".to_owned()],
        };
        draw.pick(&names).cloned().unwrap_or_default()
    }
}

/// The applications that the words of a config name. `auto`: one to three that the identity draws; `none`:
/// none. `label` is the service, so that the databases of two servers of one host differ.
pub fn applications(identity: &Identity, label: &str, kinds: &[String]) -> Vec<Application> {
    if kinds.iter().any(|kind| kind == "none") {
        return Vec::new();
    }
    let named: Vec<Application> = Application::ALL
        .iter()
        .filter(|(word, _)| kinds.iter().any(|kind| kind == word))
        .map(|(_, application)| *application)
        .collect();
    if !named.is_empty() {
        return named;
    }
    let mut draw = identity.draw(&["bait", "applications", label]);
    let mut all = Application::ALL.map(|(_, application)| application);
    draw.shuffle(&mut all);
    all[..draw.between(1, 3) as usize].to_vec()
}

/// The databases of the applications, planted. Times end at `today`, the day number on which they are asked
/// for, and go back from there.
pub fn databases(identity: &Identity, label: &str, applications: &[Application], today: i32) -> Vec<Schema> {
    let people = People::of(identity);
    let mut schemas: Vec<Schema> = Vec::new();
    for application in applications {
        let mut draw = identity.draw(&["bait", "database", label, application.word()]);
        let name = application.database(&people, &mut draw);
        if schemas.iter().any(|schema| schema.name == name) {
            continue;
        }
        let mut build =
            Build { people: &people, draw, today, installed: identity.times.installed * 1_000_000 };
        let mut tables = match application {
            Application::Shop => build.shop(),
            Application::Personnel => build.personnel(),
            Application::Crm => build.crm(),
            Application::Accounting => build.accounting(),
            Application::Portal => build.portal(),
            Application::Helpdesk => build.helpdesk(),
        };
        for table in &mut tables {
            table.planted = true;
            table.made = build.installed + build.draw.below(30 * 86_400) as i64 * 1_000_000;
            table.next =
                table.rows.last().and_then(|row| row.first()).and_then(Value::integer).unwrap_or(0) + 1;
        }
        schemas.push(Schema { name, tables });
    }
    schemas
}

const MONEY: Kind = Kind::Decimal { precision: 10, scale: 2 };

struct Build<'a> {
    people: &'a People,
    draw: Draw,
    today: i32,
    installed: i64,
}

impl Build<'_> {
    fn table(&self, name: &str, columns: Vec<Column>) -> Table {
        Table::new(name, columns)
    }

    fn day(&mut self, back: u64) -> Value {
        Value::Date(self.today - i32::try_from(self.draw.below(back)).unwrap_or(0))
    }

    /// A time of a working day, `back` days ago at most.
    fn time(&mut self, back: u64) -> i64 {
        let day = i64::from(self.today) - 1 - self.draw.below(back) as i64;
        day * DAY + self.draw.between(7 * 3600, 19 * 3600) as i64 * 1_000_000
    }

    /// Times in ascending order.
    fn times(&mut self, count: usize, back: u64) -> Vec<i64> {
        let mut times: Vec<i64> = (0..count).map(|_| self.time(back)).collect();
        times.sort_unstable();
        times
    }

    fn money(&mut self, low: u64, high: u64) -> Value {
        Value::Decimal(Decimal::new(i128::from(self.draw.between(low * 100, high * 100)), 2))
    }

    fn word(&mut self, list: &str) -> &'static str {
        self.draw.pick(&words(list)).copied().unwrap_or("")
    }

    fn phone(&mut self) -> Value {
        Value::text(format!("+49 {} {}", self.draw.between(30, 989), self.draw.between(100_000, 9_999_999)))
    }

    fn company(&mut self) -> String {
        let form = *self.draw.pick(&["GmbH", "AG", "Ltd", "Inc.", "S.A.", "BV"]).unwrap_or(&"GmbH");
        format!("{} {form}", self.word("company"))
    }

    fn bcrypt(&mut self) -> Value {
        const ALPHABET: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        Value::text(format!("$2y$10${}", self.draw.text(ALPHABET, 53)))
    }

    fn shop(&mut self) -> Vec<Table> {
        let mut customers = self.table(
            "customers",
            vec![
                Column::id("id"),
                Column::new("first_name", Kind::Varchar(50)).required(),
                Column::new("last_name", Kind::Varchar(50)).required(),
                Column::new("email", Kind::Varchar(120)).required(),
                Column::new("phone", Kind::Varchar(30)),
                Column::new("street", Kind::Varchar(120)),
                Column::new("city", Kind::Varchar(60)),
                Column::new("password_hash", Kind::Varchar(255)),
                Column::new("created_at", Kind::Timestamp).required(),
            ],
        );
        let count = self.draw.between(90, 180) as usize;
        for (index, at) in self.times(count, 1400).into_iter().enumerate() {
            let (given, family) = (self.word("given"), self.word("family"));
            let mail =
                self.draw.pick(&["gmail.com", "web.de", "outlook.com", "gmx.net", "yahoo.com"]).copied();
            let email = format!("{given}.{family}{}@{}", self.draw.between(1, 99), mail.unwrap_or("web.de"));
            let street = format!("{} Street {}", self.word("street"), self.draw.between(1, 140));
            let (phone, city, hash) = (self.phone(), self.word("city"), self.bcrypt());
            customers.rows.push(vec![
                Value::Integer(index as i64 + 1),
                Value::text(capital(given)),
                Value::text(capital(family)),
                Value::text(email),
                phone,
                Value::text(street),
                Value::text(city),
                hash,
                Value::Timestamp(at),
            ]);
        }
        let mut products = self.table(
            "products",
            vec![
                Column::id("id"),
                Column { unique: true, ..Column::new("sku", Kind::Varchar(20)).required() },
                Column::new("name", Kind::Varchar(120)).required(),
                Column::new("price", MONEY).required(),
                Column::new("stock", Kind::Integer).required(),
            ],
        );
        for index in 0..self.draw.between(25, 60) {
            let (material, thing) = (self.word("material"), self.word("product"));
            let name = format!("{} {thing} {} mm", capital(material), self.draw.between(2, 120));
            let sku =
                format!("{}-{:04}", self.draw.text("ABCDEFGHKLMNPRSTUVWXYZ", 3), self.draw.below(10_000));
            let (price, stock) = (self.money(2, 400), self.draw.below(600) as i64);
            products.rows.push(vec![
                Value::Integer(index as i64 + 1),
                Value::text(sku),
                Value::text(name),
                price,
                Value::Integer(stock),
            ]);
        }
        let mut orders = self.table(
            "orders",
            vec![
                Column::id("id"),
                Column::new("customer_id", Kind::Integer).required(),
                Column::new("product_id", Kind::Integer).required(),
                Column::new("quantity", Kind::Integer).required(),
                Column::new("total", MONEY).required(),
                Column::new("status", Kind::Varchar(20)).required(),
                Column::new("ordered_at", Kind::Timestamp).required(),
            ],
        );
        let first = self.draw.between(1000, 40_000) as i64;
        let count = self.draw.between(150, 300) as usize;
        for (index, at) in self.times(count, 500).into_iter().enumerate() {
            let customer = self.draw.between(1, customers.rows.len() as u64) as i64;
            let product = self.draw.below(products.rows.len() as u64) as usize;
            let quantity = self.draw.between(1, 12) as i64;
            let price = match products.rows[product][3] {
                Value::Decimal(price) => price,
                _ => Decimal::from(1),
            };
            let total = price.times(Decimal::from(quantity)).unwrap_or(price);
            let status = *self
                .draw
                .pick(&["shipped", "shipped", "shipped", "paid", "open", "cancelled"])
                .unwrap_or(&"open");
            orders.rows.push(vec![
                Value::Integer(first + index as i64),
                Value::Integer(customer),
                Value::Integer(product as i64 + 1),
                Value::Integer(quantity),
                Value::Decimal(total),
                Value::text(status),
                Value::Timestamp(at),
            ]);
        }
        vec![customers, products, orders, self.users("admin_users")]
    }

    fn personnel(&mut self) -> Vec<Table> {
        let mut employees = self.table(
            "employees",
            vec![
                Column { automatic: false, ..Column::id("employee_no") },
                Column::new("first_name", Kind::Varchar(50)).required(),
                Column::new("last_name", Kind::Varchar(50)).required(),
                Column::new("email", Kind::Varchar(120)).required(),
                Column::new("department", Kind::Varchar(40)).required(),
                Column::new("title", Kind::Varchar(60)),
                Column::new("hired", Kind::Date).required(),
                Column::new("iban", Kind::Varchar(34)),
            ],
        );
        let mut salaries = self.table(
            "salaries",
            vec![
                Column::id("id"),
                Column::new("employee_no", Kind::Integer).required(),
                Column::new("gross", MONEY).required(),
                Column::new("valid_from", Kind::Date).required(),
            ],
        );
        let mut leave = self.table(
            "leave_requests",
            vec![
                Column::id("id"),
                Column::new("employee_no", Kind::Integer).required(),
                Column::new("first_day", Kind::Date).required(),
                Column::new("days", Kind::Integer).required(),
                Column::new("approved", Kind::Boolean).required(),
            ],
        );
        for person in &self.people.people {
            let number = Value::Integer(i64::from(person.number));
            let hired = self.day(4500);
            let iban = format!("DE{:02}{}", self.draw.between(10, 98), self.draw.text("0123456789", 18));
            employees.rows.push(vec![
                number.clone(),
                Value::text(&person.given),
                Value::text(&person.family),
                Value::text(&person.email),
                Value::text(person.department),
                Value::text(person.title),
                hired,
                Value::text(iban),
            ]);
            for _ in 0..self.draw.between(1, 4) {
                let (gross, from) = (self.money(2600, 8900), self.day(2000));
                let id = Value::Integer(salaries.rows.len() as i64 + 1);
                salaries.rows.push(vec![id, number.clone(), gross, from]);
            }
            for _ in 0..self.draw.below(4) {
                let first = self.day(400);
                let id = Value::Integer(leave.rows.len() as i64 + 1);
                let (days, approved) = (self.draw.between(1, 15) as i64, self.draw.below(5) > 0);
                leave.rows.push(vec![id, number.clone(), first, Value::Integer(days), Value::Bool(approved)]);
            }
        }
        vec![employees, salaries, leave]
    }

    fn crm(&mut self) -> Vec<Table> {
        let mut accounts = self.table(
            "accounts",
            vec![
                Column::id("id"),
                Column::new("name", Kind::Varchar(100)).required(),
                Column::new("city", Kind::Varchar(60)),
                Column::new("owner", Kind::Varchar(60)),
                Column::new("revenue", MONEY),
            ],
        );
        let mut contacts = self.table(
            "contacts",
            vec![
                Column::id("id"),
                Column::new("account_id", Kind::Integer).required(),
                Column::new("name", Kind::Varchar(100)).required(),
                Column::new("email", Kind::Varchar(120)),
                Column::new("phone", Kind::Varchar(30)),
            ],
        );
        for index in 0..self.draw.between(40, 90) as i64 {
            let (company, city, revenue) = (self.company(), self.word("city"), self.money(5_000, 900_000));
            let owner = self.people.pick(&mut self.draw).map_or("", |person| person.account.as_str());
            let domain = company.split(' ').next().unwrap_or("mail").to_lowercase();
            accounts.rows.push(vec![
                Value::Integer(index + 1),
                Value::text(&company),
                Value::text(city),
                Value::text(owner),
                revenue,
            ]);
            for _ in 0..self.draw.between(1, 3) {
                let (given, family) = (self.word("given"), self.word("family"));
                let id = Value::Integer(contacts.rows.len() as i64 + 1);
                let phone = self.phone();
                contacts.rows.push(vec![
                    id,
                    Value::Integer(index + 1),
                    Value::text(format!("{} {}", capital(given), capital(family))),
                    Value::text(format!("{given}.{family}@{domain}.com")),
                    phone,
                ]);
            }
        }
        vec![accounts, contacts, self.users("users")]
    }

    fn accounting(&mut self) -> Vec<Table> {
        let mut suppliers = self.table(
            "suppliers",
            vec![
                Column::id("id"),
                Column::new("name", Kind::Varchar(100)).required(),
                Column::new("iban", Kind::Varchar(34)).required(),
                Column::new("bic", Kind::Varchar(11)),
            ],
        );
        let count = self.draw.between(20, 45) as i64;
        for index in 0..count {
            let company = self.company();
            let iban = format!("DE{:02}{}", self.draw.between(10, 98), self.draw.text("0123456789", 18));
            let bic =
                format!("{}DE{}XXX", self.draw.text("BCDEFGHKLMNPRST", 4), self.draw.text("FHMB123", 2));
            suppliers.rows.push(vec![
                Value::Integer(index + 1),
                Value::text(company),
                Value::text(iban),
                Value::text(bic),
            ]);
        }
        let mut invoices = self.table(
            "invoices",
            vec![
                Column::id("id"),
                Column { unique: true, ..Column::new("number", Kind::Varchar(20)).required() },
                Column::new("supplier_id", Kind::Integer).required(),
                Column::new("amount", MONEY).required(),
                Column::new("due", Kind::Date).required(),
                Column::new("paid", Kind::Boolean).required(),
            ],
        );
        let stem = self.draw.text("ABCDEFGHKLMNPRSTUVWXYZ", 2);
        let first = self.draw.between(10_000, 60_000) as i64;
        for index in 0..self.draw.between(140, 320) as i64 {
            let supplier = self.draw.between(1, count as u64) as i64;
            let (amount, due, paid) = (self.money(40, 24_000), self.day(600), self.draw.below(8) > 0);
            invoices.rows.push(vec![
                Value::Integer(index + 1),
                Value::text(format!("{stem}{}", first + index * 3)),
                Value::Integer(supplier),
                amount,
                due,
                Value::Bool(paid),
            ]);
        }
        vec![suppliers, invoices, self.users("users")]
    }

    fn portal(&mut self) -> Vec<Table> {
        let mut keys = self.table(
            "api_keys",
            vec![
                Column::id("id"),
                Column::new("name", Kind::Varchar(60)).required(),
                Column::new("token", Kind::Varchar(64)).required(),
                Column::new("last_used", Kind::Timestamp),
            ],
        );
        for (index, name) in ["backup", "monitoring", "ldap-sync", "ci", "mailer"].into_iter().enumerate() {
            let token = self.draw.text("abcdef0123456789", 40);
            let used = self.time(20);
            keys.rows.push(vec![
                Value::Integer(index as i64 + 1),
                Value::text(name),
                Value::text(token),
                Value::Timestamp(used),
            ]);
        }
        let mut log = self.table(
            "audit_log",
            vec![
                Column::id("id"),
                Column::new("at", Kind::Timestamp).required(),
                Column::new("account", Kind::Varchar(60)).required(),
                Column::new("action", Kind::Varchar(40)).required(),
                Column::new("address", Kind::Varchar(45)),
            ],
        );
        let first = self.draw.between(8_000, 900_000) as i64;
        let count = self.draw.between(160, 320) as usize;
        for (index, at) in self.times(count, 45).into_iter().enumerate() {
            let account = self.people.pick(&mut self.draw).map_or("", |person| person.account.as_str());
            let action = *self
                .draw
                .pick(&["login", "login", "view", "export", "update", "logout"])
                .unwrap_or(&"login");
            let address =
                format!("10.{}.{}.{}", self.draw.below(40), self.draw.below(255), self.draw.between(2, 254));
            log.rows.push(vec![
                Value::Integer(first + index as i64),
                Value::Timestamp(at),
                Value::text(account),
                Value::text(action),
                Value::text(address),
            ]);
        }
        vec![self.users("users"), keys, log]
    }

    fn helpdesk(&mut self) -> Vec<Table> {
        let mut tickets = self.table(
            "tickets",
            vec![
                Column::id("id"),
                Column::new("opened", Kind::Timestamp).required(),
                Column::new("requester", Kind::Varchar(120)).required(),
                Column::new("subject", Kind::Varchar(160)).required(),
                Column::new("state", Kind::Varchar(20)).required(),
                Column::new("assignee", Kind::Varchar(60)),
            ],
        );
        let subjects = [
            "VPN does not connect",
            "Printer on the second floor",
            "Password reset",
            "New laptop for a colleague",
            "No access to the finance share",
            "Outlook asks for the password again",
            "Monitor flickers",
            "Please install the new release",
            "Mailbox full",
            "Phone has no tone",
        ];
        let first = self.draw.between(2_000, 50_000) as i64;
        let count = self.draw.between(120, 260) as usize;
        for (index, at) in self.times(count, 300).into_iter().enumerate() {
            let requester = self.people.pick(&mut self.draw).map_or("", |person| person.email.as_str());
            let assignee = self.people.pick(&mut self.draw).map_or("", |person| person.account.as_str());
            let subject = *self.draw.pick(&subjects).unwrap_or(&"");
            let state =
                *self.draw.pick(&["closed", "closed", "closed", "open", "waiting"]).unwrap_or(&"open");
            tickets.rows.push(vec![
                Value::Integer(first + index as i64),
                Value::Timestamp(at),
                Value::text(requester),
                Value::text(subject),
                Value::text(state),
                Value::text(assignee),
            ]);
        }
        vec![tickets, self.users("agents")]
    }

    /// The accounts of an application, with password hashes.
    fn users(&mut self, name: &str) -> Table {
        let mut users = self.table(
            name,
            vec![
                Column::id("id"),
                Column { unique: true, ..Column::new("username", Kind::Varchar(60)).required() },
                Column::new("email", Kind::Varchar(120)).required(),
                Column::new("password", Kind::Varchar(255)).required(),
                Column::new("role", Kind::Varchar(20)).required(),
                Column::new("last_login", Kind::Timestamp),
            ],
        );
        let count = self.draw.between(5, 18) as usize;
        for (index, person) in self.people.people.iter().take(count).enumerate() {
            let hash = self.bcrypt();
            let role = if index == 0 || self.draw.below(6) == 0 { "admin" } else { "user" };
            let login = if self.draw.below(7) == 0 { Value::Null } else { Value::Timestamp(self.time(40)) };
            users.rows.push(vec![
                Value::Integer(index as i64 + 1),
                Value::text(&person.account),
                Value::text(&person.email),
                hash,
                Value::text(role),
                login,
            ]);
        }
        users
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing;

    #[test]
    fn rows_fit_their_columns_and_each_other() {
        let identity = testing::identity(decnet_core::identity::OsFamily::Linux, 7, &[]);
        let all = Application::ALL.map(|(_, application)| application);
        let schemas = databases(&identity, "mysql", &all, 20_000);
        assert_eq!(schemas.len(), all.len());
        for table in schemas.iter().flat_map(|schema| &schema.tables) {
            assert!(!table.rows.is_empty() && table.rows.len() < 500, "{}", table.name);
            for row in &table.rows {
                assert_eq!(row.len(), table.columns.len(), "{}", table.name);
                for (value, column) in row.iter().zip(&table.columns) {
                    assert_eq!(
                        column.kind.coerce(value.clone()).as_ref(),
                        Some(value),
                        "{} {}",
                        table.name,
                        column.name
                    );
                    assert!(column.nullable || !value.is_null(), "{} {}", table.name, column.name);
                }
            }
            for (at, column) in table.columns.iter().enumerate() {
                let keys: HashSet<String> = table.rows.iter().map(|row| row[at].to_string()).collect();
                assert!(
                    !(column.unique || column.primary) || keys.len() == table.rows.len(),
                    "{}",
                    column.name
                );
            }
        }
    }

    #[test]
    fn the_same_identity_plants_the_same_and_another_one_something_else() {
        let one = testing::identity(decnet_core::identity::OsFamily::Linux, 7, &[]);
        let mut other = one.clone();
        other.seed = one.seed.derive(&["other"]);
        let shop = [Application::Shop];
        let rows =
            |identity: &Identity| databases(identity, "mysql", &shop, 20_000)[0].tables[0].rows.clone();
        assert_eq!(rows(&one), rows(&one));
        let known: HashSet<String> = rows(&one).iter().map(|row| row[7].to_string()).collect();
        assert!(rows(&other).iter().all(|row| !known.contains(&row[7].to_string())));
        assert!(applications(&one, "mysql", &["none".to_owned()]).is_empty());
        assert_eq!(applications(&one, "mysql", &["crm".to_owned()]), [Application::Crm]);
        assert!(!applications(&one, "mysql", &["auto".to_owned()]).is_empty());
    }
}
