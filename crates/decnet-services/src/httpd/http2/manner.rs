//! How products speak HTTP/2: what they say first, how they write blocks and bodies, what they make of
//! mistakes. Tables; each was measured on the release it names unless it says otherwise.

use std::time::Duration;

use super::hpack::{Announcing, ListLimits, Literals, Style};

/// What a client does wrong as far as frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after the frame and what is wrong with it")]
pub enum Violation {
    Preface,
    SettingsNotFirst,
    FrameTooLarge,
    PingSize,
    PingOnStream,
    DataOnConnection,
    DataOnIdle,
    DataAfterEnd,
    DataPadding,
    HeadersOnConnection,
    HeadersOnEven,
    HeadersOnLower,
    HeadersAfterEnd,
    HeadersWithoutEnd,
    HeadersPadding,
    HeadersPriority,
    HeadersOnItself,
    SettingsOnStream,
    SettingsSize,
    SettingsAckSize,
    SettingsPush,
    SettingsWindow,
    SettingsFrame,
    Push,
    GoAwaySize,
    GoAwayOnStream,
    ResetOnIdle,
    ResetOnConnection,
    ResetSize,
    PriorityOnConnection,
    PrioritySize,
    PriorityOnItself,
    WindowZero,
    WindowZeroOnStream,
    WindowOnIdle,
    WindowSize,
    WindowOverflow,
    WindowOverflowOnStream,
    WindowExceeded,
    WindowExceededOnStream,
    BlockTruncated,
    BlockBroken,
    ContinuationExpected,
    ContinuationAlone,
    TooManyContinuations,
    TooManyStreams,
    ListTooLarge,
    LengthMismatch,
    Trailers,
    Flood,
    RapidReset,
}

/// What is wrong with a header list that was read (RFC 9113 section 8.2 and 8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after what is wrong")]
pub enum Flaw {
    BadName,
    BadValue,
    UnknownPseudo,
    RepeatedPseudo,
    LatePseudo,
    MissingPseudo,
    NoHost,
    TwoHosts,
    ConnectionField,
    BadAuthority,
    BadPath,
}

/// What a product does about a [`Violation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    Ignore,
    /// RST_STREAM with this code.
    Reset(u32),
    /// GOAWAY with this code and text, and the end.
    GoAway(u32, &'static str),
    /// The product's own page.
    Answer,
}

/// What a product does about a [`Flaw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// Takes the request.
    Ignore,
    /// RST_STREAM with PROTOCOL_ERROR.
    Reset,
    /// Its page for bad requests.
    Answer,
}

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// nginx's own.
    Nginx,
    /// libnghttp2 under Apache's mod_http2.
    Nghttp2,
    /// lighttpd's own.
    Lighttpd,
    /// http.sys.
    HttpSys,
}

/// A product.
#[derive(Debug)]
pub struct Manner {
    /// Its rules.
    pub engine: Engine,
    /// What it says first, in its order.
    pub settings: &'static [(u16, u32)],
    /// By how much it opens the connection's window at once.
    pub opening: u32,
    /// Most requests at a time.
    pub concurrent: usize,
    /// Its stream window, bytes.
    pub window: u32,
    /// The largest frame it takes.
    pub largest: usize,
    /// Bounds of a header list.
    pub list: ListLimits,
    /// Most CONTINUATION frames of a block.
    pub continuations: usize,
    /// How it writes blocks.
    pub style: &'static Style,
    /// The longest DATA frame it writes.
    pub piece: usize,
    /// Whether the end of a body is a DATA frame of its own.
    pub end_apart: bool,
    /// Whether a request is answered before the next frame is looked at.
    pub at_once: bool,
    /// Whether `date` and `server` stand behind everything else.
    pub date_last: bool,
    /// How long it waits for the first request.
    pub patience: Duration,
    /// What it says when it was waited for in vain.
    pub farewell: &'static str,
    /// Names in this order come first, whatever HTTP/1.1 has; empty: HTTP/1.1's order.
    pub order: &'static [&'static str],
}

/// 2^31 - 1 less the initial window (RFC 9113 section 6.9.1).
const WHOLE: u32 = 0x7fff_ffff - 0xffff;

