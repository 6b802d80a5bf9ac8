//! Values: strings, lists, hashes and sets, with the encodings that OBJECT ENCODING shows.

use std::collections::{BTreeSet, VecDeque};

use super::{Dict, Stream, Zset};
use crate::redis::codec::number;

/// What an element costs besides its bytes.
const ELEMENT: usize = 16;

/// A value of a key.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Bytes. The flag says that they were changed in place, which makes the product keep them raw.
    String(Vec<u8>, bool),
    /// LPUSH and kin.
    List(List),
    /// HSET and kin.
    Hash(Hash),
    /// SADD and kin.
    Set(Set),
    /// ZADD and kin.
    Zset(Zset),
    /// XADD and kin.
    Stream(Box<Stream>),
}

/// The type of a value, as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `string`
    String,
    /// `list`
    List,
    /// `hash`
    Hash,
    /// `set`
    Set,
    /// `zset`
    Zset,
    /// `stream`
    Stream,
}

impl Shape {
    /// The word of TYPE.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Shape::String => "string",
            Shape::List => "list",
            Shape::Hash => "hash",
            Shape::Set => "set",
            Shape::Zset => "zset",
            Shape::Stream => "stream",
        }
    }
}

/// The sizes up to which the product packs a value, from its configuration, and what it calls the forms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoding {
    /// Release 7 writes `listpack` where older ones write `ziplist`.
    pub(crate) listpack: bool,
    /// Release 7.2 packs small sets and small lists into one listpack.
    pub(crate) packs_sets: bool,
    /// `hash-max-listpack-entries`, `hash-max-listpack-value`
    pub(crate) hash: (usize, usize),
    /// `set-max-intset-entries`
    pub(crate) intset: usize,
    /// `zset-max-listpack-entries`, `zset-max-listpack-value`
    pub(crate) zset: (usize, usize),
}

impl Encoding {
    const fn packed(self) -> &'static str {
        if self.listpack { "listpack" } else { "ziplist" }
    }
}

impl Value {
    /// A string.
    pub(crate) fn string(bytes: impl Into<Vec<u8>>) -> Value {
        Value::String(bytes.into(), false)
    }

    /// Its type.
    pub(crate) const fn shape(&self) -> Shape {
        match self {
            Value::String(..) => Shape::String,
            Value::List(_) => Shape::List,
            Value::Hash(_) => Shape::Hash,
            Value::Set(_) => Shape::Set,
            Value::Zset(_) => Shape::Zset,
            Value::Stream(_) => Shape::Stream,
        }
    }

    /// Elements, or bytes of a string.
    pub(crate) fn len(&self) -> usize {
        match self {
            Value::String(bytes, _) => bytes.len(),
            Value::List(list) => list.items.len(),
            Value::Hash(hash) => hash.len(),
            Value::Set(set) => set.len(),
            Value::Zset(zset) => zset.len(),
            Value::Stream(stream) => stream.len(),
        }
    }

    /// Whether a value of this kind ends with its last element.
    pub(crate) fn vanishes(&self) -> bool {
        match self {
            Value::String(..) | Value::Stream(_) => false,
            other => other.len() == 0,
        }
    }

    /// Bytes that it takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Value::String(bytes, _) => bytes.len(),
            Value::List(list) => list.bytes + list.items.len() * ELEMENT,
            Value::Hash(hash) => hash.bytes + hash.len() * 3 * ELEMENT,
            Value::Set(set) => set.weight(),
            Value::Zset(zset) => zset.weight(),
            Value::Stream(stream) => stream.weight(),
        }
    }

    /// What OBJECT ENCODING says.
    pub(crate) fn encoding(&self, rules: Encoding) -> &'static str {
        match self {
            Value::String(_, true) => "raw",
            Value::String(bytes, false) if number(bytes).is_some() => "int",
            Value::String(bytes, false) if bytes.len() <= 44 => "embstr",
            Value::String(..) => "raw",
            Value::List(list) if rules.packs_sets && list.bytes + list.items.len() * 3 < 8192 => "listpack",
            Value::List(_) => "quicklist",
            Value::Hash(hash) => {
                if hash.len() <= rules.hash.0 && hash.longest <= rules.hash.1 {
                    rules.packed()
                } else {
                    "hashtable"
                }
            }
            Value::Set(Set::Integers(_)) => "intset",
            Value::Set(Set::Small(_)) => "listpack",
            Value::Set(Set::Table(_)) => "hashtable",
            Value::Zset(zset) => {
                if zset.len() <= rules.zset.0 && zset.longest() <= rules.zset.1 {
                    rules.packed()
                } else {
                    "skiplist"
                }
            }
            Value::Stream(_) => "stream",
        }
    }
}

