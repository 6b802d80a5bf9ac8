//! The few files of the server that its own functions reach. Nothing is read or written outside.

use super::persona::Persona;
use super::product::{Postgres, error};
use crate::sql::{SqlError, Value};

fn absolute(persona: &Persona, path: &str) -> String {
    let path = path.replace('\\', "/");
    let drive = path.as_bytes().get(1) == Some(&b':');
    if path.starts_with('/') || drive {
        path
    } else {
        format!("{}/{}", persona.data, path.trim_start_matches("./"))
    }
}

/// What a file holds; `Err` with the text of the system where it cannot be opened.
fn content(product: &Postgres<'_>, path: &str) -> Result<String, (&'static str, &'static str)> {
    let persona = product.persona;
    let full = absolute(persona, path);
    let config = &persona.config;
    let missing = Err(("58P01", "No such file or directory"));
    let denied = Err(("42501", "Permission denied"));
    if full == format!("{}/PG_VERSION", persona.data) {
        return Ok(format!("{}\n", persona.release.major()));
    }
    if full == format!("{config}/pg_hba.conf") {
        let method = match persona.method {
            super::persona::Method::Md5 => "md5",
            super::persona::Method::Scram => "scram-sha-256",
            super::persona::Method::Password => "password",
        };
        return Ok(format!(
            "local   all             postgres                                peer\n\
             local   all             all                                     peer\n\
             host    all             all             127.0.0.1/32            {method}\n\
             host    all             all             0.0.0.0/0               {method}\n"
        ));
    }
    if full == format!("{config}/postgresql.conf") {
        let mut text = String::new();
        for name in
            ["data_directory", "hba_file", "ident_file", "listen_addresses", "port", "max_connections", "ssl"]
        {
            text.push_str(&format!("{name} = '{}'\n", product.setting(name).unwrap_or_default()));
        }
        return Ok(text);
    }
    if persona.windows {
        return missing;
    }
    match full.as_str() {
        "/etc/passwd" => {
            let home = persona.data.rsplit_once('/').map_or("/var/lib/postgresql", |(home, _)| {
                home.rsplit_once('/').map_or(home, |(home, _)| {
                    if home.ends_with("lib") { "/var/lib/postgresql" } else { home }
                })
            });
            Ok(format!(
                "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
                 bin:x:2:2:bin:/bin:/usr/sbin/nologin\nsys:x:3:3:sys:/dev:/usr/sbin/nologin\n\
                 mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n\
                 www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
                 sshd:x:104:65534::/run/sshd:/usr/sbin/nologin\n\
                 postgres:x:108:115:PostgreSQL administrator,,,:{home}:/bin/bash\n"
            ))
        }
        "/etc/hostname" => Ok(String::new()),
        "/etc/shadow" | "/etc/gshadow" | "/etc/sudoers" | "/proc/1/environ" => denied,
        path if path.starts_with("/root/") => denied,
        _ => missing,
    }
}

/// `pg_read_file` and its kin, with offset and length.
pub(crate) fn read(product: &Postgres<'_>, path: &str, arguments: &[Value]) -> Result<Vec<u8>, SqlError> {
    let bytes = content(product, path)
        .map_err(|(code, why)| error(code, format!("could not open file \"{path}\" for reading: {why}")))?
        .into_bytes();
    let number = |at: usize| arguments.get(at).and_then(Value::integer).and_then(|n| usize::try_from(n).ok());
    Ok(match (number(1), number(2)) {
        (Some(offset), Some(length)) => bytes.into_iter().skip(offset).take(length).collect(),
        _ => bytes,
    })
}

/// The same error as `lo_import` words it.
pub(crate) fn for_import(failed: SqlError, path: &str) -> SqlError {
    match failed {
        SqlError::Product { code, message } => {
            let why = message.rsplit(": ").next().unwrap_or_default();
            error(&code, format!("could not open server file \"{path}\": {why}"))
        }
        other => other,
    }
}

/// `pg_stat_file`.
pub(crate) fn stat(product: &Postgres<'_>, path: &str) -> Result<String, SqlError> {
    match content(product, path) {
        Ok(text) => {
            let at = crate::sql::moment::timestamp(product.state.started);
            let at = at.get(..19).unwrap_or(&at).to_owned();
            Ok(format!("({},\"{at}+00\",\"{at}+00\",\"{at}+00\",,f)", text.len()))
        }
        Err((_, why)) => Err(error("58P01", format!("could not stat file \"{path}\": {why}"))),
    }
}

/// `pg_ls_dir`.
pub(crate) fn list(product: &Postgres<'_>, path: &str) -> Result<Vec<&'static str>, SqlError> {
    let full = absolute(product.persona, path);
    let full = full.trim_end_matches(['/', '.']);
    if full == product.persona.data {
        return Ok(vec![
            "base",
            "global",
            "pg_commit_ts",
            "pg_dynshmem",
            "pg_logical",
            "pg_multixact",
            "pg_notify",
            "pg_replslot",
            "pg_serial",
            "pg_snapshots",
            "pg_stat",
            "pg_stat_tmp",
            "pg_subtrans",
            "pg_tblspc",
            "pg_twophase",
            "PG_VERSION",
            "pg_wal",
            "pg_xact",
            "postgresql.auto.conf",
            "postmaster.opts",
            "postmaster.pid",
        ]);
    }
    if !product.persona.windows {
        match full {
            "" => {
                return Ok(vec![
                    "bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "proc", "root", "run",
                    "sbin", "srv", "sys", "tmp", "usr", "var",
                ]);
            }
            "/tmp" => return Ok(vec![]),
            "/root" => {
                return Err(error(
                    "42501",
                    format!("could not open directory \"{path}\": Permission denied"),
                ));
            }
            _ => {}
        }
    }
    Err(error("58P01", format!("could not open directory \"{path}\": No such file or directory")))
}

/// Whether the server could write there.
pub(crate) fn writable(product: &Postgres<'_>, path: &str) -> Result<(), SqlError> {
    let full = absolute(product.persona, path);
    let open = ["/tmp/", "/var/tmp/", "/dev/shm/", product.persona.data.as_str()];
    if open.iter().any(|place| full.starts_with(place)) {
        return Ok(());
    }
    Err(error("42501", format!("could not create server file \"{path}\": Permission denied")))
}