/// nginx 1.22.1 (ngx_http_v2_module).
pub static NGINX: Manner = Manner {
    engine: Engine::Nginx,
    settings: &[(3, 128), (4, 65_536), (5, 16_777_215)],
    opening: WHOLE,
    concurrent: 128,
    window: 65_536,
    largest: 16_777_215,
    // large_client_header_buffers 4 8k
    list: ListLimits { text: 8192, total: 32 * 1024, fields: 1000 },
    // It has no bound; this one is ours.
    continuations: 4096,
    style: &Style {
        literals: Literals::AllBut(&[
            ":status",
            "server",
            "date",
            "content-type",
            "content-length",
            "last-modified",
            "location",
        ]),
        plain: &[":status", "content-length"],
        packs_ties: false,
        announcing: Announcing::Zero,
    },
    // http2_chunk_size
    piece: 8192,
    end_apart: false,
    at_once: true,
    date_last: false,
    patience: Duration::from_secs(60),
    farewell: "",
    order: &[],
};

/// Apache 2.4.71 with mod_http2 and libnghttp2 1.52.
pub static APACHE: Manner = Manner {
    engine: Engine::Nghttp2,
    settings: &[(3, 100)],
    opening: WHOLE,
    concurrent: 100,
    window: 65_535,
    largest: 16_384,
    // LimitRequestFieldSize, LimitRequestFields
    list: ListLimits { text: 8190, total: 64 * 1024, fields: 104 },
    // NGHTTP2_DEFAULT_MAX_CONTINUATIONS
    continuations: 8,
    style: &Style {
        literals: Literals::These(&[
            "content-length",
            "etag",
            "location",
            "set-cookie",
            "age",
            "if-modified-since",
        ]),
        plain: &[],
        packs_ties: false,
        announcing: Announcing::Used,
    },
    // A record of TLS less the head of the frame.
    piece: 16_375,
    end_apart: false,
    at_once: false,
    date_last: true,
    patience: Duration::from_secs(60),
    farewell: "timeout",
    order: &[],
};

/// lighttpd 1.4.69.
pub static LIGHTTPD: Manner = Manner {
    engine: Engine::Lighttpd,
    settings: &[(3, 8), (4, 65_536), (6, 65_535), (8, 1), (9, 1)],
    opening: 196_609,
    concurrent: 8,
    window: 65_536,
    largest: 16_384,
    // server.max-request-field-size
    list: ListLimits { text: 8192, total: 64 * 1024, fields: 512 },
    // It has no bound but that of the block; this one is ours.
    continuations: 4096,
    style: &Style {
        literals: Literals::These(&[]),
        plain: &[],
        packs_ties: true,
        announcing: Announcing::Never,
    },
    piece: 16_375,
    end_apart: true,
    at_once: false,
    date_last: false,
    patience: Duration::from_secs(5),
    farewell: "",
    order: &[],
};

/// http.sys of Windows 10 and Server 2016 and later. Not measured: that it sends three settings and a
/// WINDOW_UPDATE, ends bodies with an empty DATA frame, and asks for lengths is what the tests of
/// ASP.NET Core expect of it; the values are those of RFC 9113 and of its documented limits, and mistakes
/// get the codes of RFC 9113. The order is that of `HTTP_HEADER_ID` of its interface.
pub static HTTP_SYS: Manner = Manner {
    engine: Engine::HttpSys,
    settings: &[(1, 4096), (3, 100), (4, 65_535)],
    opening: 983_041,
    concurrent: 100,
    window: 65_535,
    largest: 16_384,
    // MaxFieldLength, MaxRequestBytes
    list: ListLimits { text: 16_384, total: 48 * 1024, fields: 1000 },
    // Ours.
    continuations: 64,
    style: &Style {
        literals: Literals::These(&[]),
        plain: &[],
        packs_ties: false,
        announcing: Announcing::Used,
    },
    piece: 16_384,
    end_apart: true,
    at_once: false,
    date_last: false,
    patience: Duration::from_secs(120),
    farewell: "",
    order: &[
        "cache-control",
        "pragma",
        "allow",
        "content-length",
        "content-type",
        "content-encoding",
        "content-range",
        "expires",
        "last-modified",
        "accept-ranges",
        "etag",
        "location",
        "server",
        "set-cookie",
        "vary",
        "www-authenticate",
        "x-aspnet-version",
        "x-powered-by",
        "date",
    ],
};

