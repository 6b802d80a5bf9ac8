//! Who is known to the server.

use decnet_core::identity::Identity;
use decnet_core::seed::Draw;

use super::LoginAccount;
use crate::mssql::persona::Persona;

/// A GUID in its text form.
pub(super) fn guid(draw: &mut Draw) -> String {
    let text = draw.text("0123456789ABCDEF", 32);
    // Version 4, as NewID makes them.
    format!("{}-{}-4{}-A{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}

/// The logins of a fresh installation, and those of the config.
pub(super) fn logins(identity: &Identity, persona: &Persona, installed: i64) -> Vec<LoginAccount> {
    let mut draw = identity.draw(&["mssql", "sids"]);
    let released = crate::sql::moment::parse("2003-04-08 09:10:35.460").unwrap_or(0);
    let login = |name: &str, kind: char, id: i64, sid: Vec<u8>, made: i64| LoginAccount {
        name: name.to_owned(),
        password: None,
        kind,
        disabled: false,
        sysadmin: true,
        id,
        sid,
        made,
    };
    let mut logins = vec![login("sa", 'S', 1, vec![1], released)];
    for (id, name) in [
        (2, "public"),
        (3, "sysadmin"),
        (4, "securityadmin"),
        (5, "serveradmin"),
        (6, "setupadmin"),
        (7, "processadmin"),
        (8, "diskadmin"),
        (9, "dbcreator"),
        (10, "bulkadmin"),
    ] {
        let mut role = login(
            name,
            'R',
            id,
            vec![id as u8],
            crate::sql::moment::parse("2009-04-13 12:59:06.030").unwrap_or(0),
        );
        role.sysadmin = false;
        logins.push(role);
    }
    let mut id = 256;
    let mut add = |name: String, kind: char, logins: &mut Vec<LoginAccount>| {
        let size = if kind == 'S' { 16 } else { 28 };
        let mut sid = vec![0; size];
        draw.fill(&mut sid);
        id += 1;
        logins.push(login(&name, kind, id, sid, installed));
    };
    add("##MS_PolicyEventProcessingLogin##".to_owned(), 'S', &mut logins);
    add("##MS_PolicyTsqlExecutionLogin##".to_owned(), 'S', &mut logins);
    for login in logins.iter_mut().filter(|login| login.name.starts_with("##")) {
        login.disabled = true;
        login.sysadmin = false;
    }
    if persona.windows {
        add(format!("{}\\Administrator", persona.ntlm.names().netbios_domain), 'U', &mut logins);
        for name in ["NT SERVICE\\SQLWriter", "NT SERVICE\\Winmgmt", "NT SERVICE\\MSSQLSERVER"] {
            add(name.to_owned(), 'U', &mut logins);
        }
        add("NT AUTHORITY\\SYSTEM".to_owned(), 'U', &mut logins);
        if let Some(login) = logins.last_mut() {
            login.sysadmin = false;
        }
        if !persona.edition.starts_with("Express") {
            add("NT SERVICE\\SQLSERVERAGENT".to_owned(), 'U', &mut logins);
        }
    }
    for (name, password) in &persona.users {
        if let Some(known) = logins.iter_mut().find(|login| login.name.eq_ignore_ascii_case(name)) {
            known.password = Some(password.clone());
            continue;
        }
        add(name.clone(), if name.contains('\\') { 'U' } else { 'S' }, &mut logins);
        if let Some(login) = logins.last_mut() {
            login.password = Some(password.clone());
        }
    }
    // Where nobody may log in with it, sa was switched off when it was installed.
    if let Some(sa) = logins.first_mut() {
        sa.disabled = sa.password.is_none();
    }
    logins
}
