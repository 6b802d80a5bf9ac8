//! What a client says of itself without a word: the fingerprint of Akamai ("Passive Fingerprinting of
//! HTTP/2 Clients", 2017): settings, window, priorities, order of the pseudo-header fields.

use crate::httpd::request::Field;

/// Most settings and priorities that are kept; the rest says nothing new.
const KEPT: usize = 32;

/// What the client did until its first request.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    settings: Option<Vec<(u16, u32)>>,
    opening: Option<u32>,
    priorities: Vec<(u32, u32, u8)>,
}

impl Hello {
    /// A SETTINGS frame; the first one counts.
    pub fn settings(&mut self, settings: &[(u16, u32)]) {
        if self.settings.is_none() {
            self.settings = Some(settings.iter().copied().take(KEPT).collect());
        }
    }

    /// A WINDOW_UPDATE of the connection; the first one counts.
    pub fn opening(&mut self, increment: u32) {
        self.opening.get_or_insert(increment);
    }

    /// A PRIORITY frame: the stream, what it depends on with the bit of exclusiveness, the weight as sent.
    pub fn priority(&mut self, stream: u32, dependency: u32, weight: u8) {
        if self.priorities.len() < KEPT {
            self.priorities.push((stream, dependency, weight));
        }
    }

    /// `SETTINGS|WINDOW_UPDATE|PRIORITY|order`.
    pub fn fingerprint(&self, fields: &[Field]) -> String {
        let join = |parts: Vec<String>, mark: &str| parts.join(mark);
        let settings = self.settings.iter().flatten();
        let settings = join(settings.map(|(id, value)| format!("{id}:{value}")).collect(), ";");
        let opening = self.opening.map_or_else(|| "00".to_owned(), |increment| increment.to_string());
        let priorities = self.priorities.iter().map(|(stream, dependency, weight)| {
            let (exclusive, on) = (dependency >> 31, dependency & 0x7fff_ffff);
            format!("{stream}:{exclusive}:{on}:{}", u16::from(*weight) + 1)
        });
        let mut priorities = join(priorities.collect(), ",");
        if priorities.is_empty() {
            priorities.push('0');
        }
        let order = fields.iter().filter_map(|field| match &field.name[..] {
            b":method" => Some("m"),
            b":authority" => Some("a"),
            b":scheme" => Some("s"),
            b":path" => Some("p"),
            _ => None,
        });
        let order = order.take(KEPT).collect::<Vec<_>>().join(",");
        format!("{settings}|{opening}|{priorities}|{order}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_and_a_tool_differ() {
        let fields = |names: &[&str]| -> Vec<Field> {
            names.iter().map(|name| Field { name: (*name).into(), value: Vec::new() }).collect()
        };
        let mut firefox = Hello::default();
        firefox.settings(&[(1, 65_536), (4, 131_072), (5, 16_384)]);
        firefox.settings(&[(1, 0)]);
        firefox.opening(12_517_377);
        firefox.opening(1);
        firefox.priority(3, 0, 200);
        firefox.priority(5, 0x8000_0003, 0);
        assert_eq!(
            firefox.fingerprint(&fields(&[":method", ":path", ":authority", ":scheme", "accept"])),
            "1:65536;4:131072;5:16384|12517377|3:0:0:201,5:1:3:1|m,p,a,s"
        );
        assert_eq!(Hello::default().fingerprint(&fields(&[":method"])), "|00|0|m");
        let mut flood = Hello::default();
        flood.settings(&vec![(1, 1); 1000]);
        (0..1000).for_each(|stream| flood.priority(stream, 0, 0));
        assert!(flood.fingerprint(&fields(&[":path"; 1000])).len() < 1024);
    }
}