/// A list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    items: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl List {
    /// The elements, head first.
    pub(crate) fn items(&self) -> &VecDeque<Vec<u8>> {
        &self.items
    }

    /// Adds at an end.
    pub(crate) fn push(&mut self, item: Vec<u8>, head: bool) {
        self.bytes += item.len();
        if head { self.items.push_front(item) } else { self.items.push_back(item) }
    }

    /// Takes from an end.
    pub(crate) fn pop(&mut self, head: bool) -> Option<Vec<u8>> {
        let item = if head { self.items.pop_front() } else { self.items.pop_back() }?;
        self.bytes -= item.len();
        Some(item)
    }

    /// Replaces the element at `index`, which must exist to have an effect.
    pub(crate) fn set(&mut self, index: usize, item: Vec<u8>) {
        if let Some(place) = self.items.get_mut(index) {
            self.bytes = self.bytes - place.len() + item.len();
            *place = item;
        }
    }

    /// Puts an element before `index`.
    pub(crate) fn insert(&mut self, index: usize, item: Vec<u8>) {
        self.bytes += item.len();
        self.items.insert(index.min(self.items.len()), item);
    }

    /// Takes out the element at `index`.
    pub(crate) fn remove(&mut self, index: usize) {
        if let Some(item) = self.items.remove(index) {
            self.bytes -= item.len();
        }
    }

    /// Keeps the elements from `from` to before `to`.
    pub(crate) fn keep(&mut self, from: usize, to: usize) {
        self.items.truncate(to);
        self.items.drain(..from.min(self.items.len()));
        self.bytes = self.items.iter().map(Vec::len).sum();
    }
}

impl FromIterator<Vec<u8>> for List {
    fn from_iter<T: IntoIterator<Item = Vec<u8>>>(items: T) -> List {
        let mut list = List::default();
        items.into_iter().for_each(|item| list.push(item, false));
        list
    }
}

/// How many fields a hash holds in the order of insertion before it becomes a table.
const SMALL: usize = 128;

/// A hash: small ones keep the order of insertion, as the packed form does.
#[derive(Clone, Debug)]
pub(crate) struct Hash {
    small: Vec<(Vec<u8>, Vec<u8>)>,
    table: Option<Dict<Vec<u8>>>,
    seed: u64,
    bytes: usize,
    longest: usize,
}

impl Hash {
    /// An empty one.
    pub(crate) fn new(seed: u64) -> Hash {
        Hash { small: Vec::new(), table: None, seed, bytes: 0, longest: 0 }
    }

    /// Fields.
    pub(crate) fn len(&self) -> usize {
        self.table.as_ref().map_or(self.small.len(), Dict::len)
    }

    /// The value of a field.
    pub(crate) fn get(&self, field: &[u8]) -> Option<&Vec<u8>> {
        match &self.table {
            Some(table) => table.get(field),
            None => self.small.iter().find(|(name, _)| name == field).map(|(_, value)| value),
        }
    }

    /// Sets a field; whether it is new.
    pub(crate) fn set(&mut self, field: &[u8], value: Vec<u8>) -> bool {
        self.longest = self.longest.max(field.len()).max(value.len());
        self.bytes += value.len();
        if self.table.is_none()
            && (self.small.len() >= SMALL || self.longest > 64)
            && !self.small.iter().any(|(name, _)| name == field)
        {
            let mut table = Dict::new(self.seed);
            for (name, value) in self.small.drain(..) {
                table.insert(&name, value);
            }
            self.table = Some(table);
        }
        let old = match &mut self.table {
            Some(table) => table.insert(field, value),
            None => match self.small.iter_mut().find(|(name, _)| name == field) {
                Some((_, old)) => Some(std::mem::replace(old, value)),
                None => {
                    self.small.push((field.to_vec(), value));
                    None
                }
            },
        };
        match old {
            Some(old) => {
                self.bytes -= old.len();
                false
            }
            None => {
                self.bytes += field.len();
                true
            }
        }
    }

