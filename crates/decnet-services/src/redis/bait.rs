//! The planted keyspace: an application that goes on working. Sessions come and expire, caches are filled
//! anew, queues change their length, all of it drawn from the identity and the time, so that the same
//! moment shows the same keys though our process was started anew.

use decnet_core::identity::Identity;
use decnet_core::seed::Draw;

use crate::bait::words;

use super::store::{Encoding, Entry, Hash, List, Set, Value, Zset};

/// Seconds between two steps of the application.
const SLOT: i64 = 300;
/// The longest life of a planted session, in steps.
const WINDOW: i64 = 144;
/// The rules by which planted sets are packed; the defaults of every release.
const RULES: Encoding =
    Encoding { listpack: true, packs_sets: false, hash: (512, 64), intset: 512, zset: (128, 64) };

/// A planted key: database, name, entry.
type Planted = (usize, Vec<u8>, Entry);

/// How the application's framework names and writes things.
#[derive(Clone, Copy, Debug)]
enum Framework {
    Express,
    Php,
    Laravel,
    Spring,
}

/// The application behind the keyspace.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    seed: decnet_core::Seed,
    app: String,
    domain: String,
    kinds: Vec<String>,
    framework: Framework,
    next_slot: Option<i64>,
    people: Vec<(String, String)>,
    minute: i64,
}

