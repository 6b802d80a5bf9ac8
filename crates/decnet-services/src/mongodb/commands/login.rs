//! Logging in: SCRAM (RFC 5802), the challenge of the releases before 3.0 (MONGODB-CR), PLAIN; users.

use decnet_logging::event::{Body, Credential, Outcome};
use md5::{Digest, Md5};

use super::{Call, Client, State, mechanism};
use crate::mongodb::codec::bson::hex;
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;
use crate::scram;

/// `scramIterationCount` and `scramSHA256IterationCount`: the defaults.
const ITERATIONS: (u32, u32) = (10_000, 15_000);

/// A SCRAM conversation under way.
pub(crate) struct Exchange {
    server: scram::Server,
    user: String,
    database: String,
    /// Whether the client leaves the last, empty exchange out.
    short: bool,
    done: bool,
    accepted: bool,
    method: &'static str,
}

pub(super) fn execute(
    state: &mut State,
    client: &mut Client,
    call: &Call<'_>,
    name: &str,
) -> Result<Document, Fault> {
    match name {
        "saslStart" => start(state, client, call.database, call.body),
        "saslContinue" => go_on(state, client, call.body),
        "getnonce" => {
            client.nonce = hex(&state.host.entropy.bytes::<8>());
            Ok(Document::new().with("nonce", client.nonce.as_str()))
        }
        "authenticate" => challenge(state, client, call),
        "logout" => {
            client.user = None;
            Ok(Document::new())
        }
        "connectionStatus" => {
            let users = client.user.iter().map(|(user, database)| {
                Value::Document(Document::new().with("user", user.as_str()).with("db", database.as_str()))
            });
            let roles = client
                .user
                .iter()
                .map(|_| Value::Document(Document::new().with("role", "root").with("db", "admin")));
            let about = Document::new()
                .with("authenticatedUsers", users.collect::<Vec<_>>())
                .with("authenticatedUserRoles", roles.collect::<Vec<_>>());
            Ok(Document::new().with("authInfo", about))
        }
        "usersInfo" => Ok(users(state, client, call)),
        "createUser" => {
            let user = call.body.text("createUser").unwrap_or("").to_owned();
            let password = call.body.text("pwd").unwrap_or("").to_owned();
            let credential = Credential::password("createUser", user.as_bytes(), password.as_bytes());
            client.note(Body::AuthAttempt { credential, outcome: Outcome::Accepted });
            client.note(Body::StateChanged {
                object: format!("user {user}@{}", call.database),
                old: None,
                new: "created".to_owned(),
            });
            Ok(Document::new())
        }
        "dropUser" => {
            let user = call.body.text("dropUser").unwrap_or("");
            Err(Fault::new(11, format!("User '{user}@{}' not found", call.database)))
        }
        "rolesInfo" => Ok(Document::new().with("roles", Vec::new())),
        _ => Ok(Document::new()),
    }
}

fn users(state: &State, client: &mut Client, call: &Call<'_>) -> Document {
    let wanted = match call.body.0.first().map(|(_, value)| value) {
        Some(Value::Text(name)) => Some(name.as_str()),
        Some(Value::Document(user)) => user.text("user"),
        _ => None,
    };
    let known = state
        .persona
        .users
        .iter()
        .filter(|(user, _)| call.database == "admin" && wanted.is_none_or(|wanted| wanted == user));
    let list: Vec<Value> = known
        .map(|(user, _)| {
            let roles = vec![Value::Document(Document::new().with("role", "root").with("db", "admin"))];
            let mut id = state.host.identity().draw(&["mongodb", "user", user]).bytes::<16>();
            id[6] = id[6] & 0x0f | 0x40;
            id[8] = id[8] & 0x3f | 0x80;
            Value::Document(
                Document::new()
                    .with("_id", format!("admin.{user}"))
                    .with("userId", Value::Binary(4, id.to_vec()))
                    .with("user", user.as_str())
                    .with("db", "admin")
                    .with("roles", roles)
                    .with("mechanisms", vec![Value::from("SCRAM-SHA-1"), Value::from("SCRAM-SHA-256")]),
            )
        })
        .collect();
    client.rows += list.len() as u64;
    Document::new().with("users", list)
}

fn failed() -> Fault {
    Fault::new(18, "Authentication failed.")
}

/// What is hashed in place of a password in SCRAM-SHA-1 and MONGODB-CR.
fn digested(user: &str, password: &str) -> String {
    hex(&Md5::digest(format!("{user}:mongo:{password}")))
}

fn payload(body: &Document) -> &[u8] {
    match body.get("payload") {
        Some(Value::Binary(_, bytes)) => bytes,
        Some(Value::Text(text)) => text.as_bytes(),
        _ => b"",
    }
}

