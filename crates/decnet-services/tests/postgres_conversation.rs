//! PostgreSQL as a client sees it, byte by byte.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;

use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::MemorySink;
use decnet_logging::event::Body;
use decnet_services::server::Server;
use decnet_services::testing::{connect, decky, host, identity, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const PRODUCT: &[(&str, &str, &str, &str)] = &[("postgres", "postgresql", "15.18", "Debian 15.18-0+deb12u1")];

fn decoy(values: &[(&str, &str)]) -> (Arc<decnet_services::host::Host>, Arc<dyn Server>) {
    let host = host(decky(identity(OsFamily::Linux, 3, PRODUCT), 3, &[("postgres", values)]));
    let server: Arc<dyn Server> = Arc::from(server(&host, "postgres"));
    (host, server)
}

fn open(values: &[(&str, &str)]) -> (DuplexStream, Arc<MemorySink>) {
    let (host, server) = decoy(values);
    let (client, sink, _) = connect(&host, server, Port::tcp(5432));
    (client, sink)
}

fn startup(version: u32, parameters: &[&str]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for text in parameters {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut out = (body.len() as u32 + 4).to_be_bytes().to_vec();
    out.extend(body);
    out
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

/// Messages up to one of the wanted type.
async fn until(client: &mut DuplexStream, wanted: u8) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    loop {
        let kind = client.read_u8().await.unwrap();
        let mut body = vec![0; client.read_u32().await.unwrap() as usize - 4];
        client.read_exact(&mut body).await.unwrap();
        out.push((kind, body));
        if kind == wanted {
            return out;
        }
    }
}

async fn login(client: &mut DuplexStream, database: &str) {
    client.write_all(&startup(0x0003_0000, &["user", "postgres", "database", database])).await.unwrap();
    assert_eq!(until(client, b'R').await[0].1, 3u32.to_be_bytes());
    client.write_all(&message(b'p', b"secret\0")).await.unwrap();
    let told = until(client, b'Z').await;
    let version = b"server_version\x0015.18 (Debian 15.18-0+deb12u1)\0".to_vec();
    assert!(told.contains(&(b'S', version)));
}

async fn query(client: &mut DuplexStream, text: &str) -> String {
    client.write_all(&message(b'Q', format!("{text}\0").as_bytes())).await.unwrap();
    let told = until(client, b'Z').await;
    told.iter().map(|(kind, body)| format!("{}{}|", *kind as char, String::from_utf8_lossy(body))).collect()
}

const OPEN: &[(&str, &str)] = &[("users", "postgres:secret"), ("auth", "password"), ("databases", "shop")];

#[tokio::test]
async fn garbage_is_refused_with_the_line_of_the_release() {
    let (mut client, _) = open(&[]);
    client.write_all(b"\0\0\0\x0c\xff\x53MBr\0\0\0").await.unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    // Captured from Debian's 15.18.
    let real = b"E\0\0\0\x8bSFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol 65363.19778: server supports 3.0 \
                 to 3.0\0Fpostmaster.c\0L2222\0RProcessStartupPacket\0\0";
    assert_eq!(String::from_utf8_lossy(&all), String::from_utf8_lossy(real));
}

#[tokio::test]
async fn scram_is_asked_for_from_14_on_and_tls_only_where_it_is_on() {
    let (mut client, _) = open(&[("tls", "no")]);
    client.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'N');
    client.write_all(&startup(0x0003_0000, &["user", "nobody"])).await.unwrap();
    assert_eq!(until(&mut client, b'R').await[0].1, b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let (mut client, _) = open(&[("pg_version", "13.5")]);
    client.write_all(&startup(0x0003_0000, &["user", "nobody"])).await.unwrap();
    assert_eq!(until(&mut client, b'R').await[0].1[..4], 5u32.to_be_bytes());
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_reported() {
    let (mut client, sink) = open(OPEN);
    client.write_all(&startup(0x0003_0000, &["user", "postgres"])).await.unwrap();
    until(&mut client, b'R').await;
    client.write_all(&message(b'p', b"guess\0")).await.unwrap();
    let told = until(&mut client, b'E').await;
    let text = String::from_utf8_lossy(&told[0].1).into_owned();
    assert!(
        text.contains("C28P01\0Mpassword authentication failed for user \"postgres\"\0Fauth.c\0"),
        "{text}"
    );
    let tried = sink.reports().into_iter().any(|report| {
        matches!(report.body, Body::AuthAttempt { credential, .. } if credential.password.as_deref() == Some("guess"))
    });
    assert!(tried);
}

#[tokio::test]
async fn blocks_errors_and_changes_are_the_products() {
    let (mut client, _) = open(OPEN);
    login(&mut client, "postgres").await;
    let told = query(&mut client, "begin; select 1/0; select 1").await;
    assert!(told.contains("C22012\0Mdivision by zero") && told.ends_with("ZE|"), "{told}");
    assert!(query(&mut client, "select 1").await.contains("C25P02"));
    assert!(query(&mut client, "rollback").await.ends_with("CROLLBACK\0|ZI|"));
    query(&mut client, "begin; create table t (a int); rollback").await;
    assert!(query(&mut client, "select * from t").await.contains("relation \"t\" does not exist\0P15"));
    query(&mut client, "create table readme (note text); insert into readme values ('pay')").await;
    assert!(query(&mut client, "select note from readme").await.contains("pay"));
}

#[tokio::test]
async fn breaking_out_is_answered_and_reported() {
    let (mut client, sink) = open(OPEN);
    login(&mut client, "postgres").await;
    query(&mut client, "create table o (line text)").await;
    assert!(query(&mut client, "copy o from program 'id'").await.contains("CCOPY 1"));
    assert!(query(&mut client, "select line from o").await.contains("(postgres)"));
    let names: Vec<String> = sink
        .reports()
        .into_iter()
        .filter_map(|report| match report.body {
            Body::ExploitAttempt { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["postgres.copy_program"]);
}
