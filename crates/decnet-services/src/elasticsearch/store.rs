//! What the cluster holds: indices, documents, templates, settings, scrolls. One per decky, shared by all its
//! connections; everything that an intruder can make grow is bounded here.

use std::collections::{BTreeMap, HashMap};

use super::codec::json::{Json, object, wildcard};
use super::error::EsError;
use super::persona::uuid;

/// Most bytes of documents, mappings, templates and settings that intruders may add. Beyond it the node
/// behaves as one whose disk is full.
pub(super) const ADDED_BYTES: usize = 16 * 1024 * 1024;
/// Most documents that intruders may add.
pub(super) const ADDED_DOCUMENTS: usize = 10_000;
/// Most shards, the product's `cluster.max_shards_per_node`.
pub(super) const SHARDS: u64 = 1000;
/// Most scrolls at once: the product's `search.max_open_scroll_context`.
pub(super) const SCROLLS: usize = 500;
/// Most templates, pipelines, repositories, scripts and aliases together.
pub(super) const NAMED: usize = 500;
/// Most fields of a mapping: the product's `index.mapping.total_fields.limit`.
pub(super) const FIELDS: usize = 1000;

/// A document.
#[derive(Clone, Debug)]
pub(super) struct Doc {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) seq: u64,
    pub(super) source: Json,
    pub(super) size: usize,
}

/// An index.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) uuid: String,
    /// Milliseconds since 1970.
    pub(super) created: i64,
    pub(super) shards: u64,
    pub(super) replicas: u64,
    pub(super) open: bool,
    /// Settings below `index.` that were given, flat.
    pub(super) settings: BTreeMap<String, Json>,
    /// `properties` and whatever else a mapping has.
    pub(super) mapping: Json,
    /// The type of a 6.x.
    pub(super) kind: String,
    pub(super) aliases: BTreeMap<String, Json>,
    docs: Vec<Option<Doc>>,
    ids: HashMap<String, usize>,
    pub(super) next_seq: u64,
    pub(super) deleted: u64,
    pub(super) searches: u64,
    pub(super) indexed: u64,
    /// Planted by us.
    pub(super) planted: bool,
    added: usize,
}

impl Index {
    /// An empty one.
    pub(super) fn new(name: &str, uuid: String, created: i64, shards: u64) -> Index {
        Index {
            name: name.to_owned(),
            uuid,
            created,
            shards,
            replicas: 1,
            open: true,
            settings: BTreeMap::new(),
            mapping: Json::empty(),
            kind: "_doc".to_owned(),
            aliases: BTreeMap::new(),
            docs: Vec::new(),
            ids: HashMap::new(),
            next_seq: 0,
            deleted: 0,
            searches: 0,
            indexed: 0,
            planted: false,
            added: 0,
        }
    }

    /// The documents in the order in which they came.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Doc> {
        self.docs.iter().flatten()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// One of them.
    pub(super) fn document(&self, id: &str) -> Option<&Doc> {
        self.ids.get(id).and_then(|at| self.docs.get(*at)?.as_ref())
    }

    /// Puts a document there; its version and sequence number, and whether it is new.
    pub(super) fn put(&mut self, id: &str, source: Json) -> (u64, u64, bool) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.indexed += 1;
        learn(&mut self.mapping, &source);
        let size = source.size();
        let old = self.ids.get(id).copied();
        let version = old.and_then(|at| self.docs[at].as_ref()).map_or(1, |doc| doc.version + 1);
        let doc = Doc { id: id.to_owned(), version, seq, source, size };
        if let Some(at) = old {
            self.docs[at] = None;
            self.deleted += 1;
        }
        self.ids.insert(id.to_owned(), self.docs.len());
        self.docs.push(Some(doc));
        self.compact();
        (version, seq, old.is_none())
    }

    /// Takes a document away; its last version and the sequence number of that.
    pub(super) fn remove(&mut self, id: &str) -> Option<(u64, u64, usize)> {
        let at = self.ids.remove(id)?;
        let doc = self.docs[at].take()?;
        let seq = self.next_seq;
        self.next_seq += 1;
        self.deleted += 1;
        self.compact();
        Some((doc.version + 1, seq, doc.size))
    }

    /// Forgets the places of documents that are gone, as a merge of segments does.
    fn compact(&mut self) {
        if self.docs.len() > 64 && self.docs.len() > self.ids.len() * 2 {
            self.docs.retain(Option::is_some);
            self.ids = self
                .docs
                .iter()
                .enumerate()
                .filter_map(|(at, doc)| doc.as_ref().map(|doc| (doc.id.clone(), at)))
                .collect();
            self.deleted = 0;
        }
    }

    /// Its size on disk: what Lucene makes of the documents, roughly, and of every shard without any.
    pub(super) fn bytes(&self) -> u64 {
        let held: u64 = self.documents().map(|doc| doc.size as u64).sum();
        let used = if held > 0 { 4096 + held * 3 / 5 + self.deleted * 120 } else { 0 };
        self.shards * 225 + used
    }

    /// Whether that name is one of its aliases.
    fn called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains_key(name)
    }
}

