//! What is stored: databases, collections, documents; bounded.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::codec::{Document, Value};
use super::fault::Fault;
use super::query::order::fingerprint;

/// Bytes that intruders may add over what was planted.
pub(crate) const ADDED_BYTES: usize = 16 * 1024 * 1024;
/// Documents that intruders may add.
pub(crate) const ADDED_DOCUMENTS: usize = 10_000;
/// Collections that intruders may add.
pub(crate) const ADDED_COLLECTIONS: usize = 1000;
/// Indexes of a collection (the product's limit).
pub(crate) const INDEXES: usize = 64;

/// A collection.
#[derive(Debug)]
pub(crate) struct Collection {
    /// Its UUID.
    pub(crate) uuid: [u8; 16],
    /// Its documents in the order in which they came.
    pub(crate) documents: Vec<Arc<Document>>,
    /// Fingerprints of their `_id`s.
    ids: HashSet<Vec<u8>>,
    /// Bytes of its documents.
    pub(crate) bytes: usize,
    /// Its indexes, `_id_` first.
    pub(crate) indexes: Vec<Document>,
    /// Options with which it was made.
    pub(crate) options: Document,
    /// Planted by us.
    pub(crate) planted: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Collections by database.
    pub(crate) databases: BTreeMap<String, BTreeMap<String, Collection>>,
    bytes: usize,
    count: usize,
    collections: usize,
    planted: (usize, usize, usize),
}

fn full() -> Fault {
    Fault::new(14031, "available disk space of 497418240 bytes is less than required minimum of 524288000")
}

impl Store {
    /// Takes what is there as planted.
    pub(crate) fn seal(&mut self) {
        self.planted = (self.bytes, self.count, self.collections);
    }

    /// Bytes and documents that are there.
    pub(crate) fn totals(&self) -> (usize, usize) {
        (self.bytes, self.count)
    }

    /// A collection.
    pub(crate) fn collection(&self, database: &str, name: &str) -> Option<&Collection> {
        self.databases.get(database)?.get(name)
    }

    /// The same to change.
    pub(crate) fn collection_mut(&mut self, database: &str, name: &str) -> Option<&mut Collection> {
        self.databases.get_mut(database)?.get_mut(name)
    }

    /// The documents of a collection.
    pub(crate) fn documents(&self, database: &str, name: &str) -> Vec<Arc<Document>> {
        self.collection(database, name).map(|collection| collection.documents.clone()).unwrap_or_default()
    }

    /// Makes a collection where there is none.
    ///
    /// # Errors
    /// A bound.
    pub(crate) fn make(
        &mut self,
        database: &str,
        name: &str,
        uuid: [u8; 16],
    ) -> Result<&mut Collection, Fault> {
        let there = self.collection(database, name).is_some();
        if !there {
            if self.planted.2 > 0 && self.collections >= self.planted.2 + ADDED_COLLECTIONS {
                return Err(full());
            }
            self.collections += 1;
        }
        let collections = self.databases.entry(database.to_owned()).or_default();
        Ok(collections.entry(name.to_owned()).or_insert_with(|| Collection {
            uuid,
            documents: Vec::new(),
            ids: HashSet::new(),
            bytes: 0,
            indexes: vec![
                Document::new().with("v", 2).with("key", Document::new().with("_id", 1)).with("name", "_id_"),
            ],
            options: Document::new(),
            planted: false,
        }))
    }

    /// Adds a document that has an `_id`.
    ///
    /// # Errors
    /// A duplicate key, or a bound.
    pub(crate) fn insert(
        &mut self,
        database: &str,
        name: &str,
        document: Document,
        release: (u32, u32),
    ) -> Result<(), Fault> {
        let size = document.size();
        if self.planted.2 > 0
            && (self.bytes + size > self.planted.0 + ADDED_BYTES
                || self.count >= self.planted.1 + ADDED_DOCUMENTS)
        {
            return Err(full());
        }
        let Some(collection) = self.collection_mut(database, name) else { return Ok(()) };
        let id = document.get("_id").unwrap_or(&Value::Null);
        if !collection.ids.insert(fingerprint(id)) {
            let shown = match id {
                Value::ObjectId(id) => format!("ObjectId('{}')", super::codec::bson::hex(id)),
                other => super::query::update::text_of(other),
            };
            let mut fault = Fault::new(
                11000,
                format!(
                    "E11000 duplicate key error collection: {database}.{name} index: _id_ dup key: {{ _id: {shown} }}"
                ),
            );
            if release < (4, 2) {
                fault.text = fault.text.replace("{ _id: ", "{ : ");
            } else {
                fault.more = Document::new()
                    .with("keyPattern", Document::new().with("_id", 1))
                    .with("keyValue", Document::new().with("_id", id.clone()));
            }
            return Err(fault);
        }
        collection.bytes += size;
        collection.documents.push(Arc::new(document));
        self.bytes += size;
        self.count += 1;
        Ok(())
    }

