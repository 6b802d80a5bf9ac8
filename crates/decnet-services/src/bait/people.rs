//! The people of an organisation.

use decnet_core::identity::Identity;
use decnet_core::seed::Draw;

use super::{capital, words};

/// Somebody who works there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The number that the organisation gives them.
    pub number: u32,
    /// The first name.
    pub given: String,
    /// The last name.
    pub family: String,
    /// The account: `anna.becker`, or `abecker` where the organisation writes it so.
    pub account: String,
    /// The address: the account at the domain.
    pub email: String,
    /// The department.
    pub department: &'static str,
    /// What they do there.
    pub title: &'static str,
}

/// All of them, and the words of the organisation that its applications show.
#[derive(Clone, Debug)]
pub struct People {
    /// The organisation's short name in lower case letters and digits, as it stands in names of databases.
    pub stem: String,
    /// The domain of its addresses.
    pub domain: String,
    /// The people, 24 to 60 of them, by number.
    pub people: Vec<Person>,
}

/// What somebody of a department does.
fn title(department: &str, draw: &mut Draw) -> &'static str {
    let titles: &[&'static str] = match department {
        "IT" => {
            &["System Administrator", "Database Administrator", "Developer", "Support Engineer", "Head of IT"]
        }
        "Finance" => &["Accountant", "Controller", "Payroll Clerk", "Chief Financial Officer"],
        "Sales" => &["Account Manager", "Sales Representative", "Key Account Manager", "Head of Sales"],
        "HR" => &["Recruiter", "HR Manager", "Personnel Officer"],
        "Logistics" => &["Warehouse Clerk", "Dispatcher", "Logistics Manager"],
        "Purchasing" => &["Buyer", "Purchasing Manager"],
        "Marketing" => &["Content Manager", "Marketing Manager", "Designer"],
        _ => &["Engineer", "Technician", "Team Lead", "Assistant"],
    };
    draw.pick(titles).copied().unwrap_or("Engineer")
}

impl People {
    /// The people whom a host's applications know.
    pub fn of(identity: &Identity) -> People {
        let stem: String = identity
            .names
            .organisation
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(12)
            .collect::<String>()
            .to_lowercase();
        let label = identity.names.domain.split('.').next().unwrap_or("corp").replace('-', "");
        let stem = if stem.is_empty() { label } else { stem };
        let mut draw = identity.draw(&["bait", "people"]);
        let (given, family, departments) = (words("given"), words("family"), words("department"));
        let dotted = draw.below(3) > 0;
        let mut people: Vec<Person> = Vec::new();
        let mut number = draw.between(1001, 1400) as u32;
        for _ in 0..draw.between(24, 60) {
            let given = draw.pick(&given).copied().unwrap_or("anna");
            let family = draw.pick(&family).copied().unwrap_or("weber");
            let account =
                if dotted { format!("{given}.{family}") } else { format!("{}{family}", &given[..1]) };
            if people.iter().any(|other| other.account == account) {
                continue;
            }
            let department = draw.pick(&departments).copied().unwrap_or("IT");
            people.push(Person {
                number,
                given: capital(given),
                family: capital(family),
                email: format!("{account}@{}", identity.names.domain),
                account,
                department,
                title: title(department, &mut draw),
            });
            number += draw.between(1, 9) as u32;
        }
        People { stem, domain: identity.names.domain.clone(), people }
    }

    /// One of them.
    pub fn pick(&self, draw: &mut Draw) -> Option<&Person> {
        draw.pick(&self.people)
    }
}
