//! Users and what they may do: ACL of release 6 and later. Before, there is only the password.

use aws_lc_rs::digest::{SHA256, digest};

use super::{Call, Fault};
use crate::redis::commands::glob;
use crate::redis::persona::Release;
use crate::redis::tables::{self, Spec};

/// Refusals kept for ACL LOG.
pub(crate) const LOG_BOUND: usize = 128;

/// A pattern of keys and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPattern {
    pattern: Vec<u8>,
    read: bool,
    write: bool,
}

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    /// `on`
    pub(crate) enabled: bool,
    /// `nopass`
    pub(crate) no_password: bool,
    /// SHA-256 of each password, in hexadecimal digits.
    pub(crate) passwords: Vec<String>,
    /// `+@all`, `-get`, … in order.
    commands: Vec<String>,
    keys: Vec<KeyPattern>,
    channels: Vec<Vec<u8>>,
}

/// A refusal for ACL LOG.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// How often the same.
    pub(crate) count: i64,
    /// `auth`, `command`, `key`, `channel`
    pub(crate) reason: &'static str,
    /// `toplevel`, `multi`, `lua`
    pub(crate) context: &'static str,
    /// The command, key or channel.
    pub(crate) object: Vec<u8>,
    /// Who.
    pub(crate) user: Vec<u8>,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub(crate) at: i64,
    /// The client as CLIENT LIST shows it.
    pub(crate) client: String,
}

/// What a user lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// The command.
    Command,
    /// This key.
    Key(Vec<u8>),
    /// This channel.
    Channel(Vec<u8>),
}

