//! What each frame of a client does to a connection (RFC 9113 section 6).

use super::connection::{BLOCK, Block, Connection, Event, Purpose, RESETS, WINDOW};
use super::frame::{self, FrameHead, Kind, Piece};
use super::manner::{Engine, Reaction, Violation};

/// By how much lighttpd opens a window again.
const UNIT: i64 = 16_384;
/// By how much lighttpd opens a stream's window when a body begins.
const BODY: u32 = 131_072;

pub(super) fn piece(connection: &mut Connection, piece: Piece) -> Option<Event> {
    match piece {
        Piece::Unknown(_) | Piece::TooLarge(_) => None,
        Piece::BadPadding(head) => connection.mistake(Violation::DataPadding, head.stream),
        Piece::Data { head, bytes, first, last } => data(connection, head, bytes, first, last),
        Piece::Frame(head, payload) => match head.kind {
            Kind::Headers => headers(connection, head, &payload),
            Kind::Continuation => continuation(connection, head, &payload),
            Kind::Settings => settings(connection, head, &payload),
            Kind::Ping => ping(connection, head, &payload),
            Kind::Priority => priority(connection, head, &payload),
            Kind::ResetStream => reset(connection, head, &payload),
            Kind::WindowUpdate => window_update(connection, head, &payload),
            Kind::GoAway => go_away(connection, head, &payload),
            Kind::PushPromise => connection.mistake(Violation::Push, head.stream),
            Kind::Data | Kind::Unknown(_) => None,
        },
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn data(
    connection: &mut Connection,
    head: FrameHead,
    bytes: Vec<u8>,
    first: bool,
    last: bool,
) -> Option<Event> {
    let end = last && head.has(frame::END_STREAM);
    if first {
        if head.stream == 0 {
            return connection.mistake(Violation::DataOnConnection, 0);
        }
        if head.stream > connection.last || head.stream.is_multiple_of(2) {
            return connection.mistake(Violation::DataOnIdle, head.stream);
        }
        connection.receive_window -= head.length as i64;
        if connection.receive_window < 0 {
            return connection.mistake(Violation::WindowExceeded, 0);
        }
        let Some(stream) = connection.streams.get_mut(&head.stream) else {
            refill(connection, head, true);
            return Some(Event::Data { stream: head.stream, bytes, end });
        };
        if stream.remote_ended {
            // lighttpd says that the stream is over and answers it all the same.
            if let (Engine::Lighttpd, Reaction::Reset(code)) =
                (connection.manner.engine, connection.manner.reaction(Violation::DataAfterEnd))
            {
                frame::write(&mut connection.out, Kind::ResetStream, 0, head.stream, &code.to_be_bytes());
                refill(connection, head, true);
                return Some(Event::Mistake(Violation::DataAfterEnd));
            }
            return connection.mistake(Violation::DataAfterEnd, head.stream);
        }
        stream.receive_window -= head.length as i64;
        if stream.receive_window < 0 {
            return connection.mistake(Violation::WindowExceededOnStream, head.stream);
        }
        refill(connection, head, head.has(frame::END_STREAM));
    }
    if let Some(stream) = connection.streams.get_mut(&head.stream) {
        stream.received += bytes.len() as u64;
        if stream.announced.is_some_and(|announced| stream.received > announced) {
            let event = connection.mistake(Violation::LengthMismatch, head.stream);
            if event.is_some() {
                return event;
            }
        }
    }
    if end {
        return body_ended(connection, head.stream, bytes);
    }
    (!bytes.is_empty()).then_some(Event::Data { stream: head.stream, bytes, end })
}

/// Opens the windows again in the product's way.
fn refill(connection: &mut Connection, head: FrameHead, last: bool) {
    let length = head.length as i64;
    let update = |out: &mut Vec<u8>, stream: u32, increment: u32| {
        frame::write(out, Kind::WindowUpdate, 0, stream, &increment.to_be_bytes());
    };
    match connection.manner.engine {
        // Its windows are larger than what one connection may send.
        Engine::Nginx => {}
        Engine::Lighttpd => {
            connection.fudge -= length;
            while connection.fudge < 0 {
                connection.fudge += UNIT;
                connection.receive_window += UNIT;
                update(&mut connection.out, 0, UNIT as u32);
            }
            let Some(stream) = connection.streams.get_mut(&head.stream) else { return };
            if last || stream.answered {
                return;
            }
            stream.fudge -= length;
            while stream.fudge < 0 {
                stream.fudge += UNIT;
                stream.receive_window += UNIT;
                update(&mut connection.out, head.stream, UNIT as u32);
            }
        }
        Engine::Nghttp2 | Engine::HttpSys => {
            let opened = i64::from(connection.manner.opening) + 65_535;
            if connection.receive_window < opened / 2 {
                let increment = opened - connection.receive_window;
                connection.receive_window = opened;
                update(&mut connection.out, 0, increment as u32);
            }
            let half = connection.manner.window / 2;
            let Some(stream) = connection.streams.get_mut(&head.stream) else { return };
            stream.consumed = stream.consumed.saturating_add(head.length as u32);
            if !last && !stream.answered && stream.consumed >= half {
                stream.receive_window += i64::from(stream.consumed);
                update(&mut connection.out, head.stream, stream.consumed);
                stream.consumed = 0;
            }
        }
    }
}

/// A request announced a body.
pub(super) fn body_begins(connection: &mut Connection, stream: u32) {
    if connection.manner.engine == Engine::Lighttpd {
        open_stream(connection, stream, BODY);
    }
}

/// Opens a stream's window by that much.
pub(super) fn open_stream(connection: &mut Connection, stream: u32, increment: u32) {
    if let Some(open) = connection.streams.get_mut(&stream) {
        open.receive_window += i64::from(increment);
        frame::write(&mut connection.out, Kind::WindowUpdate, 0, stream, &increment.to_be_bytes());
    }
}

/// The last bytes of a body.
pub(super) fn body_ended(connection: &mut Connection, id: u32, bytes: Vec<u8>) -> Option<Event> {
    if let Some(stream) = connection.streams.get_mut(&id) {
        stream.remote_ended = true;
        if stream.announced.is_some_and(|announced| announced != stream.received) {
            let event = connection.mistake(Violation::LengthMismatch, id);
            if event.is_some() {
                return event;
            }
        }
    }
    Some(Event::Data { stream: id, bytes, end: true })
}

fn headers(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    let id = head.stream;
    if id == 0 {
        return connection.mistake(Violation::HeadersOnConnection, 0);
    }
    let mut rest = payload;
    if head.has(frame::PADDED) {
        let padding = rest.first().map(|padding| usize::from(*padding));
        let kept = padding.and_then(|padding| (rest.len() - 1).checked_sub(padding));
        let Some(kept) = kept else { return connection.mistake(Violation::HeadersPadding, id) };
        rest = &rest[1..=kept];
    }
    let mut purpose = Purpose::Request;
    let mut event = None;
    let mut on_itself = false;
    if head.has(frame::PRIORITY) {
        let Some((priority, left)) = rest.split_at_checked(5) else {
            return connection.mistake(Violation::HeadersPriority, id);
        };
        rest = left;
        on_itself = number(priority) & 0x7fff_ffff == id;
    }
    if id.is_multiple_of(2) {
        return connection.mistake(Violation::HeadersOnEven, id);
    }
    if on_itself {
        event = connection.mistake(Violation::HeadersOnItself, id);
        purpose = Purpose::Nothing;
    }
    let end = head.has(frame::END_STREAM);
    if id <= connection.last {
        let violation = match connection.streams.get(&id) {
            None => Violation::HeadersOnLower,
            Some(stream) if stream.remote_ended => Violation::HeadersAfterEnd,
            Some(_) if !end => Violation::HeadersWithoutEnd,
            Some(_) => Violation::Trailers,
        };
        event = event.or(connection.mistake(violation, id));
        purpose = match violation {
            Violation::Trailers if event.is_none() => Purpose::Trailers,
            _ => Purpose::Nothing,
        };
    } else {
        connection.last = id;
        if connection.draining {
            purpose = Purpose::Nothing;
        } else if connection.streams.len() >= connection.manner.concurrent || !connection.has_room() {
            event = event.or(connection.mistake(Violation::TooManyStreams, id));
            purpose = Purpose::Nothing;
        } else if matches!(connection.manner.engine, Engine::Nginx | Engine::Nghttp2) {
            connection.processed = id;
        }
    }
    if connection.is_over() {
        return event;
    }
    let block = Block { stream: id, purpose, end, bytes: rest.to_vec(), frames: 0 };
    if head.has(frame::END_HEADERS) {
        return event.or(connection.block_read(block));
    }
    connection.block = Some(block);
    event
}

fn continuation(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    let Some(mut block) = connection.block.take() else {
        return connection.mistake(Violation::ContinuationAlone, head.stream);
    };
    block.frames += 1;
    if block.frames > connection.manner.continuations || block.bytes.len() + payload.len() > BLOCK {
        return connection.mistake(Violation::TooManyContinuations, head.stream);
    }
    block.bytes.extend_from_slice(payload);
    if head.has(frame::END_HEADERS) {
        return connection.block_read(block);
    }
    connection.block = Some(block);
    None
}

fn settings(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    connection.settled = true;
    if head.stream != 0 {
        return connection.mistake(Violation::SettingsOnStream, 0);
    }
    if head.has(frame::ACK) {
        if !payload.is_empty() {
            return connection.mistake(Violation::SettingsAckSize, 0);
        }
        return None;
    }
    if !payload.len().is_multiple_of(6) {
        return connection.mistake(Violation::SettingsSize, 0);
    }
    let settings: Vec<(u16, u32)> = payload
        .chunks_exact(6)
        .map(|part| (u16::from_be_bytes([part[0], part[1]]), number(&part[2..])))
        .collect();
    connection.hello.settings(&settings);
    for (id, value) in settings {
        match id {
            1 => connection.encoder.allow(value as usize),
            2 if value > 1 => return connection.mistake(Violation::SettingsPush, 0),
            4 if i64::from(value) > WINDOW => return connection.mistake(Violation::SettingsWindow, 0),
            4 => {
                let delta = i64::from(value) - connection.peer_window;
                connection.peer_window = i64::from(value);
                for stream in connection.streams.values_mut() {
                    stream.send_window += delta;
                }
                if connection.streams.values().any(|stream| stream.send_window > WINDOW) {
                    return connection.mistake(Violation::WindowOverflow, 0);
                }
            }
            5 if !(16_384..=0xff_ffff).contains(&value) => {
                return connection.mistake(Violation::SettingsFrame, 0);
            }
            5 => connection.peer_frame = value as usize,
            _ => {}
        }
    }
    frame::write(&mut connection.out, Kind::Settings, frame::ACK, 0, b"");
    None
}

fn ping(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    if payload.len() != 8 {
        return connection.mistake(Violation::PingSize, 0);
    }
    if head.stream != 0 {
        return connection.mistake(Violation::PingOnStream, 0);
    }
    if !head.has(frame::ACK) {
        frame::write(&mut connection.out, Kind::Ping, frame::ACK, 0, payload);
    }
    None
}

fn priority(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    if payload.len() != 5 {
        return connection.mistake(Violation::PrioritySize, head.stream);
    }
    if head.stream == 0 {
        return connection.mistake(Violation::PriorityOnConnection, 0);
    }
    let dependency = number(payload);
    if dependency & 0x7fff_ffff == head.stream {
        return connection.mistake(Violation::PriorityOnItself, head.stream);
    }
    // nginx counts them against the streams that were opened.
    if connection.manner.engine == Engine::Nginx {
        if connection.priorities == 0 {
            return connection.mistake(Violation::Flood, 0);
        }
        connection.priorities -= 1;
    }
    connection.hello.priority(head.stream, dependency, payload[4]);
    None
}

fn reset(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    if payload.len() != 4 {
        return connection.mistake(Violation::ResetSize, head.stream);
    }
    if head.stream == 0 {
        return connection.mistake(Violation::ResetOnConnection, 0);
    }
    if head.stream > connection.last || head.stream.is_multiple_of(2) {
        return connection.mistake(Violation::ResetOnIdle, head.stream);
    }
    let stream = connection.streams.remove(&head.stream)?;
    if !stream.answered {
        connection.resets += 1;
        if connection.resets > RESETS {
            return connection.mistake(Violation::RapidReset, 0);
        }
    }
    Some(Event::Over { stream: head.stream })
}

fn window_update(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    if payload.len() != 4 {
        return connection.mistake(Violation::WindowSize, head.stream);
    }
    let increment = i64::from(number(payload) & 0x7fff_ffff);
    if head.stream == 0 {
        if increment == 0 {
            return connection.mistake(Violation::WindowZero, 0);
        }
        connection.send_window += increment;
        if connection.send_window > WINDOW {
            return connection.mistake(Violation::WindowOverflow, 0);
        }
        connection.hello.opening(increment as u32);
        return None;
    }
    if head.stream > connection.last || head.stream.is_multiple_of(2) {
        return connection.mistake(Violation::WindowOnIdle, head.stream);
    }
    if increment == 0 {
        return connection.mistake(Violation::WindowZeroOnStream, head.stream);
    }
    let stream = connection.streams.get_mut(&head.stream)?;
    stream.send_window += increment;
    if stream.send_window > WINDOW {
        return connection.mistake(Violation::WindowOverflowOnStream, head.stream);
    }
    None
}

fn go_away(connection: &mut Connection, head: FrameHead, payload: &[u8]) -> Option<Event> {
    if payload.len() < 8 {
        return connection.mistake(Violation::GoAwaySize, 0);
    }
    if head.stream != 0 {
        return connection.mistake(Violation::GoAwayOnStream, 0);
    }
    // nginx reads on as if nothing had been said.
    connection.draining |= connection.manner.engine != Engine::Nginx;
    None
}
