//! Variables and status counters.

use decnet_core::identity::Identity;

use super::persona::{Persona, Release};
use super::store::State;
use crate::host::Host;

/// The variables of a server as SHOW GLOBAL VARIABLES lists them.
pub(crate) fn variables(host: &Host, persona: &Persona, state: &State) -> Vec<(String, String)> {
    let table = if persona.maria() {
        include_str!("data/variables-mariadb.tsv")
    } else {
        include_str!("data/variables-mysql.tsv")
    };
    let places = &persona.places;
    let identity = host.identity();
    let mut list: Vec<(String, String)> = table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(name, _)| exists(persona, name))
        .map(|(name, value)| (name.to_owned(), fill(host, persona, state, value)))
        .collect();
    for (name, value) in &mut list {
        let placed = match name.as_str() {
            "basedir" => &places.basedir,
            "plugin_dir" => &places.plugin_dir,
            "secure_file_priv" => &places.secure_file_priv,
            "log_error" => &places.log_error,
            _ => "",
        };
        if !placed.is_empty() {
            placed.clone_into(value);
        }
        if let Some(own) = of_release(persona, name) {
            own.clone_into(value);
        }
    }
    if persona.fold_names {
        for (name, value) in &mut list {
            match name.as_str() {
                "lower_case_table_names" => "1".clone_into(value),
                "lower_case_file_system" => "ON".clone_into(value),
                "tmpdir" => "C:\\Windows\\TEMP".clone_into(value),
                _ => {}
            }
        }
    }
    let _: &Identity = identity;
    for (name, value) in &state.globals {
        if let Some(entry) = list.iter_mut().find(|(known, _)| known == name) {
            entry.1.clone_from(value);
        }
    }
    list
}

/// Whether a release has a variable.
fn exists(persona: &Persona, name: &str) -> bool {
    let release = persona.release;
    if persona.maria() {
        return match name {
            _ if name.starts_with("wsrep_") => release.since(10, 1),
            _ if name.starts_with("aria_") => release.since(5, 1),
            "log_slow_query" | "log_slow_query_file" | "log_slow_query_time" => release.since(10, 11),
            "character_set_collations" => release.since(11, 2),
            _ => true,
        };
    }
    match name {
        "activate_all_roles_on_login"
        | "mandatory_roles"
        | "partial_revokes"
        | "admin_port"
        | "mysqlx_port"
        | "password_require_current"
        | "password_history"
        | "version_compile_zlib"
        | "transaction_isolation"
        | "transaction_read_only"
            if name.starts_with("transaction") =>
        {
            release >= Release(5, 7, 20)
        }
        "activate_all_roles_on_login"
        | "mandatory_roles"
        | "partial_revokes"
        | "admin_port"
        | "mysqlx_port"
        | "password_require_current"
        | "password_history"
        | "version_compile_zlib" => release.since(8, 0),
        _ if name.starts_with("caching_sha2") => release.since(8, 0),
        "server_uuid" | "gtid_mode" => release.since(5, 6),
        "default_authentication_plugin" => release.since(5, 7),
        "auto_generate_certs" | "require_secure_transport" | "super_read_only" => release.since(5, 7),
        "performance_schema" => release.since(5, 5),
        _ => true,
    }
}

/// The default of an older release, where it differs.
fn of_release(persona: &Persona, name: &str) -> Option<&'static str> {
    let latin = persona.charset == 8;
    if latin {
        match name {
            "character_set_database" | "character_set_server" => return Some("latin1"),
            "collation_database" | "collation_server" => return Some("latin1_swedish_ci"),
            _ => {}
        }
    }
    if persona.maria() {
        return match name {
            "tls_version" if !persona.release.since(10, 4) => Some("TLSv1.1,TLSv1.2"),
            _ => None,
        };
    }
    if persona.release.since(8, 0) {
        return None;
    }
    match name {
        "character_set_client" | "character_set_connection" | "character_set_results" => Some("utf8"),
        "character_set_system" => Some("utf8"),
        "collation_connection" => Some("utf8_general_ci"),
        "default_authentication_plugin" => Some("mysql_native_password"),
        "max_allowed_packet" => Some(if persona.release.since(5, 6) { "4194304" } else { "1048576" }),
        "log_bin" | "event_scheduler" | "explicit_defaults_for_timestamp" => Some("OFF"),
        "have_query_cache" => Some("YES"),
        "local_infile" => Some("ON"),
        "innodb_autoinc_lock_mode" => Some("1"),
        "sql_mode" if persona.release.since(5, 7) => Some(
            "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
        ),
        "sql_mode" => Some(if persona.release.since(5, 6) { "NO_ENGINE_SUBSTITUTION" } else { "" }),
        "table_open_cache" => Some("2000"),
        "tls_version" => Some("TLSv1,TLSv1.1,TLSv1.2"),
        _ => None,
    }
}