/// What a mapping learns from a document, as with `dynamic: true`.
pub(super) fn learn(mapping: &mut Json, source: &Json) {
    if mapping
        .get("dynamic")
        .is_some_and(|value| matches!(value.keyword().as_deref(), Some("false" | "strict")))
    {
        return;
    }
    if source.members().is_empty() {
        return;
    }
    if mapping.get("properties").is_none() {
        mapping.set("properties", Json::empty());
    }
    let Some(properties) = mapping.get_mut("properties") else { return };
    for (name, value) in source.members() {
        let value = match value {
            Json::List(items) => match items.first() {
                Some(first) => first,
                None => continue,
            },
            one => one,
        };
        if matches!(value, Json::Null) {
            continue;
        }
        if properties.get(name).is_none() {
            if properties.members().len() >= FIELDS {
                continue;
            }
            let field = match value {
                Json::Bool(_) => object! { "type" => "boolean" },
                Json::Int(_) => object! { "type" => "long" },
                Json::Float(_) | Json::Single(_) => object! { "type" => "float" },
                Json::Text(text) if super::query::is_date(text) => object! { "type" => "date" },
                Json::Map(_) => Json::empty(),
                _ => object! {
                    "type" => "text",
                    "fields" => object! { "keyword" => object! { "type" => "keyword", "ignore_above" => 256 } },
                },
            };
            // The product lists the fields of a mapping by name.
            if let Json::Map(members) = properties {
                let place = members.partition_point(|(other, _)| other < name);
                members.insert(place, (name.clone(), field));
            }
        }
        if matches!(value, Json::Map(_))
            && let Some(field) = properties.get_mut(name)
            && field.get("type").is_none()
        {
            learn(field, value);
        }
    }
}

/// A scroll under way.
#[derive(Clone, Debug)]
pub(super) struct Scroll {
    /// What is left, as places.
    pub(super) hits: Vec<(String, String)>,
    pub(super) at: usize,
    pub(super) size: usize,
    pub(super) total: u64,
    /// Milliseconds since 1970.
    pub(super) ends: i64,
    pub(super) shards: u64,
    pub(super) body: Json,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    pub(super) indices: BTreeMap<String, Index>,
    /// `_template`, `_index_template`, `_component_template`, `_ingest/pipeline`, `_snapshot`, `_scripts` and
    /// the rest of what has a name, by kind.
    pub(super) named: BTreeMap<(&'static str, String), Json>,
    pub(super) persistent: Json2,
    pub(super) transient: Json2,
    pub(super) scrolls: BTreeMap<String, Scroll>,
    /// The cluster state's version.
    pub(super) version: u64,
    /// Which planted indices were read already.
    pub(super) touched: Vec<String>,
    pub(super) added_bytes: usize,
    pub(super) added_documents: usize,
    /// How many ids were given.
    pub(super) given: u64,
    /// Requests and bytes, for the statistics.
    pub(super) requests: u64,
    /// Whether the disk was told to be full.
    pub(super) full: bool,
    /// When its planted data was made.
    pub(super) ready: bool,
}

/// An object that begins empty.
#[derive(Debug)]
pub(super) struct Json2(pub(super) Json);
impl Default for Json2 {
    fn default() -> Json2 {
        Json2(Json::empty())
    }
}

/// How names of indices are looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup {
    pub(super) ignore_unavailable: bool,
    pub(super) allow_no_indices: bool,
    pub(super) hidden: bool,
}

impl Cluster {
    /// The indices that an expression names, in order.
    ///
    /// # Errors
    /// A name of no index.
    pub(super) fn resolve(&self, expression: &str, how: Lookup) -> Result<Vec<String>, EsError> {
        let mut found: Vec<String> = Vec::new();
        let parts: Vec<&str> = expression.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let all = parts.is_empty();
        for part in if all { vec!["*"] } else { parts } {
            let pattern = if part == "_all" { "*" } else { part };
            if let Some(without) = pattern.strip_prefix('-').filter(|_| !found.is_empty()) {
                found.retain(|name| !wildcard(without, name));
                continue;
            }
            if pattern.contains('*') {
                let hidden = how.hidden || pattern.starts_with('.');
                for index in self.indices.values() {
                    let hit = wildcard(pattern, &index.name) && (hidden || !index.name.starts_with('.'))
                        || index.aliases.keys().any(|alias| wildcard(pattern, alias)) && pattern != "*";
                    if hit && !found.contains(&index.name) {
                        found.push(index.name.clone());
                    }
                }
                continue;
            }
            let before = found.len();
            let mut hit = false;
            for index in self.indices.values().filter(|index| index.called(pattern)) {
                hit = true;
                if !found.contains(&index.name) {
                    found.push(index.name.clone());
                }
            }
            let _ = before;
            if !hit {
                if let Some(why) = illegal(pattern).filter(|_| pattern.starts_with('_')) {
                    return Err(invalid_name(pattern, why));
                }
                if !how.ignore_unavailable {
                    return Err(EsError::no_index(pattern));
                }
            }
        }
        if found.is_empty() && !how.allow_no_indices {
            return Err(EsError::no_index(if all { "_all" } else { expression }));
        }
        Ok(found)
    }