/// `saslStart`, also within `hello`.
pub(crate) fn start(
    state: &mut State,
    client: &mut Client,
    database: &str,
    body: &Document,
) -> Result<Document, Fault> {
    let name = body.text("mechanism").unwrap_or("");
    let known = mechanism(name).filter(|known| {
        state.persona.since(4, 0) || *known == scram::Algorithm::Sha1 && state.persona.since(3, 0)
    });
    let Some(algorithm) = known else {
        if name == "PLAIN" {
            // The password stands in it, and clients that are set so send it unasked.
            let mut parts = payload(body).split(|byte| *byte == 0).skip(1);
            let (user, password) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
            let credential = Credential {
                domain: Some(database.to_owned()),
                ..Credential::password("plain", user, password)
            };
            client.note(Body::AuthAttempt { credential, outcome: Outcome::Failed });
        }
        return Err(if state.persona.since(4, 2) {
            Fault::new(334, format!("Unsupported mechanism '{name}' on authentication database '{database}'"))
        } else {
            Fault::bad(format!("Unsupported mechanism {name}"))
        });
    };
    let first = scram::ClientFirst::parse(payload(body)).map_err(|_| failed())?;
    let user = first.user.clone();
    let account = state.persona.users.iter().find(|(known, _)| *known == user && database == "admin");
    let (iterations, length) = match algorithm {
        scram::Algorithm::Sha1 => (ITERATIONS.0, 16),
        scram::Algorithm::Sha256 => (ITERATIONS.1, 28),
    };
    let secret: [u8; 32] = state.host.identity().draw(&["mongodb", "salts", algorithm.name()]).bytes();
    let salt = scram::mock_salt(&secret, &format!("{database}.{user}"), length);
    let password = account.map(|(user, password)| {
        scram::Account::Password(match algorithm {
            scram::Algorithm::Sha1 => digested(user, password),
            scram::Algorithm::Sha256 => password.clone(),
        })
    });
    let mut server =
        scram::Server::new(algorithm, &state.host.entropy.bytes::<24>(), password, salt, iterations);
    let answer = server.first(payload(body)).map_err(|_| failed())?;
    let short = body.document("options").is_some_and(|options| options.truth("skipEmptyExchange"));
    client.exchange = Some(Exchange {
        server,
        user,
        database: database.to_owned(),
        short,
        done: false,
        accepted: false,
        method: match algorithm {
            scram::Algorithm::Sha1 => "scram-sha-1",
            scram::Algorithm::Sha256 => "scram-sha-256",
        },
    });
    Ok(Document::new()
        .with("conversationId", 1)
        .with("done", false)
        .with("payload", Value::Binary(0, answer)))
}

fn go_on(state: &State, client: &mut Client, body: &Document) -> Result<Document, Fault> {
    let Some(mut exchange) = client.exchange.take() else {
        return Err(Fault::new(17, "No SASL session state found"));
    };
    if exchange.done {
        if exchange.accepted {
            client.user = Some((exchange.user, exchange.database));
        }
        return Ok(Document::new()
            .with("conversationId", 1)
            .with("done", true)
            .with("payload", Value::Binary(0, Vec::new())));
    }
    let outcome = exchange.server.last(payload(body)).map_err(|_| failed())?;
    let hash = outcome.transcript.line(&exchange.user);
    let mut credential = Credential::hash(exchange.method, exchange.user.as_bytes(), hash, exchange.method);
    credential.domain = Some(exchange.database.clone());
    let accepted = outcome.accepted;
    // The password is known where it is the account's own.
    if accepted
        && let Some((_, password)) = state.persona.users.iter().find(|(user, _)| *user == exchange.user)
    {
        credential = Credential {
            domain: Some(exchange.database.clone()),
            ..Credential::password(exchange.method, exchange.user.as_bytes(), password.as_bytes())
        };
    }
    client.note(Body::AuthAttempt {
        credential,
        outcome: if accepted { Outcome::Accepted } else { Outcome::Failed },
    });
    if !accepted {
        return Err(failed());
    }
    client.note(Body::SessionStarted { username: exchange.user.clone(), privilege: "root".to_owned() });
    exchange.done = true;
    exchange.accepted = true;
    let short = exchange.short;
    if short {
        client.user = Some((exchange.user.clone(), exchange.database.clone()));
    } else {
        client.exchange = Some(exchange);
    }
    Ok(Document::new()
        .with("conversationId", 1)
        .with("done", short)
        .with("payload", Value::Binary(0, outcome.server_final)))
}

/// MONGODB-CR: the MD5 of nonce, user and the digested password.
fn challenge(state: &State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let user = call.body.text("user").unwrap_or("").to_owned();
    let key = call.body.text("key").unwrap_or("").to_owned();
    let nonce = std::mem::take(&mut client.nonce);
    let name = call.body.text("mechanism").unwrap_or("MONGODB-CR");
    if name == "MONGODB-X509" {
        return Err(failed());
    }
    let own = state.persona.users.iter().find(|(known, password)| {
        *known == user && key == hex(&Md5::digest(format!("{nonce}{user}{}", digested(&user, password))))
    });
    // Users that a release since 3.0 made have no such credentials.
    let accepted = own.is_some() && !nonce.is_empty() && !state.persona.since(3, 0);
    let line = format!("$mongodb-cr$*{user}*{nonce}*{key}");
    let mut credential = Credential::hash("mongodb-cr", user.as_bytes(), line, "mongodb-cr");
    credential.domain = Some(call.database.to_owned());
    client.note(Body::AuthAttempt {
        credential,
        outcome: if accepted { Outcome::Accepted } else { Outcome::Failed },
    });
    if accepted {
        client.note(Body::SessionStarted { username: user.clone(), privilege: "root".to_owned() });
        client.user = Some((user.clone(), call.database.to_owned()));
        return Ok(Document::new().with("dbname", call.database).with("user", user));
    }
    if state.persona.since(4, 0) {
        return Err(Fault::new(
            334,
            format!("Unsupported mechanism '{name}' on authentication database '{}'", call.database),
        ));
    }
    Err(if state.persona.since(3, 0) { failed() } else { Fault::new(18, "auth fails") })
}
