//! The extended protocol: statements and portals.

use super::*;

impl Postgres {
    pub(super) fn parse(
        &self,
        line: &mut Line,
        name: Vec<u8>,
        query: &[u8],
        types: Vec<u32>,
    ) -> Result<(), Fault> {
        let text = String::from_utf8_lossy(query).into_owned();
        let parts = split(&text);
        if parts.len() > 1 {
            return Err(errors::fault(
                "ERROR",
                "42601",
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        if !name.is_empty() && line.statements.contains_key(&name) {
            let name = String::from_utf8_lossy(&name).into_owned();
            return Err(errors::fault(
                "ERROR",
                "42P05",
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        let text = parts.first().map_or("", |part| part.text).to_owned();
        let made = plan(&text)?;
        if line.statements.len() >= NAMED_LIMIT && !line.statements.contains_key(&name) {
            return Err(errors::fault("ERROR", "53200", "out of memory"));
        }
        // Parameters that the client gave no type are counted in the text.
        let mut types = types;
        let highest = crate::postgres::run::placeholders(&text);
        types.resize(types.len().max(highest), 0);
        for (at, oid) in types.iter_mut().enumerate().filter(|(_, oid)| **oid == 0 || **oid == 705) {
            *oid = crate::postgres::run::placeholder_type(&text, at + 1);
        }
        line.statements.insert(name, Prepared { text, plan: made, types });
        line.out.message(b'1', b"");
        Ok(())
    }

    pub(super) fn bind(&self, line: &mut Line, bind: Bind) -> Result<(), Fault> {
        let Some(prepared) = line.statements.get(&bind.statement).cloned() else {
            let name = String::from_utf8_lossy(&bind.statement).into_owned();
            let text = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            return Err(errors::fault("ERROR", "26000", text));
        };
        if bind.values.len() != prepared.types.len() {
            let text = format!(
                "bind message supplies {} parameters, but prepared statement \"{}\" requires {}",
                bind.values.len(),
                String::from_utf8_lossy(&bind.statement),
                prepared.types.len()
            );
            return Err(errors::fault("ERROR", "08P01", text));
        }
        let mut values = Vec::new();
        for (at, (value, oid)) in bind.values.iter().zip(&prepared.types).enumerate() {
            let code = match bind.formats[..] {
                [] => 0,
                [one] => one,
                _ => bind.formats.get(at).copied().unwrap_or(0),
            };
            values.push(match value {
                None => Value::Null,
                Some(bytes) => format::decode(bytes, *oid, code == 1).map_err(|()| {
                    errors::fault("ERROR", "22P03", "incorrect binary data format in bind parameter")
                })?,
            });
        }
        if line.portals.len() >= NAMED_LIMIT && !line.portals.contains_key(&bind.portal) {
            return Err(errors::fault("ERROR", "53200", "out of memory"));
        }
        line.portals.insert(bind.portal, Portal { prepared, values, results: bind.results, rest: None });
        line.out.message(b'2', b"");
        Ok(())
    }

    pub(super) fn describe(&self, line: &mut Line, statement: bool, name: &[u8]) -> Result<(), Fault> {
        let shown = String::from_utf8_lossy(name).into_owned();
        let (prepared, values, results) = if statement {
            let Some(prepared) = line.statements.get(name).cloned() else {
                return Err(errors::fault(
                    "ERROR",
                    "26000",
                    format!("prepared statement \"{shown}\" does not exist"),
                ));
            };
            line.out.parameters(&prepared.types);
            let values = prepared.types.iter().map(|oid| format::sample(*oid)).collect();
            (prepared, values, Vec::new())
        } else {
            let Some(portal) = line.portals.get(name) else {
                return Err(errors::fault("ERROR", "34000", format!("portal \"{shown}\" does not exist")));
            };
            (portal.prepared.clone(), portal.values.clone(), portal.results.clone())
        };
        let now = self.host.clock.micros();
        let fields = self.with(|state| {
            line.talk.shape(&self.persona, state, &prepared.text, &prepared.plan, values, now)
        })?;
        match fields {
            Some(mut fields) => {
                formats(&mut fields, &results);
                line.out.description(&fields);
            }
            None => line.out.message(b'n', b""),
        }
        Ok(())
    }

    pub(super) async fn execute(
        &self,
        line: &mut Line,
        name: &[u8],
        limit: usize,
    ) -> io::Result<Result<(), Fault>> {
        let Some(mut portal) = line.portals.remove(name) else {
            let shown = String::from_utf8_lossy(name).into_owned();
            return Ok(Err(errors::fault("ERROR", "34000", format!("portal \"{shown}\" does not exist"))));
        };
        let (fields, rows, tag) = match portal.rest.take() {
            Some((fields, rows)) => (fields, rows, "SELECT".to_owned()),
            None => {
                let prepared = portal.prepared.clone();
                let ran = match self.run(line, &prepared.text, &prepared.plan, portal.values.clone()).await {
                    Ok(ran) => ran,
                    Err(fault) => return Ok(Err(fault)),
                };
                for notice in &ran.notices {
                    line.out.fault(notice, self.old());
                }
                for (name, value) in &ran.reported {
                    line.out.parameter(name, value);
                }
                match ran.done {
                    Done::Rows(mut fields, rows, tag) => {
                        formats(&mut fields, &portal.results);
                        (fields, rows, tag.split(' ').next().unwrap_or("SELECT").to_owned())
                    }
                    Done::Tag(tag) => {
                        line.out.complete(&tag);
                        return Ok(Ok(()));
                    }
                    Done::Empty => {
                        line.out.message(b'I', b"");
                        return Ok(Ok(()));
                    }
                    Done::CopyOut(columns, lines) => {
                        self.copy_out(line, columns, &lines).await?;
                        return Ok(Ok(()));
                    }
                    Done::CopyIn(copy) => {
                        self.copy_in(line, &copy).await?;
                        return Ok(Ok(()));
                    }
                }
            }
        };
        let count = if limit == 0 { rows.len() } else { limit.min(rows.len()) };
        let mut rows = rows;
        let rest = rows.split_off(count);
        for row in &rows {
            self.row(line, &fields, row).await?;
        }
        if rest.is_empty() {
            line.out.complete(&if tag == "SHOW" || tag == "EXPLAIN" {
                tag
            } else {
                format!("{tag} {}", rows.len())
            });
        } else {
            line.out.message(b's', b"");
            portal.rest = Some((fields, rest));
            line.portals.insert(name.to_vec(), portal);
        }
        Ok(Ok(()))
    }
}

/// The formats that a client asked for.
fn formats(fields: &mut [Field], wanted: &[u16]) {
    for (at, field) in fields.iter_mut().enumerate() {
        field.format = match wanted {
            [] => 0,
            [one] => *one,
            _ => wanted.get(at).copied().unwrap_or(0),
        };
    }
}
