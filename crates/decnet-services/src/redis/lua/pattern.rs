//! Lua's patterns: `%a`, `[a-z]`, `*`, `+`, `-`, `?`, captures, anchors.

/// Where a capture lies; a position capture has no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) start: usize,
    pub(super) length: Option<usize>,
}

/// Steps of one match: patterns can take exponential time.
const STEPS: u32 = 200_000;

struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: Vec<(usize, Option<Option<usize>>)>,
    steps: u32,
    depth: u32,
}

/// A match: start, end, captures. An error is Lua's message; `None` in it means that it took too long.
pub(super) type Found = Result<Option<(usize, usize, Vec<Capture>)>, &'static str>;

/// The first match at or behind `from`.
pub(super) fn find(text: &[u8], pattern: &[u8], from: usize) -> Found {
    let (anchored, body) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut matcher = Matcher { text, pattern: body, captures: Vec::new(), steps: 0, depth: 0 };
    let mut start = from;
    loop {
        matcher.captures.clear();
        if let Some(end) = matcher.run(start, 0)? {
            let captures = matcher
                .captures
                .iter()
                .map(|(start, length)| Capture { start: *start, length: length.unwrap_or(Some(0)) })
                .collect();
            return Ok(Some((start, end, captures)));
        }
        start += 1;
        if anchored || start > text.len() {
            return Ok(None);
        }
    }
}

type Step = Result<Option<usize>, &'static str>;

