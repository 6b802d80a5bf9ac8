//! Greeting and login.

use super::Reader;

/// Capabilities (`CLIENT_…`), as bits of the first 32.
pub(crate) mod capability {
    pub(crate) const MYSQL: u32 = 1;
    pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(crate) const FOUND_ROWS: u32 = 1 << 1;
    pub(crate) const PROTOCOL_41: u32 = 1 << 9;
    pub(crate) const SSL: u32 = 1 << 11;
    pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(crate) const MULTI_STATEMENTS: u32 = 1 << 16;
    pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(crate) const CONNECT_ATTRS: u32 = 1 << 20;
    pub(crate) const LENENC_AUTH: u32 = 1 << 21;
    pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
    pub(crate) const OPTIONAL_METADATA: u32 = 1 << 25;
    pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;
}

/// MariaDB's further capabilities (`MARIADB_CLIENT_…`).
pub(crate) mod extended {
    /// Columns tell more of their types.
    pub(crate) const METADATA: u32 = 1 << 3;
    /// The number of columns is followed by whether they are described.
    pub(crate) const CACHE: u32 = 1 << 4;
}

/// The server's first packet, version 10 of the protocol.
#[derive(Clone, Debug)]
pub(crate) struct Greeting<'a> {
    /// With the prefix `5.5.5-` where the product sets it.
    pub(crate) version: &'a str,
    /// The number of the connection.
    pub(crate) connection: u32,
    /// 20 bytes, none of them NUL.
    pub(crate) salt: &'a [u8; 20],
    /// Capabilities.
    pub(crate) capabilities: u32,
    /// MariaDB's further capabilities, in bytes that others leave zero.
    pub(crate) extended: u32,
    /// The number of the default collation.
    pub(crate) charset: u8,
    /// Status flags.
    pub(crate) status: u16,
    /// The authentication plugin; servers before 5.5 name none.
    pub(crate) plugin: Option<&'a str>,
}

impl Greeting<'_> {
    /// As it goes on the wire.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut out = vec![10];
        out.extend_from_slice(self.version.as_bytes());
        out.push(0);
        out.extend_from_slice(&self.connection.to_le_bytes());
        out.extend_from_slice(&self.salt[..8]);
        out.push(0);
        let capabilities = self.capabilities.to_le_bytes();
        out.extend_from_slice(&capabilities[..2]);
        out.push(self.charset);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&capabilities[2..]);
        out.push(if self.plugin.is_some() { 21 } else { 0 });
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.extended.to_le_bytes());
        out.extend_from_slice(&self.salt[8..]);
        out.push(0);
        if let Some(plugin) = self.plugin {
            out.extend_from_slice(plugin.as_bytes());
            out.push(0);
        }
        out
    }
}

/// The client's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It asks for TLS; its login comes inside.
    Tls,
    /// A login.
    Login(Login),
    /// Neither; whether it announced the protocol of 4.1, by which an error bears an SQLSTATE.
    Malformed {
        /// It did.
        announced: bool,
    },
}

/// A login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// What the client can.
    pub(crate) capabilities: u32,
    /// MariaDB's further capabilities, which it says where it leaves CLIENT_MYSQL out.
    pub(crate) extended: u32,
    /// The largest packet that it takes.
    pub(crate) max_packet: u32,
    /// Its collation.
    pub(crate) charset: u8,
    /// The user.
    pub(crate) user: Vec<u8>,
    /// The answer to the salt.
    pub(crate) answer: Vec<u8>,
    /// The database to begin with.
    pub(crate) database: Option<Vec<u8>>,
    /// The plugin by which the answer was made.
    pub(crate) plugin: Option<Vec<u8>>,
    /// What the client tells of itself.
    pub(crate) attributes: Vec<(String, String)>,
}

/// Attributes that are kept of one client.
const ATTRIBUTES: usize = 32;

impl Opening {
    /// Reads the client's first packet.
    pub(crate) fn read(payload: &[u8]) -> Opening {
        if payload.is_empty() {
            // MariaDB 10.11 words this one with an SQLSTATE.
            return Opening::Malformed { announced: true };
        }
        let low = Reader(payload).number(2).unwrap_or(0) as u32;
        if low & capability::PROTOCOL_41 == 0 {
            // Servers read two bytes of capabilities first, and take the form of before 4.1 by them.
            return match Login::read_old(payload) {
                Some(login) => Opening::Login(login),
                None => Opening::Malformed { announced: false },
            };
        }
        if payload.len() == 32 && low & capability::SSL != 0 {
            return Opening::Tls;
        }
        match Login::read(payload) {
            Some(login) => Opening::Login(login),
            None => Opening::Malformed { announced: payload.len() >= 4 },
        }
    }
}