fn pick(draw: &mut Draw, list: &[&'static str]) -> &'static str {
    draw.pick(list).copied().unwrap_or("")
}

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Workload {
    /// The application of a host. `kinds` are the words of the key `keys`.
    pub(crate) fn new(identity: &Identity, kinds: &[String]) -> Workload {
        let mut draw = identity.draw(&["redis", "application"]);
        let organisation: String = identity
            .names
            .organisation
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        let label: String = identity.names.domain.split('.').rev().nth(1).unwrap_or("").replace('-', "");
        let stem = if organisation.is_empty() { label } else { organisation };
        let suffix = *draw.pick(&["", "app", "portal", "shop", "api", "crm", "erp"]).unwrap_or(&"");
        let framework = *draw
            .pick(&[Framework::Express, Framework::Php, Framework::Laravel, Framework::Spring])
            .unwrap_or(&Framework::Express);
        let kinds = if kinds.iter().any(|kind| kind == "none") {
            Vec::new()
        } else if kinds.iter().any(|kind| kind == "auto") {
            by_role(identity).into_iter().map(str::to_owned).collect()
        } else {
            kinds.to_vec()
        };
        let (given, family) = (words("given"), words("family"));
        let people = (0..draw.between(12, 30))
            .map(|_| (pick(&mut draw, &given).to_owned(), pick(&mut draw, &family).to_owned()))
            .collect();
        Workload {
            seed: identity.seed.derive(&["redis", "bait"]),
            app: format!("{stem}{suffix}"),
            domain: identity.names.domain.clone(),
            kinds,
            framework,
            next_slot: None,
            people,
            minute: draw.between(2, 57) as i64,
        }
    }

    /// The minute of the hour in which the application's changes are saved.
    pub(crate) fn minute(&self) -> i64 {
        self.minute
    }

    /// Changes of the application between two moments in seconds.
    pub(crate) fn changes_since(&self, from: i64, to: i64) -> i64 {
        if self.kinds.is_empty() { 0 } else { (to - from).max(0) / 41 }
    }

    /// Keys loaded and expired when the server was started.
    pub(crate) fn loaded(&self) -> (u64, u64) {
        if self.kinds.is_empty() {
            return (0, 0);
        }
        let mut draw = self.seed.draw(&["loaded"]);
        (draw.between(120, 420), draw.between(3, 60))
    }

    fn has(&self, kind: &str) -> bool {
        self.kinds.iter().any(|other| other == kind)
    }

    /// What the application wrote since it was last asked, up to `now` (milliseconds since 1970-01-01
    /// UTC); everything that is still alive when asked for the first time.
    pub(crate) fn advance(&mut self, now: i64) -> Vec<Planted> {
        if self.kinds.is_empty() {
            return Vec::new();
        }
        let current = now / 1000 / SLOT;
        let mut planted = Vec::new();
        let from = match self.next_slot {
            Some(next) => next.max(current - WINDOW),
            None => {
                planted.extend(self.lasting(now));
                current - WINDOW
            }
        };
        for slot in from..=current {
            planted.extend(self.slot(slot, now));
        }
        if from <= current {
            planted.extend(self.moving(current, now));
            self.next_slot = Some(current + 1);
        }
        for (_, _, entry) in &mut planted {
            entry.bait = true;
        }
        planted
    }

    fn person(&self, draw: &mut Draw) -> (u64, String, String) {
        let at = draw.below(self.people.len() as u64);
        let (given, family) = self.people.get(at as usize).cloned().unwrap_or_default();
        let email = format!("{given}.{family}@{}", self.domain);
        (
            at + 101,
            format!(
                "{}{} {}{}",
                upper(&given),
                &given[upper(&given).len()..],
                upper(&family),
                &family[upper(&family).len()..]
            ),
            email,
        )
    }

    /// Sessions and cache entries that were written in one step.
    fn slot(&self, slot: i64, now: i64) -> Vec<Planted> {
        let mut draw = self.seed.draw(&["slot", &slot.to_string()]);
        let mut planted = Vec::new();
        let written = slot * SLOT * 1000 + draw.below(SLOT as u64 * 1000) as i64;
        if written > now {
            return planted;
        }
        if self.has("sessions") {
            for _ in 0..draw.below(3) {
                let life = draw.between(7_200, 43_200) as i64 * 1000;
                let (key, value) = self.session(&mut draw, written, life);
                self.plant(&mut planted, 0, key, value, written, Some(written + life), now);
            }
        }
        if self.has("cache") {
            let entities = words("entity");
            for _ in 0..draw.between(1, 5) {
                let life = draw.between(300, 3_600) as i64 * 1000;
                let (entity, id) = (pick(&mut draw, &entities), draw.between(1, 9_800));
                let key = format!("{}:cache:{entity}:{id}", self.app);
                let value = format!(
                    "{{\"id\":{id},\"type\":\"{entity}\",\"name\":\"{} {}\",\"updated_by\":{},\"updated_at\":{},\"version\":{}}}",
                    upper(entity).to_owned() + &entity[1..],
                    draw.text("ABCDEFGHKLMNPRSTUVWXYZ23456789", 6),
                    draw.between(101, 130),
                    written / 1000 - draw.between(60, 900_000) as i64,
                    draw.between(1, 40),
                );
                self.plant(&mut planted, 0, key, Value::string(value), written, Some(written + life), now);
            }
            let life = draw.between(30, 900) as i64 * 1000;
            let key = format!(
                "{}:ratelimit:10.{}.{}.{}",
                self.app,
                draw.below(256),
                draw.below(256),
                draw.between(1, 254)
            );
            let hits = draw.between(1, 58).to_string();
            self.plant(&mut planted, 0, key, Value::string(hits), written, Some(written + life), now);
        }
        if self.has("mail") {
            for _ in 0..draw.below(3) {
                let life = draw.between(3_600, 40_000) as i64 * 1000;
                let key = format!("rg_{}", draw.text("ybndrfg8ejkmcpqxot1uwisza345h769", 20));
                let value = written.to_string();
                self.plant(&mut planted, 0, key, Value::string(value), written, Some(written + life), now);
            }
        }
        planted
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one planted key")]
    fn plant(
        &self,
        planted: &mut Vec<Planted>,
        database: usize,
        key: String,
        value: Value,
        written: i64,
        expires: Option<i64>,
        now: i64,
    ) {
        if expires.is_none_or(|at| at > now) {
            let mut entry = Entry::new(value, written.min(now));
            entry.expires = expires;
            planted.push((database, key.into_bytes(), entry));
        }
    }

    fn session(&self, draw: &mut Draw, written: i64, life: i64) -> (String, Value) {
        let (id, name, email) = self.person(draw);
        let role = *draw.pick(&["user", "user", "user", "editor", "manager", "admin"]).unwrap_or(&"user");
        let token = draw.text(ALPHANUMERIC, 40);
        match self.framework {
            Framework::Express => {
                let expires = decnet_logging::event::timestamp::format((written + life) * 1000);
                let expires = format!("{}.{:03}Z", &expires[..19], (written + life) % 1000);
                let value = format!(
                    "{{\"cookie\":{{\"originalMaxAge\":{life},\"expires\":\"{expires}\",\"secure\":false,\"httpOnly\":true,\
                     \"path\":\"/\"}},\"passport\":{{\"user\":{id}}},\"profile\":{{\"name\":\"{name}\",\"email\":\"{email}\",\
                     \"role\":\"{role}\"}},\"csrfSecret\":\"{}\"}}",
                    &token[..24]
                );
                (format!("sess:{}", draw.text(&format!("{ALPHANUMERIC}-_"), 32)), Value::string(value))
            }
            Framework::Php => {
                let value = format!(
                    "user_id|i:{id};user_name|s:{}:\"{name}\";user_email|s:{}:\"{email}\";role|s:{}:\"{role}\";\
                     csrf_token|s:40:\"{token}\";last_seen|i:{};",
                    name.len(),
                    email.len(),
                    role.len(),
                    written / 1000
                );
                let key = draw.text("abcdefghijklmnopqrstuvwxyz0123456789", 26);
                (format!("PHPREDIS_SESSION:{key}"), Value::string(value))
            }
            Framework::Laravel => {
                let inner = format!(
                    "a:4:{{s:6:\"_token\";s:40:\"{token}\";s:9:\"_previous\";a:1:{{s:3:\"url\";s:{}:\"https://{}/dashboard\";}}\
                     s:50:\"login_web_{}\";i:{id};s:5:\"email\";s:{}:\"{email}\";}}",
                    18 + self.domain.len(),
                    self.domain,
                    draw.text("0123456789abcdef", 40),
                    email.len()
                );
                let value = format!("s:{}:\"{inner}\";", inner.len());
                let key = format!("{0}_database_{0}_cache_:{1}", self.app, draw.text(ALPHANUMERIC, 40));
                (key, Value::string(value))
            }
            Framework::Spring => {
                let hex = |draw: &mut Draw, length| draw.text("0123456789abcdef", length);
                let uuid = format!(
                    "{}-{}-4{}-{}{}-{}",
                    hex(draw, 8),
                    hex(draw, 4),
                    hex(draw, 3),
                    draw.text("89ab", 1),
                    hex(draw, 3),
                    hex(draw, 12)
                );
                let mut hash = Hash::new(draw.number());
                for (field, value) in [
                    ("creationTime", written.to_string()),
                    ("lastAccessedTime", written.to_string()),
                    ("maxInactiveInterval", (life / 1000).to_string()),
                    ("sessionAttr:userId", id.to_string()),
                    ("sessionAttr:email", format!("\"{email}\"")),
                    ("sessionAttr:role", format!("\"ROLE_{}\"", role.to_uppercase())),
                ] {
                    hash.set(field.as_bytes(), value.into_bytes());
                }
                (format!("spring:session:sessions:{uuid}"), Value::Hash(hash))
            }
        }
    }

    /// What was there from the beginning and stays.
    fn lasting(&self, now: i64) -> Vec<Planted> {
        let mut draw = self.seed.draw(&["lasting"]);
        let mut planted = Vec::new();
        let written = now - draw.between(600_000, 3_000_000_000) as i64;
        if self.has("sessions") || self.has("cache") {
            let mut hash = Hash::new(draw.number());
            let host = pick(&mut draw, &words("host"));
            let database = format!("{}_prod", self.app);
            let account = format!("{}_rw", self.app);
            let secrets = [draw.text(ALPHANUMERIC, 18), draw.text(ALPHANUMERIC, 20)];
            for (field, value) in [
                ("db.host", format!("{host}.{}", self.domain)),
                ("db.name", database),
                ("db.user", account),
                ("db.password", secrets[0].clone()),
                ("smtp.host", format!("mail.{}", self.domain)),
                ("smtp.user", format!("noreply@{}", self.domain)),
                ("smtp.password", secrets[1].clone()),
                ("feature.new_checkout", draw.below(2).to_string()),
            ] {
                hash.set(field.as_bytes(), value.into_bytes());
            }
            self.plant(
                &mut planted,
                0,
                format!("{}:config", self.app),
                Value::Hash(hash),
                written,
                None,
                now,
            );
            let mut set = Set::new();
            for _ in 0..draw.between(4, 9) {
                set.add(draw.between(101, 130).to_string().as_bytes(), RULES, 1);
            }
            self.plant(&mut planted, 0, format!("{}:admins", self.app), Value::Set(set), written, None, now);
        }
        if self.has("queue") || self.has("ci") {
            let mut set = Set::new();
            let queues = words("queue");
            let seed = draw.number();
            for _ in 0..draw.between(2, 5) {
                set.add(pick(&mut draw, &queues).as_bytes(), RULES, seed);
            }
            self.plant(
                &mut planted,
                self.queue_database(),
                self.queue_key("queues"),
                Value::Set(set),
                written,
                None,
                now,
            );
        }
        if self.has("mail") {
            let mut hash = Hash::new(draw.number());
            for field in ["learns_ham", "learns_spam", "users", "tokens", "version"] {
                hash.set(field.as_bytes(), draw.between(2, 90_000).to_string().into_bytes());
            }
            self.plant(&mut planted, 0, "RS".to_owned(), Value::Hash(hash), written, None, now);
            let prefix = draw.text("0123456789", 19);
            for _ in 0..draw.between(20, 60) {
                let mut hash = Hash::new(1);
                hash.set(b"S", draw.between(0, 40).to_string().into_bytes());
                hash.set(b"H", draw.between(0, 900).to_string().into_bytes());
                let key = format!("RS{}_{}", prefix, draw.between(1_000_000_000, u64::MAX / 2));
                self.plant(&mut planted, 0, key, Value::Hash(hash), written, None, now);
            }
        }
        planted
    }

    fn queue_database(&self) -> usize {
        usize::from(self.has("sessions") && self.has("queue"))
    }

    fn queue_key(&self, name: &str) -> String {
        if self.has("ci") { format!("resque:gitlab:{name}") } else { format!("{}:{name}", self.app) }
    }

    /// What changes with every step: queues, counters, ranks.
    fn moving(&self, slot: i64, now: i64) -> Vec<Planted> {
        let mut draw = self.seed.draw(&["moving", &slot.to_string()]);
        let mut planted = Vec::new();
        if self.has("queue") || self.has("ci") {
            let (jobs, queues) = (words("job"), words("queue"));
            let length = draw.below(7);
            let list: List = (0..length)
                .map(|_| {
                    let (id, _, email) = self.person(&mut draw);
                    format!(
                        "{{\"class\":\"{}\",\"args\":[{id},\"{email}\"],\"retry\":true,\"queue\":\"{}\",\"jid\":\"{}\",\
                         \"created_at\":{}.{}}}",
                        pick(&mut draw, &jobs),
                        pick(&mut draw, &queues),
                        draw.text("0123456789abcdef", 24),
                        now / 1000 - draw.between(1, 240) as i64,
                        draw.between(100_000, 999_999),
                    )
                    .into_bytes()
                })
                .collect();
            if length > 0 {
                let key = self.queue_key("queue:default");
                self.plant(&mut planted, self.queue_database(), key, Value::List(list), now, None, now);
            }
            let rate = self.seed.draw(&["rate"]).between(3, 40) as i64;
            let processed = (now / 1000 - 1_600_000_000).max(0) / 60 * rate / 20;
            let key = self.queue_key("stat:processed");
            self.plant(
                &mut planted,
                self.queue_database(),
                key,
                Value::string(processed.to_string()),
                now,
                None,
                now,
            );
            let key = self.queue_key("stat:failed");
            let failed = (processed / 413).to_string();
            self.plant(&mut planted, self.queue_database(), key, Value::string(failed), now, None, now);
        }
        if self.has("cache") {
            let mut zset = Zset::default();
            let entities = words("entity");
            for _ in 0..draw.between(5, 12) {
                let member = format!("{}:{}", pick(&mut draw, &entities), draw.between(1, 9_800));
                zset.set(member.as_bytes(), draw.between(1, 4_000) as f64);
            }
            self.plant(&mut planted, 0, format!("{}:popular", self.app), Value::Zset(zset), now, None, now);
        }
        planted
    }
}

/// The first letter in upper case.
fn upper(word: &str) -> String {
    word.chars().take(1).flat_map(char::to_uppercase).collect()
}

/// What the keyspace holds by the host's other products.
fn by_role(identity: &Identity) -> Vec<&'static str> {
    let has = |names: &[&str]| names.iter().any(|name| identity.product(name).is_some());
    if has(&["postfix", "dovecot", "smtp", "imap"]) {
        vec!["mail"]
    } else if has(&["docker", "docker_api", "k8s", "kubernetes", "gitlab"]) {
        vec!["ci", "cache"]
    } else if has(&["mysql", "mariadb", "postgres", "postgresql"]) {
        vec!["sessions", "cache", "queue"]
    } else if has(&["nginx", "apache", "httpd", "http", "php"]) {
        vec!["sessions", "cache"]
    } else {
        vec!["sessions", "queue"]
    }
}
