//! Answers on a connection, as far as the client's windows let them (RFC 9113 section 5.2).

use super::connection::{Connection, WAITING};
use super::frame::{self, Kind};
use super::manner::Engine;
use super::receive;

/// Most bytes that are handed out at once; what is left waits where it is.
const OUTPUT: usize = 256 * 1024;
/// What nginx adds to a stream's window when a program wants the body (NGX_HTTP_V2_MAX_WINDOW less
/// `http2_body_preread_size`).
const NGINX_BODY: u32 = 0x7fff_ffff - 65_536;

impl Connection {
    /// Whether another answer fits what may wait for the client.
    pub fn has_room(&self) -> bool {
        self.waiting() < WAITING
    }

    /// The bytes of answers that wait for the client.
    pub fn waiting(&self) -> usize {
        self.streams.values().map(|stream| stream.body.len() - stream.written).sum()
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        self.streams.len()
    }

    /// The body of a stream is read before the answer.
    pub fn body_wanted(&mut self, stream: u32) {
        if self.manner.engine == Engine::Nginx {
            receive::open_stream(self, stream, NGINX_BODY);
        }
    }

    /// Whether the client has not finished the request of a stream that is open.
    pub fn is_unfinished(&self, stream: u32) -> bool {
        self.streams.get(&stream).is_some_and(|stream| !stream.remote_ended)
    }

    /// Takes no more requests; what was begun is finished.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// The answer of a stream; without effect where the stream is over.
    pub fn respond(&mut self, id: u32, fields: &[(String, String)], body: Vec<u8>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.answered {
            return;
        }
        stream.answered = true;
        stream.body = body;
        let empty = stream.body.is_empty();
        let block = self.encoder.write(fields.iter().map(|(name, value)| (&name[..], &value[..])));
        self.write_block(id, &block, if empty { frame::END_STREAM } else { 0 });
        if empty {
            self.answered(id);
        } else if self.manner.at_once || self.manner.engine == Engine::Lighttpd {
            while self.write_some(id) {}
        }
    }

    /// HEADERS and what does not fit it as CONTINUATION.
    fn write_block(&mut self, stream: u32, block: &[u8], flags: u8) {
        let mut parts = block.chunks(self.peer_frame.max(1)).peekable();
        let mut kind = Kind::Headers;
        let mut flags = flags;
        while let Some(part) = parts.next() {
            let last = if parts.peek().is_none() { frame::END_HEADERS } else { 0 };
            frame::write(&mut self.out, kind, flags | last, stream, part);
            (kind, flags) = (Kind::Continuation, 0);
        }
    }

    /// The answer is written: the stream is over, whether or not the client is at its end.
    fn answered(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id)
            && !stream.remote_ended
        {
            // The rest of the body is of no interest (RFC 9113 section 8.1).
            self.reset(id, 0);
        }
    }

    /// Writes one DATA frame of a stream; `false`: the stream has none, or no window.
    fn write_some(&mut self, id: u32) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        let left = stream.body.len() - stream.written;
        let window = self.send_window.min(stream.send_window);
        if left == 0 || window <= 0 || self.out.len() > OUTPUT {
            return false;
        }
        let count = left.min(window as usize).min(self.manner.piece).min(self.peer_frame);
        let piece = &stream.body[stream.written..stream.written + count];
        let last = count == left;
        let flags = if last && !self.manner.end_apart { frame::END_STREAM } else { 0 };
        frame::write(&mut self.out, Kind::Data, flags, id, piece);
        stream.written += count;
        stream.send_window -= count as i64;
        self.send_window -= count as i64;
        if last {
            if self.manner.end_apart {
                frame::write(&mut self.out, Kind::Data, frame::END_STREAM, id, b"");
            }
            self.answered(id);
        }
        true
    }

    /// The bytes to send now.
    pub fn output(&mut self) -> Vec<u8> {
        // Every stream in turn, so that none waits for another one.
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        let mut moved = true;
        while moved {
            moved = false;
            for id in &ids {
                moved |= self.write_some(*id);
            }
        }
        if self.draining && self.streams.is_empty() {
            self.goodbye(0, "");
        }
        std::mem::take(&mut self.out)
    }
}