    /// Takes a field out.
    pub(crate) fn remove(&mut self, field: &[u8]) -> Option<Vec<u8>> {
        let value = match &mut self.table {
            Some(table) => table.remove(field),
            None => {
                let place = self.small.iter().position(|(name, _)| name == field)?;
                Some(self.small.remove(place).1)
            }
        }?;
        self.bytes -= field.len() + value.len();
        Some(value)
    }

    /// Fields and values.
    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = (&[u8], &[u8])> + '_> {
        match &self.table {
            Some(table) => Box::new(table.iter().map(|(name, value)| (name, value.as_slice()))),
            None => Box::new(self.small.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))),
        }
    }

    /// HSCAN: the packed form comes whole.
    pub(crate) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], &[u8])) -> u64 {
        match &self.table {
            Some(table) => table.scan(cursor, count, |name, value| visit(name, value)),
            None => {
                self.small.iter().for_each(|(name, value)| visit(name, value));
                0
            }
        }
    }
}

/// A set, in the product's three forms.
#[derive(Clone, Debug)]
pub(crate) enum Set {
    /// Only integers, sorted.
    Integers(BTreeSet<i64>),
    /// Few and short members in the order of insertion; release 7.2 and later.
    Small(Vec<Vec<u8>>),
    /// The general form.
    Table(SetTable),
}

/// The table of a large set and the bytes in it.
#[derive(Clone, Debug)]
pub(crate) struct SetTable {
    members: Dict<()>,
    bytes: usize,
}

impl Set {
    /// An empty set.
    pub(crate) fn new() -> Set {
        Set::Integers(BTreeSet::new())
    }

