//! Parameters (`SHOW`, `pg_settings`, ParameterStatus).

use super::persona::Persona;
use super::product::Postgres;
use super::state::State;
use super::tables::all;
use crate::sql::{Kind, Table, Value};

/// The locale of the cluster.
pub(crate) const LOCALE: &str = "en_US.UTF-8";
/// The time zone of the server and of every session.
pub(crate) const ZONE: &str = "Etc/UTC";

/// The postmaster's process, some time before the first client's.
pub(crate) fn postmaster(state: &State) -> i64 {
    600 + state.started.div_euclid(1_000_000).rem_euclid(300)
}

/// What differs from the release's own value.
fn own(persona: &Persona, name: &str) -> Option<String> {
    Some(match name {
        "server_version" => persona.version.clone(),
        "server_version_num" => persona.release.number().to_string(),
        "data_directory" => persona.data.clone(),
        "config_file" => format!("{}/postgresql.conf", persona.config),
        "hba_file" => format!("{}/pg_hba.conf", persona.config),
        "ident_file" => format!("{}/pg_ident.conf", persona.config),
        "ssl" => if persona.tls { "on" } else { "off" }.to_owned(),
        "ssl_cert_file" if persona.tls => "/etc/ssl/certs/ssl-cert-snakeoil.pem".to_owned(),
        "ssl_key_file" if persona.tls => "/etc/ssl/private/ssl-cert-snakeoil.key".to_owned(),
        "listen_addresses" => "*".to_owned(),
        "port" => "5432".to_owned(),
        "unix_socket_directories" if persona.windows => String::new(),
        "unix_socket_directories" => "/var/run/postgresql".to_owned(),
        "password_encryption" if persona.release.since(14) => "scram-sha-256".to_owned(),
        "password_encryption" if persona.release.since(10) => "md5".to_owned(),
        "password_encryption" => "on".to_owned(),
        "lc_collate" | "lc_ctype" | "lc_messages" | "lc_monetary" | "lc_numeric" | "lc_time" => {
            LOCALE.to_owned()
        }
        "timezone" | "log_timezone" => ZONE.to_owned(),
        "cluster_name" if persona.config.starts_with("/etc/postgresql") => {
            format!("{}/main", persona.release.major())
        }
        "external_pid_file" if persona.config.starts_with("/etc/postgresql") => {
            format!("/var/run/postgresql/{}-main.pid", persona.release.major())
        }
        "application_name" => String::new(),
        "client_encoding" | "server_encoding" => "UTF8".to_owned(),
        _ => return None,
    })
}

/// A parameter as SHOW prints it, before a connection changed it.
pub(crate) fn value(persona: &Persona, state: &State, name: &str) -> Option<String> {
    if let Some(value) = state.settings.get(name) {
        return Some(value.clone());
    }
    if let Some(value) = own(persona, name) {
        return Some(value);
    }
    let table = all().get("pg_settings")?;
    let at = |name: &str| table.columns.iter().position(|column| column.name == name).unwrap_or(0);
    let row = table
        .rows
        .iter()
        .find(|row| matches!(&row[0], Value::Text(own) if own.eq_ignore_ascii_case(name)))?;
    let setting = row[at("setting")].to_string();
    let unit = match &row[at("unit")] {
        Value::Text(unit) => unit.to_string(),
        _ => String::new(),
    };
    Some(shown(&setting, &unit))
}

/// A number with its unit, in the largest one that fits (`config_units` of the product).
fn shown(setting: &str, unit: &str) -> String {
    let Ok(number) = setting.parse::<i64>() else { return setting.to_owned() };
    let (scale, units): (i64, &[(&str, i64)]) = match unit {
        "8kB" => (8, &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)]),
        "kB" => (1, &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)]),
        "MB" => (1 << 10, &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10)]),
        "B" => (1, &[("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)]),
        "ms" => (1, &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)]),
        "s" => (1_000, &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)]),
        "min" => (60_000, &[("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)]),
        _ => return setting.to_owned(),
    };
    if number <= 0 {
        return setting.to_owned();
    }
    let whole = number.saturating_mul(scale);
    units
        .iter()
        .find(|(_, size)| whole % size == 0)
        .map_or_else(|| setting.to_owned(), |(name, size)| format!("{}{name}", whole / size))
}

/// Whether only superusers and `pg_read_all_settings` may see a parameter.
pub(crate) fn is_secret(name: &str) -> bool {
    let Some(table) = all().get("pg_settings") else { return false };
    let _ = table;
    matches!(
        name,
        "data_directory"
            | "config_file"
            | "hba_file"
            | "ident_file"
            | "external_pid_file"
            | "unix_socket_directories"
            | "listen_addresses"
            | "dynamic_library_path"
            | "krb_server_keyfile"
            | "log_directory"
            | "log_filename"
            | "primary_conninfo"
            | "session_preload_libraries"
            | "shared_preload_libraries"
            | "stats_temp_directory"
            | "syslog_ident"
    )
}

/// The rows of `pg_settings`.
pub(crate) fn rows(product: &Postgres<'_>, table: &mut Table) {
    let at = |name: &str| table.columns.iter().position(|column| column.name == name).unwrap_or(0);
    let (setting, reset) = (at("setting"), at("reset_val"));
    let (file, line) = (at("sourcefile"), at("sourceline"));
    let superuser = product.superuser();
    table.rows.retain(|row| superuser || !is_secret(&row[0].to_string()));
    for row in &mut table.rows {
        let name = row[0].to_string().to_lowercase();
        let value =
            product.settings.get(&name).cloned().or_else(|| product.state.settings.get(&name).cloned());
        if let Some(value) = value.or_else(|| own(product.persona, &name)) {
            row[setting] = Value::text(&value);
            row[reset] = Value::text(value);
        }
        row[file] = Value::Null;
        row[line] = Value::Null;
    }
    debug_assert!(table.columns.iter().all(|column| column.kind != Kind::Blob));
}

/// What every client is told at login, in the product's order.
pub(crate) fn status(product: &Postgres<'_>) -> Vec<(&'static str, String)> {
    let release = product.persona.release;
    let get = |name: &str| product.setting(name).unwrap_or_default();
    let mut out =
        vec![("application_name", get("application_name")), ("client_encoding", get("client_encoding"))];
    out.push(("DateStyle", product.setting("datestyle").unwrap_or_else(|| "ISO, MDY".to_owned())));
    if release.since(14) {
        out.push(("default_transaction_read_only", get("default_transaction_read_only")));
        out.push(("in_hot_standby", "off".to_owned()));
    }
    out.push(("integer_datetimes", "on".to_owned()));
    if (release.0, release.1) >= (8, 4) {
        out.push(("IntervalStyle", "postgres".to_owned()));
    }
    out.push(("is_superuser", if product.superuser() { "on" } else { "off" }.to_owned()));
    if release.since(18) {
        out.push(("search_path", get("search_path")));
    }
    out.push(("server_encoding", "UTF8".to_owned()));
    out.push(("server_version", product.persona.version.clone()));
    out.push(("session_authorization", product.session_user.to_owned()));
    out.push(("standard_conforming_strings", get("standard_conforming_strings")));
    out.push(("TimeZone", get("timezone")));
    if release.since(17) {
        out.push(("scram_iterations", "4096".to_owned()));
    }
    out
}
