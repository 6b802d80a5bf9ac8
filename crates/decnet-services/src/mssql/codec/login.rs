//! LOGIN7 (section 2.2.6.4).

use super::text::utf16_lossy;
use super::{Reader, Unparsed};

/// Where the table of offsets begins.
const TABLE: usize = 36;
/// The longest name in characters (`ibHostName` and its kin are at most 128); a little more is read.
const LONGEST_NAME: usize = 1024;

/// A login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Login {
    /// The version of the protocol that the client wants.
    pub(in super::super) version: u32,
    /// The size of packets that it wants.
    pub(in super::super) packet_size: u32,
    /// The version of the client's library.
    pub(in super::super) client_version: u32,
    /// The client's process.
    pub(in super::super) process: u32,
    /// `fUseDB`: a database that is not there ends the login.
    pub(in super::super) database_required: bool,
    /// `fIntSecurity`: integrated authentication.
    pub(in super::super) integrated: bool,
    /// `fReadOnlyIntent` and its kin, as sent.
    pub(in super::super) flags: [u8; 4],
    /// The client's name for its machine.
    pub(in super::super) host: String,
    /// The account.
    pub(in super::super) user: String,
    /// The password, in clear.
    pub(in super::super) password: String,
    /// The application.
    pub(in super::super) application: String,
    /// The server as the client knows it.
    pub(in super::super) server: String,
    /// The client's library.
    pub(in super::super) library: String,
    /// The language.
    pub(in super::super) language: String,
    /// The database.
    pub(in super::super) database: String,
    /// The client's hardware address.
    pub(in super::super) client_id: [u8; 6],
    /// The first message of integrated authentication.
    pub(in super::super) sspi: Vec<u8>,
    /// A file to be attached as a database.
    pub(in super::super) attach: String,
    /// The password that the client wants from now on.
    pub(in super::super) new_password: String,
    /// Features that it asks for: number and data.
    pub(in super::super) features: Vec<(u8, Vec<u8>)>,
}

/// Undoes the obfuscation of passwords: XOR with A5, then the halves of each byte change places.
pub(in super::super) fn deobfuscate(bytes: &[u8]) -> String {
    let clear: Vec<u8> = bytes.iter().map(|byte| (byte ^ 0xa5).rotate_left(4)).collect();
    utf16_lossy(&clear)
}

impl Login {
    /// Reads it.
    pub(in super::super) fn read(body: &[u8]) -> Result<Login, Unparsed> {
        let mut fixed = Reader::new(body, "LOGIN7");
        let _length = fixed.u32()?;
        let version = fixed.u32()?;
        let packet_size = fixed.u32()?;
        let client_version = fixed.u32()?;
        let process = fixed.u32()?;
        let _connection = fixed.u32()?;
        let flags: [u8; 4] = [fixed.u8()?, fixed.u8()?, fixed.u8()?, fixed.u8()?];
        let mut table = Reader::new(body.get(TABLE..).unwrap_or_default(), "LOGIN7");
        let mut field = |what: &'static str| -> Result<&[u8], Unparsed> {
            let (offset, count) = (usize::from(table.u16()?), usize::from(table.u16()?));
            if count > LONGEST_NAME {
                return Err(Unparsed::TooLarge(what));
            }
            // Clients leave the offset of what is empty as it comes.
            if count == 0 {
                return Ok(&[]);
            }
            body.get(offset..offset + count * 2).ok_or(Unparsed::OutOfRange(what))
        };
        let host = utf16_lossy(field("host name")?);
        let user = utf16_lossy(field("user name")?);
        let password = deobfuscate(field("password")?);
        let application = utf16_lossy(field("application name")?);
        let server = utf16_lossy(field("server name")?);
        let (extension_at, extension_length) = (usize::from(table.u16()?), usize::from(table.u16()?));
        let mut field = |what: &'static str| -> Result<&[u8], Unparsed> {
            let (offset, count) = (usize::from(table.u16()?), usize::from(table.u16()?));
            if count > LONGEST_NAME {
                return Err(Unparsed::TooLarge(what));
            }
            if count == 0 {
                return Ok(&[]);
            }
            body.get(offset..offset + count * 2).ok_or(Unparsed::OutOfRange(what))
        };
        let library = utf16_lossy(field("library name")?);
        let language = utf16_lossy(field("language")?);
        let database = utf16_lossy(field("database")?);
        let mut client_id = [0; 6];
        client_id.copy_from_slice(table.take(6)?);
        let (sspi_at, sspi_short) = (usize::from(table.u16()?), usize::from(table.u16()?));
        // What follows came with later versions; an old client's table ends here.
        let mut late = |password: bool| -> String {
            let (Ok(offset), Ok(count)) = (table.u16(), table.u16()) else { return String::new() };
            let (offset, count) = (usize::from(offset), usize::from(count).min(LONGEST_NAME));
            let bytes = body.get(offset..offset + count * 2).unwrap_or_default();
            if password { deobfuscate(bytes) } else { utf16_lossy(bytes) }
        };
        let tabled = version >> 24;
        let attach = if tabled >= 0x70 { late(false) } else { String::new() };
        let new_password = if tabled >= 0x72 { late(true) } else { String::new() };
        let long = if tabled >= 0x72 { table.u32().unwrap_or(0) } else { 0 };
        let sspi_length = if sspi_short == usize::from(u16::MAX) && long > 0 {
            usize::try_from(long).unwrap_or(usize::MAX)
        } else {
            sspi_short
        };
        let sspi = match sspi_length {
            0 => Vec::new(),
            length => sspi_at
                .checked_add(length)
                .and_then(|end| body.get(sspi_at..end))
                .ok_or(Unparsed::OutOfRange("SSPI message"))?
                .to_vec(),
        };
        let extended = flags[3] & 0x10 != 0 && extension_length >= 4;
        let features = if extended { features(body, extension_at) } else { Vec::new() };
        Ok(Login {
            version,
            packet_size,
            client_version,
            process,
            database_required: flags[0] & 0x40 != 0,
            integrated: flags[1] & 0x80 != 0,
            flags,
            host,
            user,
            password,
            application,
            server,
            library,
            language,
            database,
            client_id,
            sspi,
            attach,
            new_password,
            features,
        })
    }
}

/// The user and the password of a login from before 7.0: fields of thirty bytes and their length. Scanners
/// still send it; no server since 2012 takes it.
pub(in super::super) fn old_login(body: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let field = |place: usize| {
        let at = place * 31;
        let length = usize::from(*body.get(at + 30)?).min(30);
        Some(body.get(at..at + length)?.to_vec())
    };
    Some((field(1)?, field(2)?))
}

/// The features that a client asks for; `ibExtension` points to where the list is (section 2.2.6.4,
/// FeatureExt).
fn features(body: &[u8], at: usize) -> Vec<(u8, Vec<u8>)> {
    let mut features = Vec::new();
    let Some(offset) = body.get(at..at + 4) else { return features };
    let offset = Reader::new(offset, "feature list").u32().unwrap_or(0);
    let Some(list) = usize::try_from(offset).ok().and_then(|offset| body.get(offset..)) else {
        return features;
    };
    let mut list = Reader::new(list, "feature list");
    while features.len() < 32 {
        let Ok(number) = list.u8() else { break };
        if number == 0xff {
            break;
        }
        let Ok(length) = list.u32() else { break };
        let Ok(data) = list.take(usize::try_from(length).unwrap_or(usize::MAX)) else { break };
        features.push((number, data.to_vec()));
    }
    features
}