impl Matcher<'_> {
    fn run(&mut self, at: usize, p: usize) -> Step {
        self.depth += 1;
        let result = if self.depth > 150 { Err("pattern too complex") } else { self.step(at, p) };
        self.depth -= 1;
        result
    }

    fn step(&mut self, mut at: usize, mut p: usize) -> Step {
        loop {
            self.steps += 1;
            if self.steps > STEPS {
                return Err("pattern too complex");
            }
            match self.pattern.get(p) {
                None => return Ok(Some(at)),
                Some(b'(') if self.pattern.get(p + 1) == Some(&b')') => {
                    self.captures.push((at, Some(None)));
                    let found = self.run(at, p + 2)?;
                    if found.is_none() {
                        self.captures.pop();
                    }
                    return Ok(found);
                }
                Some(b'(') => {
                    if self.captures.len() >= 32 {
                        return Err("too many captures");
                    }
                    self.captures.push((at, None));
                    let found = self.run(at, p + 1)?;
                    if found.is_none() {
                        self.captures.pop();
                    }
                    return Ok(found);
                }
                Some(b')') => {
                    let Some(open) = self.captures.iter().rposition(|(_, length)| length.is_none()) else {
                        return Err("invalid pattern capture");
                    };
                    self.captures[open].1 = Some(Some(at - self.captures[open].0));
                    let found = self.run(at, p + 1)?;
                    if found.is_none()
                        && let Some(capture) = self.captures.get_mut(open)
                    {
                        capture.1 = None;
                    }
                    return Ok(found);
                }
                Some(b'$') if p + 1 == self.pattern.len() => {
                    return Ok((at == self.text.len()).then_some(at));
                }
                Some(b'%') if self.pattern.get(p + 1) == Some(&b'b') => {
                    let (Some(&open), Some(&close)) = (self.pattern.get(p + 2), self.pattern.get(p + 3))
                    else {
                        return Err("unbalanced pattern");
                    };
                    match self.balanced(at, open, close) {
                        Some(end) => {
                            at = end;
                            p += 4;
                            continue;
                        }
                        None => return Ok(None),
                    }
                }
                Some(b'%') if self.pattern.get(p + 1).is_some_and(u8::is_ascii_digit) => {
                    let index = usize::from(self.pattern[p + 1] - b'0');
                    let Some((start, Some(Some(length)))) =
                        index.checked_sub(1).and_then(|i| self.captures.get(i))
                    else {
                        return Err("invalid capture index");
                    };
                    let same = self.text.get(*start..start + length) == self.text.get(at..at + length);
                    if !same || at + length > self.text.len() {
                        return Ok(None);
                    }
                    at += length;
                    p += 2;
                    continue;
                }
                Some(_) => {}
            }
            let end = self.item_end(p)?;
            match self.pattern.get(end) {
                Some(b'?') => {
                    if self.single(at, p, end)
                        && let Some(found) = self.run(at + 1, end + 1)?
                    {
                        return Ok(Some(found));
                    }
                    p = end + 1;
                }
                Some(mark @ (b'*' | b'+')) => {
                    let least = usize::from(*mark == b'+');
                    let mut count = 0;
                    while self.single(at + count, p, end) {
                        count += 1;
                    }
                    loop {
                        if count < least {
                            return Ok(None);
                        }
                        if let Some(found) = self.run(at + count, end + 1)? {
                            return Ok(Some(found));
                        }
                        if count == 0 {
                            return Ok(None);
                        }
                        count -= 1;
                    }
                }
                Some(b'-') => loop {
                    if let Some(found) = self.run(at, end + 1)? {
                        return Ok(Some(found));
                    }
                    if !self.single(at, p, end) {
                        return Ok(None);
                    }
                    at += 1;
                },
                _ => {
                    if !self.single(at, p, end) {
                        return Ok(None);
                    }
                    at += 1;
                    p = end;
                }
            }
        }
    }

    fn balanced(&self, at: usize, open: u8, close: u8) -> Option<usize> {
        if self.text.get(at) != Some(&open) {
            return None;
        }
        let mut depth = 1;
        for (offset, byte) in self.text[at + 1..].iter().enumerate() {
            if *byte == close {
                depth -= 1;
                if depth == 0 {
                    return Some(at + offset + 2);
                }
            } else if *byte == open {
                depth += 1;
            }
        }
        None
    }

    /// Where the item that begins at `p` ends.
    fn item_end(&self, p: usize) -> Result<usize, &'static str> {
        match self.pattern[p] {
            b'%' if p + 1 >= self.pattern.len() => Err("malformed pattern (ends with '%')"),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut at = p + 1 + usize::from(self.pattern.get(p + 1) == Some(&b'^'));
                loop {
                    match self.pattern.get(at) {
                        None => return Err("malformed pattern (missing ']')"),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                    if self.pattern.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn single(&self, at: usize, p: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(at) else { return false };
        match self.pattern[p] {
            b'.' => true,
            b'%' => self.pattern.get(p + 1).is_some_and(|class| in_class(byte, *class)),
            b'[' => in_set(byte, &self.pattern[p + 1..end - 1]),
            literal => literal == byte,
        }
    }
}

fn in_class(byte: u8, class: u8) -> bool {
    let hit = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'p' => byte.is_ascii_punctuation(),
        b'c' => byte.is_ascii_control(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    hit != class.is_ascii_uppercase()
}

fn in_set(byte: u8, set: &[u8]) -> bool {
    let (negated, set) = match set.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, set),
    };
    let mut at = 0;
    let mut hit = false;
    while let Some(&first) = set.get(at) {
        if first == b'%' && at + 1 < set.len() {
            hit |= in_class(byte, set[at + 1]);
            at += 2;
        } else if set.get(at + 1) == Some(&b'-') && at + 2 < set.len() {
            hit |= (first..=set[at + 2]).contains(&byte);
            at += 3;
        } else {
            hit |= first == byte;
            at += 1;
        }
    }
    hit != negated
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns() {
        let found = |text: &str, pattern: &str| {
            find(text.as_bytes(), pattern.as_bytes(), 0).unwrap().map(|(start, end, _)| (start, end))
        };
        assert_eq!(found("hello world", "o w"), Some((4, 7)));
        assert_eq!(found("key = value", "^(%w+)%s*=%s*(%w+)$"), Some((0, 11)));
        assert_eq!(found("a(b(c)d)e", "%b()"), Some((1, 8)));
        assert_eq!(found("x<<y>>", "<(.-)>"), Some((1, 5)));
        assert_eq!(found("abc", "[^a-b]"), Some((2, 3)));
        assert_eq!(found("abc", "d?$"), Some((3, 3)));
        assert!(
            find(b"x", b"%", 0).is_err() && find(b"x", b"[a", 0).is_err() && find(b"x", b")", 0).is_err()
        );
        assert!(find(&[b'a'; 200], b"a-a-a-a-a-a-a-a-b", 0).is_err(), "too long is an error, not a hang");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..30), pattern in "[%a-c()\\[\\]^$*+?.d1-]{0,12}") {
            let _ = find(&text, pattern.as_bytes(), 0);
        }
    }
}