impl Login {
    /// Reads a login of 4.1 and later.
    pub(crate) fn read(payload: &[u8]) -> Option<Login> {
        let mut reader = Reader(payload);
        let capabilities = reader.number(4)? as u32;
        let max_packet = reader.number(4)? as u32;
        let charset = reader.byte()?;
        reader.take(19)?;
        let further = reader.number(4)? as u32;
        let extended = if capabilities & capability::MYSQL == 0 { further } else { 0 };
        let user = reader.until_nul()?.to_vec();
        let answer = if capabilities & capability::LENENC_AUTH != 0 {
            reader.text()?.to_vec()
        } else if capabilities & capability::SECURE_CONNECTION != 0 {
            let length = usize::from(reader.byte()?);
            reader.take(length)?.to_vec()
        } else {
            reader.until_nul().unwrap_or_default().to_vec()
        };
        let mut login =
            Login { capabilities, extended, max_packet, charset, user, answer, ..Login::default() };
        if capabilities & capability::CONNECT_WITH_DB != 0 {
            login.database = rest_until_nul(&mut reader).filter(|name| !name.is_empty());
        }
        if capabilities & capability::PLUGIN_AUTH != 0 {
            login.plugin = rest_until_nul(&mut reader);
        }
        if capabilities & capability::CONNECT_ATTRS != 0 {
            login.attributes = attributes(&mut reader);
        }
        Some(login)
    }

    /// Reads a login of before 4.1: two bytes of capabilities, three of the largest packet, user, answer.
    fn read_old(payload: &[u8]) -> Option<Login> {
        let mut reader = Reader(payload);
        let capabilities = reader.number(2)? as u32;
        let max_packet = reader.number(3)? as u32;
        let user = reader.until_nul()?.to_vec();
        let answer = rest_until_nul(&mut reader).unwrap_or_default();
        let database = if capabilities & capability::CONNECT_WITH_DB != 0 {
            rest_until_nul(&mut reader).filter(|name| !name.is_empty())
        } else {
            None
        };
        Some(Login { capabilities, max_packet, user, answer, database, ..Login::default() })
    }
}

/// Up to a NUL, or all that is left where there is none.
fn rest_until_nul(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    if reader.0.is_empty() {
        return None;
    }
    match reader.until_nul() {
        Some(text) => Some(text.to_vec()),
        None => Some(std::mem::take(&mut reader.0).to_vec()),
    }
}

fn attributes(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(all) = reader.text() else { return found };
    let mut inner = Reader(all);
    while found.len() < ATTRIBUTES {
        let (Some(name), Some(value)) = (inner.text(), inner.text()) else { break };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found.push((text(name), text(value)));
    }
    found
}

/// COM_CHANGE_USER without its first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangeUser {
    /// The user.
    pub(crate) user: Vec<u8>,
    /// The answer to the salt of the greeting.
    pub(crate) answer: Vec<u8>,
    /// The database.
    pub(crate) database: Option<Vec<u8>>,
    /// The plugin.
    pub(crate) plugin: Option<Vec<u8>>,
}

impl ChangeUser {
    /// Reads one from a client with these capabilities.
    pub(crate) fn read(payload: &[u8], capabilities: u32) -> Option<ChangeUser> {
        let mut reader = Reader(payload);
        let user = reader.until_nul()?.to_vec();
        let answer = if capabilities & capability::SECURE_CONNECTION != 0 {
            let length = usize::from(reader.byte()?);
            reader.take(length)?.to_vec()
        } else {
            reader.until_nul()?.to_vec()
        };
        let database = rest_until_nul(&mut reader).filter(|name| !name.is_empty());
        let _charset = reader.take(2);
        let plugin =
            if capabilities & capability::PLUGIN_AUTH != 0 { rest_until_nul(&mut reader) } else { None };
        Some(ChangeUser { user, answer, database, plugin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured: MariaDB 10.11.19 of Debian 12.
    const GREETING: &[u8] = b"\n5.5.5-10.11.19-MariaDB-0+deb12u1\x00\x04\x00\x00\x004f(1]_G%\x00\xfe\xf7-\x02\x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00~p6[I;-m^o5Y\x00mysql_native_password\x00";

    #[test]
    fn a_greeting_is_the_products() {
        let greeting = Greeting {
            version: "5.5.5-10.11.19-MariaDB-0+deb12u1",
            connection: 4,
            salt: b"4f(1]_G%~p6[I;-m^o5Y",
            capabilities: 0x81ff_f7fe,
            extended: 0x1d,
            charset: 45,
            status: 2,
            plugin: Some("mysql_native_password"),
        };
        assert_eq!(greeting.emit(), GREETING);
    }

    #[test]
    fn a_login_is_read() {
        let mut bytes = 0x000f_a68d_u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 1, 45]);
        bytes.extend_from_slice(&[0; 23]);
        bytes.extend_from_slice(b"root\0\x03abcshop\0mysql_native_password\0");
        let Opening::Login(login) = Opening::read(&bytes) else { panic!() };
        assert_eq!((login.user.as_slice(), login.answer.as_slice()), (&b"root"[..], &b"abc"[..]));
        assert_eq!(login.database.as_deref(), Some(&b"shop"[..]));
        assert_eq!(login.plugin.as_deref(), Some(&b"mysql_native_password"[..]));
        assert_eq!(Opening::read(&bytes[..36]), Opening::Malformed { announced: true });
        assert_eq!(Opening::read(b"xx"), Opening::Malformed { announced: false });
    }
}