/// The SHA-256 of a password as ACL shows it.
pub(crate) fn hash(password: &[u8]) -> String {
    digest(&SHA256, password).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl User {
    /// The user that every connection begins as.
    pub(crate) fn default_user(password: Option<&str>) -> User {
        User {
            enabled: true,
            no_password: password.is_none(),
            passwords: password.map(|password| hash(password.as_bytes())).into_iter().collect(),
            commands: vec!["+@all".to_owned()],
            keys: vec![KeyPattern { pattern: b"*".to_vec(), read: true, write: true }],
            channels: vec![b"*".to_vec()],
        }
    }

    /// A user as ACL SETUSER makes it: off, nothing allowed.
    pub(crate) fn fresh(all_channels: bool) -> User {
        User {
            enabled: false,
            no_password: false,
            passwords: Vec::new(),
            commands: vec!["-@all".to_owned()],
            keys: Vec::new(),
            channels: if all_channels { vec![b"*".to_vec()] } else { Vec::new() },
        }
    }

    /// Whether this password lets in.
    pub(crate) fn accepts(&self, password: &[u8]) -> bool {
        self.enabled && (self.no_password || self.passwords.contains(&hash(password)))
    }

    /// Bytes that it takes.
    pub(crate) fn weight(&self) -> usize {
        self.commands.iter().map(String::len).sum::<usize>()
            + self.keys.iter().map(|key| key.pattern.len()).sum::<usize>()
            + self.channels.iter().map(Vec::len).sum::<usize>()
            + self.passwords.len() * 64
            + 128
    }

    /// `+@all -get …`
    pub(crate) fn command_rules(&self) -> String {
        self.commands.join(" ")
    }

    /// `~a* %R~b*`
    pub(crate) fn key_rules(&self) -> Vec<Vec<u8>> {
        self.keys
            .iter()
            .map(|key| {
                let mark: &[u8] = match (key.read, key.write) {
                    (true, false) => b"%R~",
                    (false, true) => b"%W~",
                    _ => b"~",
                };
                [mark, &key.pattern].concat()
            })
            .collect()
    }

    /// `&a*`
    pub(crate) fn channel_rules(&self) -> Vec<Vec<u8>> {
        self.channels.iter().map(|pattern| [b"&", pattern.as_slice()].concat()).collect()
    }

    fn all_channels(&self) -> bool {
        self.channels.iter().any(|pattern| pattern == b"*")
    }

    /// The user as ACL LIST and the configuration file write it.
    pub(crate) fn describe(&self, release: Release) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = vec![if self.enabled { b"on".to_vec() } else { b"off".to_vec() }];
        if self.no_password {
            words.push(b"nopass".to_vec());
        }
        if release.since(7, 2) {
            words.push(b"sanitize-payload".to_vec());
        }
        words.extend(self.passwords.iter().map(|hash| format!("#{hash}").into_bytes()));
        words.extend(self.key_rules());
        if release.since(6, 2) {
            if !self.all_channels() {
                words.push(b"resetchannels".to_vec());
            }
            words.extend(self.channel_rules());
        }
        words.extend(self.commands.iter().map(|rule| rule.clone().into_bytes()));
        words.join(&b' ')
    }

    /// Flags as ACL GETUSER shows them.
    pub(crate) fn flags(&self, release: Release) -> Vec<&'static str> {
        let mut flags = vec![if self.enabled { "on" } else { "off" }];
        if !release.since(7, 0) {
            if self.keys.iter().any(|key| key.pattern == b"*") {
                flags.push("allkeys");
            }
            if release.since(6, 2) && self.all_channels() {
                flags.push("allchannels");
            }
            if self.commands == ["+@all"] {
                flags.push("allcommands");
            }
        }
        if self.no_password {
            flags.push("nopass");
        }
        if release.since(7, 2) {
            flags.push("sanitize-payload");
        }
        flags
    }

    /// Applies one rule of ACL SETUSER.
    ///
    /// # Errors
    /// The product's reason.
    pub(crate) fn apply(&mut self, rule: &[u8], release: Release) -> Result<(), String> {
        let text = String::from_utf8_lossy(rule).into_owned();
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "on" => self.enabled = true,
            "off" => self.enabled = false,
            "nopass" => {
                self.no_password = true;
                self.passwords.clear();
            }
            "resetpass" => {
                self.no_password = false;
                self.passwords.clear();
            }
            "allkeys" | "~*" => {
                self.keys = vec![KeyPattern { pattern: b"*".to_vec(), read: true, write: true }];
            }
            "resetkeys" => self.keys.clear(),
            "allchannels" | "&*" if release.since(6, 2) => self.channels = vec![b"*".to_vec()],
            "resetchannels" if release.since(6, 2) => self.channels.clear(),
            "allcommands" | "+@all" => self.commands = vec!["+@all".to_owned()],
            "nocommands" | "-@all" => self.commands = vec!["-@all".to_owned()],
            "reset" => *self = User::fresh(false),
            "sanitize-payload" | "skip-sanitize-payload" if release.since(6, 2) => {}
            "clearselectors" if release.since(7, 0) => {}
            _ => return self.apply_marked(rule, &lower, release),
        }
        Ok(())
    }

    fn apply_marked(&mut self, rule: &[u8], lower: &str, release: Release) -> Result<(), String> {
        const SYNTAX: &str = "Syntax error";
        match rule.first() {
            Some(b'>') => {
                let hash = hash(&rule[1..]);
                if !self.passwords.contains(&hash) {
                    self.passwords.push(hash);
                }
                self.no_password = false;
            }
            Some(b'#') => {
                let text = String::from_utf8_lossy(&rule[1..]).into_owned();
                if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                {
                    return Err("The password hash must be exactly 64 characters and contain only \
                                lowercase hexadecimal characters"
                        .to_owned());
                }
                if !self.passwords.contains(&text) {
                    self.passwords.push(text);
                }
                self.no_password = false;
            }
            Some(mark @ (b'<' | b'!')) => {
                let wanted = if *mark == b'<' {
                    hash(&rule[1..])
                } else {
                    String::from_utf8_lossy(&rule[1..]).into_owned()
                };
                let Some(place) = self.passwords.iter().position(|other| *other == wanted) else {
                    return Err(
                        "The password you are trying to remove from the user does not exist".to_owned()
                    );
                };
                self.passwords.remove(place);
            }
            Some(b'~') => self.add_keys(&rule[1..], true, true)?,
            Some(b'%') if release.since(7, 0) => {
                let Some(at) = rule.iter().position(|byte| *byte == b'~') else {
                    return Err(SYNTAX.to_owned());
                };
                let letters = rule[1..at].to_ascii_uppercase();
                if letters.is_empty() || !letters.iter().all(|letter| matches!(letter, b'R' | b'W')) {
                    return Err(SYNTAX.to_owned());
                }
                self.add_keys(&rule[at + 1..], letters.contains(&b'R'), letters.contains(&b'W'))?;
            }
            Some(b'&') if release.since(6, 2) => {
                if self.all_channels() {
                    return Err("Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid \
                                and does not have any effect. Try 'resetchannels' to start with an empty list \
                                of channels"
                        .to_owned());
                }
                if !self.channels.iter().any(|pattern| pattern == &rule[1..]) {
                    self.channels.push(rule[1..].to_vec());
                }
            }
            Some(b'+' | b'-') => {
                let name = &lower[1..];
                let known = match name.strip_prefix('@') {
                    Some(category) => {
                        category == "all"
                            || tables::commands().values().any(|spec| spec.categories.contains(&category))
                    }
                    None => {
                        let known = |name: &str| {
                            tables::commands().get(name).is_some_and(|spec| release >= spec.since)
                        };
                        known(name) || name.split_once('|').is_some_and(|(command, _)| known(command))
                    }
                };
                if !known {
                    return Err("Unknown command or category name in ACL".to_owned());
                }
                self.commands.retain(|rule| &rule[1..] != name);
                self.commands.push(lower.to_owned());
            }
            _ => return Err(SYNTAX.to_owned()),
        }
        Ok(())
    }

    fn add_keys(&mut self, pattern: &[u8], read: bool, write: bool) -> Result<(), String> {
        if self.keys.iter().any(|key| key.pattern == b"*" && key.read && key.write) {
            return Err(
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not \
                        have any effect. Try 'resetkeys' to start with an empty list of patterns"
                    .to_owned(),
            );
        }
        match self.keys.iter_mut().find(|key| key.pattern == pattern) {
            Some(key) => {
                key.read |= read;
                key.write |= write;
            }
            None => self.keys.push(KeyPattern { pattern: pattern.to_vec(), read, write }),
        }
        Ok(())
    }

    /// Whether the user may run the command, whatever its keys.
    pub(crate) fn may_run(&self, spec: &Spec) -> bool {
        let container = spec.name.split('|').next().unwrap_or(spec.name);
        let mut may = false;
        for rule in &self.commands {
            let Some((sign, name)) = rule.split_at_checked(1) else { continue };
            let concerned = match name.strip_prefix('@') {
                Some("all") => true,
                Some(category) => spec.categories.contains(&category),
                None => name == spec.name || name == container,
            };
            if concerned {
                may = sign == "+";
            }
        }
        may
    }

    /// What the user lacks to run a command with these arguments.
    pub(crate) fn lacks(&self, spec: &Spec, arguments: &[Vec<u8>]) -> Option<Lacks> {
        // Logging in is never refused.
        if spec.has("no_auth") {
            return None;
        }
        if !self.may_run(spec) {
            return Some(Lacks::Command);
        }
        if !self.keys.iter().any(|key| key.pattern == b"*" && key.read && key.write) {
            let write = spec.has("write");
            for key in crate::redis::commands::keys_of(spec, arguments) {
                let may = self.keys.iter().any(|pattern| {
                    (if write { pattern.write } else { pattern.read }) && glob(&pattern.pattern, &key, false)
                });
                if !may {
                    return Some(Lacks::Key(key));
                }
            }
        }
        if spec.has("pubsub") && !self.all_channels() {
            let channels: &[Vec<u8>] = match spec.name {
                "publish" | "spublish" => arguments.get(1..2).unwrap_or(&[]),
                "subscribe" | "ssubscribe" | "psubscribe" => arguments.get(1..).unwrap_or(&[]),
                _ => &[],
            };
            for channel in channels {
                let may = self.channels.iter().any(|pattern| {
                    if spec.name == "psubscribe" { pattern == channel } else { glob(pattern, channel, false) }
                });
                if !may {
                    return Some(Lacks::Channel(channel.clone()));
                }
            }
        }
        None
    }
}