    /// Members.
    pub(crate) fn len(&self) -> usize {
        match self {
            Set::Integers(set) => set.len(),
            Set::Small(members) => members.len(),
            Set::Table(table) => table.members.len(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Set::Integers(set) => set.len() * 40,
            Set::Small(members) => members.iter().map(|member| member.len() + 2 * ELEMENT).sum(),
            Set::Table(table) => table.bytes + table.members.len() * 3 * ELEMENT,
        }
    }

    /// Whether it is a member.
    pub(crate) fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Integers(set) => number(member).is_some_and(|number| set.contains(&number)),
            Set::Small(members) => members.iter().any(|other| other == member),
            Set::Table(table) => table.members.contains(member),
        }
    }

    /// Adds a member; whether it is new.
    pub(crate) fn add(&mut self, member: &[u8], rules: Encoding, seed: u64) -> bool {
        if self.contains(member) {
            return false;
        }
        if let Set::Integers(set) = self {
            match number(member) {
                Some(number) if set.len() < rules.intset => {
                    set.insert(number);
                    return true;
                }
                _ => {
                    let members: Vec<Vec<u8>> =
                        set.iter().map(|number| number.to_string().into_bytes()).collect();
                    *self = if rules.packs_sets && members.len() < SMALL && member.len() <= 64 {
                        Set::Small(members)
                    } else {
                        Set::table(members, seed)
                    };
                }
            }
        }
        if let Set::Small(members) = self {
            if members.len() < SMALL && member.len() <= 64 {
                members.push(member.to_vec());
                return true;
            }
            *self = Set::table(std::mem::take(members), seed);
        }
        if let Set::Table(table) = self {
            table.bytes += member.len();
            table.members.insert(member, ());
        }
        true
    }

    fn table(members: Vec<Vec<u8>>, seed: u64) -> Set {
        let mut table = SetTable { members: Dict::new(seed), bytes: 0 };
        for member in members {
            table.bytes += member.len();
            table.members.insert(&member, ());
        }
        Set::Table(table)
    }

    /// Takes a member out; whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Integers(set) => number(member).is_some_and(|number| set.remove(&number)),
            Set::Small(members) => match members.iter().position(|other| other == member) {
                Some(place) => {
                    members.remove(place);
                    true
                }
                None => false,
            },
            Set::Table(table) => {
                let removed = table.members.remove(member).is_some();
                if removed {
                    table.bytes -= member.len();
                }
                removed
            }
        }
    }

    /// The members, in the order of the form.
    pub(crate) fn members(&self) -> Vec<Vec<u8>> {
        match self {
            Set::Integers(set) => set.iter().map(|number| number.to_string().into_bytes()).collect(),
            Set::Small(members) => members.clone(),
            Set::Table(table) => table.members.iter().map(|(member, ())| member.to_vec()).collect(),
        }
    }

    /// One member.
    pub(crate) fn random(&self, mut number: impl FnMut(usize) -> usize) -> Option<Vec<u8>> {
        match self {
            Set::Integers(set) => {
                let place = number(set.len().max(1));
                set.iter().nth(place).map(|number| number.to_string().into_bytes())
            }
            Set::Small(members) => members.get(number(members.len().max(1))).cloned(),
            Set::Table(table) => table.members.random(number).map(|(member, ())| member.to_vec()),
        }
    }

    /// SSCAN: the packed forms come whole.
    pub(crate) fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(&[u8])) -> u64 {
        match self {
            Set::Table(table) => table.members.scan(cursor, count, |member, ()| visit(member)),
            other => {
                other.members().iter().for_each(|member| visit(member));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Encoding =
        Encoding { listpack: true, packs_sets: false, hash: (512, 64), intset: 512, zset: (128, 64) };

    #[test]
    fn encodings_follow_size_and_release() {
        assert_eq!(Value::string("12").encoding(RULES), "int");
        assert_eq!(Value::string("012").encoding(RULES), "embstr");
        assert_eq!(Value::string(vec![b'a'; 45]).encoding(RULES), "raw");
        assert_eq!(Value::String(b"1".to_vec(), true).encoding(RULES), "raw");
        let mut set = Set::new();
        set.add(b"3", RULES, 1);
        set.add(b"1", RULES, 1);
        assert_eq!(set.members(), [b"1".to_vec(), b"3".to_vec()]);
        assert_eq!(Value::Set(set.clone()).encoding(RULES), "intset");
        let mut packed = set.clone();
        packed.add(b"x", Encoding { packs_sets: true, ..RULES }, 1);
        assert_eq!(Value::Set(packed).encoding(RULES), "listpack");
        set.add(b"x", RULES, 1);
        assert_eq!(Value::Set(set.clone()).encoding(RULES), "hashtable");
        assert!(set.remove(b"3") && !set.remove(b"3") && set.len() == 2);
        let mut hash = Hash::new(1);
        assert!(hash.set(b"f", b"v".to_vec()) && !hash.set(b"f", b"w".to_vec()));
        assert_eq!(Value::Hash(hash.clone()).encoding(Encoding { listpack: false, ..RULES }), "ziplist");
        hash.set(b"g", vec![b'x'; 65]);
        assert_eq!(Value::Hash(hash).encoding(RULES), "hashtable");
    }

    #[test]
    fn bytes_are_counted_both_ways() {
        let mut hash = Hash::new(1);
        for i in 0..300u32 {
            hash.set(&i.to_be_bytes(), vec![0; i as usize]);
        }
        for i in 0..300u32 {
            assert!(hash.remove(&i.to_be_bytes()).is_some());
        }
        assert_eq!((hash.len(), hash.bytes), (0, 0));
        let mut list: List = (0..9).map(|i| vec![0; i]).collect();
        list.insert(3, vec![0; 50]);
        list.set(3, vec![0; 2]);
        list.remove(0);
        list.keep(1, 4);
        assert_eq!(list.bytes, list.items.iter().map(Vec::len).sum::<usize>());
        while list.pop(true).is_some() {}
        assert_eq!(list.bytes, 0);
    }
}