    /// The one index that writes to a name go to.
    pub(super) fn target(&self, name: &str) -> Option<String> {
        if self.indices.contains_key(name) {
            return Some(name.to_owned());
        }
        let mut called = self.indices.values().filter(|index| index.aliases.contains_key(name));
        called.next().map(|index| index.name.clone())
    }

    /// All shards that are there, replicas without a node included.
    pub(super) fn shards(&self) -> (u64, u64) {
        let open = self.indices.values();
        let primary: u64 = open.clone().map(|index| index.shards).sum();
        (primary, open.map(|index| index.shards * index.replicas).sum())
    }

    /// Documents, deleted documents and bytes of everything.
    pub(super) fn totals(&self) -> (u64, u64, u64) {
        self.indices.values().fold((0, 0, 0), |(docs, deleted, bytes), index| {
            (docs + index.count(), deleted + index.deleted, bytes + index.bytes())
        })
    }

    /// Room for more, or the disk is full.
    ///
    /// # Errors
    /// The block that the product puts on an index when its disk is nearly full.
    pub(super) fn room(&self, index: &str, bytes: usize, documents: usize) -> Result<(), EsError> {
        if self.added_bytes.saturating_add(bytes) <= ADDED_BYTES
            && self.added_documents + documents <= ADDED_DOCUMENTS
        {
            return Ok(());
        }
        Err(EsError::new(
            429,
            "cluster_block_exception",
            format!(
                "index [{index}] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"
            ),
        ))
    }