const NO_ERROR: u32 = 0;
const PROTOCOL: u32 = 1;
const FLOW: u32 = 3;
const CLOSED: u32 = 5;
const SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;
/// Codes of libnghttp2 itself, which mod_http2 sends as they are.
const fn nghttp2(code: i32) -> u32 {
    code.cast_unsigned()
}

impl Manner {
    /// What it does about a mistake.
    pub fn reaction(&self, violation: Violation) -> Reaction {
        match self.engine {
            Engine::Nginx => nginx(violation),
            Engine::Nghttp2 => apache(violation),
            Engine::Lighttpd | Engine::HttpSys => lighttpd(violation),
        }
    }

    /// What it does about a list.
    pub fn tolerance(&self, flaw: Flaw) -> Tolerance {
        use Tolerance::{Answer, Ignore, Reset};
        match (self.engine, flaw) {
            (Engine::Nginx, Flaw::BadName | Flaw::BadValue) => Reset,
            // What is left is judged by the rules of its HTTP/1.1, which refuse it.
            (
                Engine::Nginx,
                Flaw::LatePseudo | Flaw::ConnectionField | Flaw::BadAuthority | Flaw::BadPath,
            ) => Ignore,
            (Engine::Nginx | Engine::Lighttpd, _) => Answer,
            (Engine::Nghttp2 | Engine::HttpSys, Flaw::TwoHosts) => Ignore,
            (Engine::HttpSys, Flaw::NoHost | Flaw::BadAuthority) => Answer,
            (Engine::Nghttp2 | Engine::HttpSys, _) => Reset,
        }
    }
}

fn nginx(violation: Violation) -> Reaction {
    use Reaction::{GoAway, Ignore, Reset};
    use Violation as V;
    match violation {
        V::SettingsNotFirst
        | V::DataOnIdle
        | V::DataAfterEnd
        | V::ResetOnIdle
        | V::WindowOnIdle
        | V::LengthMismatch => Ignore,
        V::PingSize
        | V::SettingsSize
        | V::SettingsAckSize
        | V::GoAwaySize
        | V::ResetSize
        | V::PrioritySize
        | V::WindowSize
        | V::HeadersPriority
        | V::FrameTooLarge
        | V::BlockTruncated => GoAway(SIZE, ""),
        V::SettingsWindow | V::WindowOverflow | V::WindowExceeded => GoAway(FLOW, ""),
        V::WindowOverflowOnStream | V::WindowExceededOnStream => Reset(FLOW),
        V::BlockBroken => GoAway(COMPRESSION, ""),
        V::TooManyStreams => Reset(REFUSED),
        V::ListTooLarge | V::TooManyContinuations => GoAway(CALM, ""),
        V::Flood => GoAway(CALM, ""),
        V::RapidReset => GoAway(NO_ERROR, ""),
        _ => GoAway(PROTOCOL, ""),
    }
}

fn lighttpd(violation: Violation) -> Reaction {
    use Reaction::{Answer, GoAway, Ignore, Reset};
    use Violation as V;
    match violation {
        V::SettingsNotFirst | V::Trailers => Ignore,
        V::PingSize
        | V::SettingsSize
        | V::SettingsAckSize
        | V::GoAwaySize
        | V::ResetSize
        | V::PrioritySize
        | V::WindowSize
        | V::FrameTooLarge
        | V::TooManyContinuations => GoAway(SIZE, ""),
        V::DataAfterEnd | V::HeadersAfterEnd => Reset(CLOSED),
        V::HeadersWithoutEnd
        | V::PriorityOnItself
        | V::HeadersOnItself
        | V::HeadersPriority
        | V::WindowZeroOnStream
        | V::LengthMismatch => Reset(PROTOCOL),
        V::SettingsWindow | V::WindowOverflow | V::WindowExceeded => GoAway(FLOW, ""),
        V::WindowOverflowOnStream | V::WindowExceededOnStream => Reset(FLOW),
        V::BlockTruncated | V::BlockBroken => GoAway(COMPRESSION, ""),
        V::TooManyStreams => Reset(REFUSED),
        V::ListTooLarge => Answer,
        V::Flood | V::RapidReset => GoAway(CALM, ""),
        _ => GoAway(PROTOCOL, ""),
    }
}