    /// Puts a document in the place of another with the same `_id`.
    ///
    /// # Errors
    /// A bound.
    pub(crate) fn replace(
        &mut self,
        database: &str,
        name: &str,
        at: usize,
        document: Document,
    ) -> Result<(), Fault> {
        let size = document.size();
        let limit = self.planted.0 + ADDED_BYTES;
        let total = self.bytes;
        let Some(collection) = self.collection_mut(database, name) else { return Ok(()) };
        let Some(place) = collection.documents.get_mut(at) else { return Ok(()) };
        let old = place.size();
        if size > old && total - old + size > limit {
            return Err(full());
        }
        *place = Arc::new(document);
        collection.bytes = collection.bytes - old + size;
        self.bytes = total - old + size;
        Ok(())
    }

    /// Takes the documents away for which `gone` holds; gives how many.
    pub(crate) fn delete(
        &mut self,
        database: &str,
        name: &str,
        mut gone: impl FnMut(&Document) -> bool,
    ) -> usize {
        let Some(collection) = self.collection_mut(database, name) else { return 0 };
        let (mut count, mut bytes) = (0, 0);
        let ids = &mut collection.ids;
        collection.documents.retain(|document| {
            let goes = gone(document);
            if goes {
                count += 1;
                bytes += document.size();
                ids.remove(&fingerprint(document.get("_id").unwrap_or(&Value::Null)));
            }
            !goes
        });
        collection.bytes -= bytes;
        self.bytes -= bytes;
        self.count -= count;
        count
    }

    /// Drops a collection.
    pub(crate) fn drop_collection(&mut self, database: &str, name: &str) -> Option<Collection> {
        let collections = self.databases.get_mut(database)?;
        let gone = collections.remove(name)?;
        if collections.is_empty() {
            self.databases.remove(database);
        }
        self.bytes -= gone.bytes;
        self.count -= gone.documents.len();
        self.collections -= 1;
        Some(gone)
    }

    /// Drops a database; gives its collections.
    pub(crate) fn drop_database(&mut self, database: &str) -> Vec<(String, Collection)> {
        let names: Vec<String> =
            self.databases.get(database).map(|all| all.keys().cloned().collect()).unwrap_or_default();
        names
            .into_iter()
            .filter_map(|name| self.drop_collection(database, &name).map(|gone| (name, gone)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_intruder_adds_is_bounded() {
        let mut store = Store::default();
        store.make("shop", "orders", [0; 16]).unwrap();
        store.insert("shop", "orders", Document::new().with("_id", 1), (7, 0)).unwrap();
        store.seal();
        let large = "x".repeat(1024 * 1024);
        let mut last = Ok(());
        for n in 2..40 {
            last = store.insert(
                "shop",
                "orders",
                Document::new().with("_id", n).with("x", large.as_str()),
                (7, 0),
            );
        }
        assert_eq!(last.unwrap_err().code, 14031);
        assert!(store.totals().0 <= ADDED_BYTES + 100);
        store.delete("shop", "orders", |document| document.get("x").is_some());
        assert_eq!(store.totals().1, 1);
        for n in 0..ADDED_DOCUMENTS + 5 {
            let _ = store.insert("shop", "orders", Document::new().with("_id", n as i64 + 100), (7, 0));
        }
        assert_eq!(store.totals().1, ADDED_DOCUMENTS + 1);
        for n in 0..ADDED_COLLECTIONS + 5 {
            let _ = store.make("more", &n.to_string(), [0; 16]);
        }
        assert_eq!(store.databases["more"].len(), ADDED_COLLECTIONS);
        store.drop_database("more");
        store.drop_database("shop");
        assert_eq!(store.totals(), (0, 0));
    }

    #[test]
    fn a_key_stands_once() {
        let mut store = Store::default();
        store.make("a", "b", [0; 16]).unwrap();
        store.insert("a", "b", Document::new().with("_id", 1), (7, 0)).unwrap();
        let fault = store.insert("a", "b", Document::new().with("_id", 1i64), (7, 0)).unwrap_err();
        assert_eq!(fault.code, 11000);
        assert_eq!(fault.text, "E11000 duplicate key error collection: a.b index: _id_ dup key: { _id: 1 }");
    }
}
