//! How many connections a decky holds at once, in all and per source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::limits::Limits;

/// Counts the connections of one decky. The table has an entry only for sources that are connected now,
/// so it is bounded by the bound on connections.
#[derive(Debug)]
pub struct Admission {
    total: usize,
    per_source: usize,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    total: usize,
    sources: HashMap<IpAddr, usize>,
}

/// Which bound a connection ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Its name, for the event.
    pub limit: &'static str,
    /// How many there are.
    pub count: usize,
}

/// A place that was granted; dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    source: IpAddr,
}

impl Admission {
    /// No connections yet.
    pub fn new(limits: &Limits) -> Admission {
        Admission {
            total: limits.connections,
            per_source: limits.connections_per_source,
            now: Mutex::new(Now::default()),
        }
    }

    /// Takes a place for a connection from `source`.
    ///
    /// # Errors
    /// The bound that is reached.
    pub fn enter(self: &Arc<Self>, source: IpAddr) -> Result<Place, Full> {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now.total >= self.total {
            return Err(Full { limit: "connections", count: now.total });
        }
        let from_source = now.sources.get(&source).copied().unwrap_or(0);
        if from_source >= self.per_source {
            return Err(Full { limit: "connections per source", count: from_source });
        }
        now.sources.insert(source, from_source + 1);
        now.total += 1;
        Ok(Place { admission: Arc::clone(self), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut now = self.admission.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        now.total = now.total.saturating_sub(1);
        if let Some(count) = now.sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                now.sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_and_places_come_back() {
        let limits = Limits { connections: 3, connections_per_source: 2, ..Limits::default() };
        let admission = Arc::new(Admission::new(&limits));
        let (a, b): (IpAddr, IpAddr) = ([198, 51, 100, 1].into(), [198, 51, 100, 2].into());
        let first = admission.enter(a).unwrap();
        let _second = admission.enter(a).unwrap();
        assert_eq!(admission.enter(a).unwrap_err(), Full { limit: "connections per source", count: 2 });
        let third = admission.enter(b).unwrap();
        assert_eq!(admission.enter(b).unwrap_err(), Full { limit: "connections", count: 3 });
        drop(third);
        drop(first);
        let _fourth = admission.enter(a).unwrap();
        assert_eq!(admission.now.lock().unwrap().sources.len(), 1);
    }
}