fn apache(violation: Violation) -> Reaction {
    use Reaction::{Answer, GoAway, Ignore, Reset};
    use Violation as V;
    let protocol = |text| GoAway(PROTOCOL, text);
    match violation {
        V::Preface => GoAway(nghttp2(-903), "Received bad client magic byte string"),
        V::SettingsNotFirst => protocol("SETTINGS expected"),
        V::FrameTooLarge => GoAway(SIZE, "too large frame size"),
        V::PingOnStream => protocol("PING: stream_id != 0"),
        V::DataOnConnection => protocol("DATA: stream_id == 0"),
        V::DataOnIdle => protocol("DATA: stream in idle"),
        V::DataAfterEnd => GoAway(CLOSED, "DATA: stream in half-closed(remote)"),
        V::DataPadding => protocol("DATA: invalid padding"),
        V::HeadersOnConnection => protocol("request HEADERS: stream_id == 0"),
        V::HeadersOnEven => protocol("request HEADERS: invalid stream_id"),
        V::HeadersOnLower | V::Trailers => Ignore,
        V::HeadersAfterEnd => GoAway(CLOSED, "HEADERS: stream closed"),
        V::HeadersWithoutEnd | V::LengthMismatch => Reset(PROTOCOL),
        V::HeadersPadding => protocol("HEADERS: invalid padding"),
        V::HeadersOnItself => protocol("request HEADERS: depend on itself"),
        V::SettingsOnStream => protocol("SETTINGS: stream_id != 0"),
        V::SettingsPush => protocol("SETTINGS: invalid SETTINGS_ENBLE_PUSH"),
        V::SettingsWindow => GoAway(FLOW, "SETTINGS: too large SETTINGS_INITIAL_WINDOW_SIZE"),
        V::SettingsFrame => protocol("SETTINGS: invalid SETTINGS_MAX_FRAME_SIZE"),
        V::Push => protocol("PUSH_PROMISE: push disabled"),
        V::GoAwayOnStream => protocol("GOAWAY: stream_id != 0"),
        V::ResetOnIdle => protocol("RST_STREAM: stream in idle"),
        V::ResetOnConnection => protocol("RST_STREAM: stream_id == 0"),
        V::PriorityOnConnection => protocol("PRIORITY: stream_id == 0"),
        V::PriorityOnItself => protocol("depend on itself"),
        V::WindowZero | V::WindowZeroOnStream => protocol("WINDOW_UPDATE: window_size_increment == 0"),
        V::WindowOnIdle => protocol("WINDOW_UPDATE to idle stream"),
        V::WindowOverflow | V::WindowExceeded => GoAway(FLOW, ""),
        V::WindowOverflowOnStream | V::WindowExceededOnStream => Reset(FLOW),
        V::BlockTruncated | V::BlockBroken => GoAway(COMPRESSION, ""),
        V::ContinuationExpected => protocol("unexpected non-CONTINUATION frame or stream_id is invalid"),
        V::ContinuationAlone => protocol("CONTINUATION: unexpected"),
        V::TooManyContinuations => {
            GoAway(nghttp2(-905), "Too many CONTINUATION frames following a HEADER frame")
        }
        V::TooManyStreams => protocol("request HEADERS: max concurrent streams exceeded"),
        V::ListTooLarge => Answer,
        V::Flood => {
            GoAway(nghttp2(-904), "Flooding was detected in this HTTP/2 session, and it must be closed")
        }
        V::RapidReset => GoAway(nghttp2(-902), "The user callback function failed"),
        V::PingSize
        | V::SettingsSize
        | V::SettingsAckSize
        | V::GoAwaySize
        | V::ResetSize
        | V::PrioritySize
        | V::WindowSize
        | V::HeadersPriority => GoAway(SIZE, ""),
    }
}
