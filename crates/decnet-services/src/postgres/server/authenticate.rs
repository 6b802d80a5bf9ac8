//! Whether a client is let in.

use super::*;

impl Postgres {
    /// Reads one message of the authentication; `None` where the client is gone or what it says is none.
    async fn token(&self, stream: &mut dyn Stream, wanted: &str) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0u8; 5];
        if let Err(error) = stream.read_exact(&mut head).await {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        if head[0] != b'p' {
            let text = format!("expected {wanted} response, got message type {}", head[0]);
            self.refuse(stream, &self.fatal("08P01", text)).await?;
            return Ok(None);
        }
        let Ok(length) = message_length(head, AUTHENTICATION_LIMIT) else { return Ok(None) };
        let mut body = vec![0u8; length];
        stream.read_exact(&mut body).await?;
        Ok(Some(body))
    }

    /// Lets a client in, or not.
    pub(super) async fn authenticate(
        &self,
        stream: &mut dyn Stream,
        session: &Session,
        user: &str,
        end_point: Option<Vec<u8>>,
        out: &mut Replies,
    ) -> io::Result<Option<()>> {
        let password =
            self.with(|state| login::password(&self.persona, state.role(user), user).map(str::to_owned));
        let gone = |method: &str| {
            let credential =
                Credential { username: user.to_owned(), method: method.to_owned(), ..Credential::default() };
            session.emit(Body::AuthAttempt { credential, outcome: Outcome::Aborted });
        };
        let accepted = match self.persona.method {
            Method::Password => {
                out.authentication(3, b"");
                self.send(stream, out).await?;
                let Some(body) = self.token(stream, "password").await? else {
                    gone("postgres-password");
                    return Ok(None);
                };
                let given = body.strip_suffix(b"\0").unwrap_or(&body);
                let accepted = password.as_ref().is_some_and(|password| password.as_bytes() == given);
                let credential = Credential::password("postgres-password", user.as_bytes(), given);
                self.attempt(session, credential, accepted);
                accepted
            }
            Method::Md5 => {
                let salt: [u8; 4] = self.host.entropy.bytes();
                out.authentication(5, &salt);
                self.send(stream, out).await?;
                let Some(body) = self.token(stream, "password").await? else {
                    gone("postgres-md5");
                    return Ok(None);
                };
                let answer = String::from_utf8_lossy(body.strip_suffix(b"\0").unwrap_or(&body)).into_owned();
                let expected = password
                    .as_ref()
                    .map(|password| format!("md5{}", login::md5_answer(user, password, salt)));
                let accepted = expected.as_deref() == Some(answer.as_str());
                let credential = match login::md5_line(user, salt, &answer) {
                    Some(line) => Credential::hash("postgres-md5", user.as_bytes(), line, "hashcat-11100"),
                    None => Credential::password("postgres-md5", user.as_bytes(), answer.as_bytes()),
                };
                self.attempt(session, credential, accepted);
                accepted
            }
            Method::Scram => match self.scram(stream, session, user, password, end_point, out).await? {
                Some(accepted) => accepted,
                None => {
                    gone("scram-sha-256");
                    return Ok(None);
                }
            },
        };
        if accepted {
            out.authentication(0, b"");
            return Ok(Some(()));
        }
        sleep(self.host.entropy.delay(10, 60)).await;
        let text = format!("password authentication failed for user \"{user}\"");
        out.fault(&self.fatal("28P01", text), self.old());
        self.send(stream, out).await?;
        Ok(None)
    }

    fn attempt(&self, session: &Session, credential: Credential, accepted: bool) {
        let outcome = if accepted { Outcome::Accepted } else { Outcome::Failed };
        session.emit(Body::AuthAttempt { credential, outcome });
    }

    async fn scram(
        &self,
        stream: &mut dyn Stream,
        session: &Session,
        user: &str,
        password: Option<String>,
        end_point: Option<Vec<u8>>,
        out: &mut Replies,
    ) -> io::Result<Option<bool>> {
        let plus = end_point.is_some() && self.persona.release.since(11);
        let list: &[u8] = if plus { b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0" } else { b"SCRAM-SHA-256\0\0" };
        out.authentication(10, list);
        self.send(stream, out).await?;
        let Some(body) = self.token(stream, "SASL").await? else { return Ok(None) };
        let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
        let (mechanism, rest) = (&body[..end], body.get(end + 1..).unwrap_or_default());
        let bound = mechanism == b"SCRAM-SHA-256-PLUS" && plus;
        if !bound && mechanism != b"SCRAM-SHA-256" {
            let fault = self.fatal("08P01", "client selected an invalid SASL authentication mechanism");
            self.refuse(stream, &fault).await?;
            return Ok(None);
        }
        let mut nonce = [0u8; login::NONCE];
        self.host.entropy.fill(&mut nonce);
        let account = password.map(scram::Account::Password);
        let salt = login::salt(&self.persona, user);
        let mut exchange =
            scram::Server::new(scram::Algorithm::Sha256, &nonce, account, salt, login::ITERATIONS);
        if bound {
            exchange = exchange.bound(end_point.unwrap_or_default());
        }
        let first = match exchange.first(rest.get(4..).unwrap_or_default()) {
            Ok(first) => first,
            Err(error) => return self.malformed(stream, &error).await,
        };
        out.authentication(11, &first);
        self.send(stream, out).await?;
        let Some(body) = self.token(stream, "SASL").await? else { return Ok(None) };
        let outcome = match exchange.last(&body) {
            Ok(outcome) => outcome,
            Err(error) => return self.malformed(stream, &error).await,
        };
        let line = outcome.transcript.line(user);
        let credential = Credential::hash("scram-sha-256", user.as_bytes(), line, "scram-sha-256-exchange");
        self.attempt(session, credential, outcome.accepted);
        if outcome.accepted {
            out.authentication(12, &outcome.server_final);
        }
        Ok(Some(outcome.accepted))
    }

    async fn malformed(&self, stream: &mut dyn Stream, error: &scram::Error) -> io::Result<Option<bool>> {
        let mut fault = self.fatal("08P01", "malformed SCRAM message");
        if let scram::Error::Malformed(why) = error {
            fault.detail = Some(format!("{}{}.", why[..1].to_uppercase(), &why[1..]));
        }
        self.refuse(stream, &fault).await?;
        Ok(None)
    }
}