    /// An id for a document that was given none: 20 letters, the first of which grow with the time.
    pub(super) fn next_id(&mut self, now: i64, node: &str) -> String {
        use base64::Engine as _;
        self.given += 1;
        let mut bytes = [0u8; 15];
        let count = self.given.to_be_bytes();
        bytes[0] = count[7];
        bytes[1] = count[5];
        let time = now.to_be_bytes();
        bytes[2] = time[4];
        bytes[3] = time[3];
        bytes[4] = time[2];
        bytes[5] = time[5];
        bytes[6..12]
            .copy_from_slice(&node.as_bytes().iter().copied().chain([0; 6]).take(6).collect::<Vec<_>>());
        bytes[12] = time[7];
        bytes[13] = time[6];
        bytes[14] = count[6];
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Makes an index, with what the templates say.
    ///
    /// # Errors
    /// The name is none, is taken, or there are too many shards.
    pub(super) fn create(
        &mut self,
        name: &str,
        bytes: [u8; 16],
        now: i64,
        default_shards: u64,
        body: &Json,
    ) -> Result<(), EsError> {
        if let Some(why) = illegal(name) {
            return Err(invalid_name(name, why));
        }
        if let Some(index) = self.indices.get(name) {
            return Err(EsError::new(
                400,
                "resource_already_exists_exception",
                format!("index [{name}/{}] already exists", index.uuid),
            )
            .with("index_uuid", &index.uuid)
            .with("index", name));
        }
        if self.indices.values().any(|index| index.aliases.contains_key(name)) {
            return Err(invalid_name(name, "already exists as alias"));
        }
        let mut whole = Json::empty();
        let mut templates: Vec<(i64, Json)> = self
            .named
            .iter()
            .filter(|((kind, _), _)| matches!(*kind, "template" | "index_template"))
            .filter(|(_, template)| {
                let patterns = template.get("index_patterns").map(Json::items).unwrap_or_default();
                patterns.iter().filter_map(Json::text).any(|pattern| wildcard(pattern, name))
            })
            .map(|(_, template)| {
                let order = template.get("order").or(template.get("priority")).and_then(Json::number);
                (order.unwrap_or(0.0) as i64, template.get("template").unwrap_or(template).clone())
            })
            .collect();
        templates.sort_by_key(|(order, _)| *order);
        for (_, template) in &templates {
            for part in ["settings", "mappings", "aliases"] {
                if let Some(value) = template.get(part) {
                    let mut over = Json::empty();
                    over.set(part, value.clone());
                    whole.merge(&over);
                }
            }
        }
        whole.merge(body);
        let mut index = Index::new(name, uuid(bytes), now, default_shards);
        if let Some(settings) = whole.get("settings") {
            flatten(settings, "", &mut index.settings);
        }
        let count = |value: Option<Json>, usual: u64| {
            value.and_then(|value| value.number()).map_or(usual, |value| value.clamp(0.0, 1024.0) as u64)
        };
        index.shards = count(index.settings.remove("number_of_shards"), default_shards);
        if index.shards == 0 {
            return Err(EsError::argument(
                "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1",
            ));
        }
        index.replicas = count(index.settings.remove("number_of_replicas"), 1);
        let (primary, replicas) = self.shards();
        let more = index.shards * (1 + index.replicas);
        if primary + replicas + more > SHARDS {
            return Err(EsError::new(
                400,
                "validation_exception",
                format!(
                    "Validation Failed: 1: this action would add [{more}] total shards, but this cluster currently has [{}]/[{SHARDS}] maximum shards open;",
                    primary + replicas
                ),
            ));
        }
        let size = whole.size();
        self.room(name, size, 0)?;
        if let Some(mappings) = whole.get("mappings") {
            match mappings.members() {
                // A 6.x names the type.
                [(kind, inner)] if inner.get("properties").is_some() && kind != "properties" => {
                    index.kind = kind.clone();
                    index.mapping = inner.clone();
                }
                _ => index.mapping = mappings.clone(),
            }
        }
        for (alias, value) in whole.get("aliases").map(Json::members).unwrap_or_default().iter().take(NAMED) {
            index.aliases.insert(alias.clone(), value.clone());
        }
        index.added = size;
        self.added_bytes += size;
        self.version += 3;
        self.indices.insert(name.to_owned(), index);
        Ok(())
    }

    /// Takes an index away with everything in it.
    pub(super) fn drop_index(&mut self, name: &str) -> Option<Index> {
        let index = self.indices.remove(name)?;
        if !index.planted {
            self.added_documents = self.added_documents.saturating_sub(index.ids.len());
            let held: usize = index.documents().map(|doc| doc.size).sum();
            self.added_bytes = self.added_bytes.saturating_sub(held + index.added);
        }
        self.version += 1;
        Some(index)
    }

    /// Keeps something that has a name.
    ///
    /// # Errors
    /// There is no room.
    pub(super) fn keep(&mut self, kind: &'static str, name: &str, value: Json) -> Result<(), EsError> {
        let size = value.size() + name.len();
        self.room(name, size, 0)?;
        let old = self.named.get(&(kind, name.to_owned())).map_or(0, |old| old.size() + name.len());
        if old == 0 && self.named.len() >= NAMED {
            return self.room(name, ADDED_BYTES, 0);
        }
        self.added_bytes = (self.added_bytes + size).saturating_sub(old);
        self.version += 1;
        self.named.insert((kind, name.to_owned()), value);
        Ok(())
    }

    /// Forgets it again.
    pub(super) fn forget(&mut self, kind: &'static str, name: &str) -> bool {
        match self.named.remove(&(kind, name.to_owned())) {
            Some(value) => {
                self.added_bytes = self.added_bytes.saturating_sub(value.size() + name.len());
                self.version += 1;
                true
            }
            None => false,
        }
    }
}

/// Settings with dotted names, the leading `index.` taken off.
pub(super) fn flatten(settings: &Json, prefix: &str, out: &mut BTreeMap<String, Json>) {
    for (name, value) in settings.members().iter().take(NAMED) {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Json::Map(_) => flatten(value, &name, out),
            value => {
                let name = name.strip_prefix("index.").unwrap_or(&name);
                let value = value.keyword().map_or(value.clone(), Json::Text);
                out.insert(name.to_owned(), value);
            }
        }
    }
}

/// Why a name cannot be an index.
fn illegal(name: &str) -> Option<&'static str> {
    if name.chars().any(char::is_uppercase) {
        Some("must be lowercase")
    } else if name.starts_with('_') {
        Some("must not start with '_'.")
    } else if name.starts_with('-') {
        Some("must not start with '_', '-', or '+'")
    } else if name.contains([' ', '"', '*', '\\', '<', '|', ',', '>', '/', '?']) {
        Some("must not contain the following characters [ , \", *, \\, <, |, ,, >, /, ?]")
    } else if name.contains('#') {
        Some("must not contain '#'")
    } else if name == "." || name == ".." {
        Some("must not be '.' or '..'")
    } else if name.len() > 255 {
        Some("index name is too long")
    } else {
        None
    }
}

fn invalid_name(name: &str, why: &str) -> EsError {
    EsError::new(400, "invalid_index_name_exception", format!("Invalid index name [{name}], {why}"))
        .with("index_uuid", "_na_")
        .with("index", name)
}