/// A value with what is the host's own put in.
fn fill(host: &Host, persona: &Persona, state: &State, value: &str) -> String {
    if !value.contains('{') {
        return value.to_owned();
    }
    let identity = host.identity();
    let mut uuid = identity.draw(&["mysql", "uuid"]).text("0123456789abcdef", 32);
    for at in [8, 13, 18, 23] {
        uuid.insert(at, '-');
    }
    // The first UUID of version 1 that a server makes for itself.
    uuid.replace_range(14..15, "1");
    uuid.replace_range(19..20, "a");
    let places = &persona.places;
    let utc = identity.times.timezone.eq_ignore_ascii_case("UTC") || identity.times.timezone == "Etc/UTC";
    let zone = if utc { "UTC".to_owned() } else { zone(&identity.times.timezone) };
    let ssl = if persona.tls.is_some() { "YES" } else { "DISABLED" };
    let os = identity.os.version.as_str();
    let library =
        if os.starts_with("12") { "OpenSSL 3.0.11 19 Sep 2023" } else { "OpenSSL 1.1.1k  FIPS 25 Mar 2021" };
    let revision = identity.draw(&["mariadb revision", &persona.version]).text("0123456789abcdef", 40);
    let uid = identity
        .draw(&["mysql", "uid"])
        .text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 27)
        + "=";
    [
        ("{datadir}", places.datadir.as_str()),
        ("{basedir}", &places.basedir),
        ("{socket}", &places.socket),
        ("{pid_file}", &places.pid_file),
        ("{plugin_dir}", &places.plugin_dir),
        ("{secure_file_priv}", &places.secure_file_priv),
        ("{log_error}", &places.log_error),
        ("{hostname}", &identity.names.hostname),
        ("{port}", &state.port.to_string()),
        ("{version}", &persona.version),
        ("{number}", &persona.number()),
        ("{comment}", &persona.comment),
        ("{compile_os}", &places.compile_os),
        ("{machine}", &identity.os.architecture),
        ("{zone}", &zone),
        ("{uuid}", &uuid),
        ("{uid}", &uid),
        ("{revision}", &revision),
        ("{ssl_library}", library),
        ("{have_ssl}", ssl),
        ("{fold_files}", "OFF"),
        ("{fold_names}", "0"),
        ("{tmpdir}", "/tmp"),
    ]
    .iter()
    .fold(value.to_owned(), |text, (key, with)| text.replace(key, with))
}

/// The letters of a time zone as `tzname` has them.
fn zone(name: &str) -> String {
    match name {
        "Europe/London" | "Europe/Dublin" | "Europe/Lisbon" => "GMT",
        "Europe/Athens" | "Europe/Helsinki" | "Europe/Bucharest" | "Europe/Kiev" | "Europe/Sofia" => "EET",
        "Europe/Moscow" | "Europe/Istanbul" => "+03",
        "America/New_York" | "America/Toronto" => "EST",
        "America/Chicago" => "CST",
        "America/Denver" => "MST",
        "America/Los_Angeles" => "PST",
        "Asia/Tokyo" => "JST",
        "Asia/Kolkata" => "IST",
        _ if name.starts_with("Europe/") => "CET",
        _ => "UTC",
    }
    .to_owned()
}

/// The counters of SHOW GLOBAL STATUS.
pub(crate) fn status(host: &Host, persona: &Persona, state: &State) -> Vec<(String, String)> {
    let uptime = host.clock.seconds() - state.started;
    let verb = |name: &str| state.verbs.get(name).copied().unwrap_or(0);
    include_str!("data/status-mariadb.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(name, _)| {
            persona.maria()
                || !["Aria_", "wsrep_", "Feature_", "Acl_", "Rpl_semi_sync"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        })
        .map(|(name, value)| {
            let value = match name {
                "Uptime" | "Uptime_since_flush_status" => uptime.to_string(),
                "Questions" | "Queries" => state.questions.to_string(),
                "Connections" => state.next_connection.to_string(),
                "Threads_connected" => state.live.len().to_string(),
                "Threads_created" => (state.next_connection / 40 + 4).to_string(),
                "Max_used_connections" => state.live.len().max(4).to_string(),
                "Com_select" => (state.questions / 2 + verb("select")).to_string(),
                "Com_insert" => (state.questions / 9 + verb("insert")).to_string(),
                "Com_update" => (state.questions / 11 + verb("update")).to_string(),
                "Com_delete" => (state.questions / 60 + verb("delete")).to_string(),
                "Bytes_received" => (state.questions * 131).to_string(),
                "Bytes_sent" => (state.questions * 907).to_string(),
                _ => value.to_owned(),
            };
            (name.to_owned(), value)
        })
        .collect()
}