impl Call<'_> {
    /// Checks the user's rights; a refusal goes to ACL LOG.
    pub(crate) fn permitted(&mut self, spec: &Spec, context: &'static str) -> Result<(), Fault> {
        let name = self.client().user.clone();
        let Some(lacks) = self.state.users.get(&name).and_then(|user| user.lacks(spec, self.args)) else {
            return Ok(());
        };
        let shown = if self.since(7, 0) { spec.name } else { spec.name.split('|').next().unwrap_or("") };
        let (reason, object) = match &lacks {
            Lacks::Command => ("command", shown.as_bytes().to_vec()),
            Lacks::Key(key) => ("key", key.clone()),
            Lacks::Channel(channel) => ("channel", channel.clone()),
        };
        self.log_refusal(reason, context, object, name.clone());
        let who = String::from_utf8_lossy(&name).into_owned();
        Err(match (lacks, self.since(7, 2), self.since(7, 0)) {
            (Lacks::Command, true, _) => {
                format!("NOPERM User {who} has no permissions to run the '{shown}' command")
            }
            (Lacks::Command, _, true) => {
                format!("NOPERM this user has no permissions to run the '{shown}' command")
            }
            (Lacks::Command, ..) => {
                format!("NOPERM this user has no permissions to run the '{shown}' command or its subcommand")
            }
            (Lacks::Key(_), true, _) => "NOPERM No permissions to access a key".to_owned(),
            (Lacks::Key(_), ..) => {
                "NOPERM this user has no permissions to access one of the keys used as arguments".to_owned()
            }
            (Lacks::Channel(_), true, _) => "NOPERM No permissions to access a channel".to_owned(),
            (Lacks::Channel(_), ..) => {
                "NOPERM this user has no permissions to access one of the channels used as arguments"
                    .to_owned()
            }
        }
        .into())
    }

    /// Puts a refusal into ACL LOG.
    pub(crate) fn log_refusal(
        &mut self,
        reason: &'static str,
        context: &'static str,
        object: Vec<u8>,
        user: Vec<u8>,
    ) {
        let client = self.describe_client(self.id);
        let at = self.now;
        let same = self.state.acl_log.iter_mut().find(|entry| {
            entry.reason == reason && entry.object == object && entry.user == user && at - entry.at < 60_000
        });
        match same {
            Some(entry) => {
                entry.count += 1;
                entry.at = at;
            }
            None => {
                let object = object[..object.len().min(1024)].to_vec();
                let user = user[..user.len().min(1024)].to_vec();
                self.state.acl_log.push_front(Refusal {
                    count: 1,
                    reason,
                    context,
                    object,
                    user,
                    at,
                    client,
                });
                self.state.acl_log.truncate(LOG_BOUND);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_apply_in_order_and_read_back() {
        let release = Release(7, 0, 15);
        let mut user = User::fresh(false);
        for rule in ["on", ">pw", "~a*", "%R~b*", "+@read", "-get", "+config|get", "&ch*"] {
            user.apply(rule.as_bytes(), release).unwrap();
        }
        // As `ACL LIST` of redis-server 7.0.15 prints it.
        assert_eq!(
            String::from_utf8(user.describe(release)).unwrap(),
            "on #30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4 ~a* %R~b* resetchannels &ch* \
             -@all +@read -get +config|get"
        );
        let lacks = |line: &str| {
            let arguments: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            user.lacks(&tables::commands()[line.split(' ').next().unwrap()], &arguments)
        };
        assert_eq!(lacks("get a1"), Some(Lacks::Command));
        assert_eq!(lacks("hget b1 f"), None);
        assert_eq!(lacks("hget c1 f"), Some(Lacks::Key(b"c1".to_vec())));
        assert_eq!(lacks("set a1 x"), Some(Lacks::Command));
        assert!(user.accepts(b"pw") && !user.accepts(b"px"));
        assert_eq!(user.apply(b"+foo", release).unwrap_err(), "Unknown command or category name in ACL");
        assert_eq!(user.apply(b"zzz", release).unwrap_err(), "Syntax error");
    }
}
