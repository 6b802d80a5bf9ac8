//! HPACK, the compression of header lists (RFC 7541). Sans-IO; tables and lists are bounded.

mod decoder;
mod encoder;
pub mod huffman;
mod table;

pub use decoder::{BlockFault, Decoder, List, ListLimits};
pub use encoder::{Announcing, Encoder, Literals, Style, TABLE};

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ListLimits = ListLimits { text: 8192, total: 32 * 1024, fields: 100 };
    const STYLE: Style =
        Style { literals: Literals::These(&[]), plain: &[], packs_ties: true, announcing: Announcing::Never };

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn text(list: &List) -> String {
        list.fields
            .iter()
            .map(|field| {
                format!(
                    "{}: {}\n",
                    String::from_utf8_lossy(&field.name),
                    String::from_utf8_lossy(&field.value)
                )
            })
            .collect()
    }

    const GET: &str = ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n";

    #[test]
    fn requests_of_rfc_7541_appendices_c3_and_c4() {
        for blocks in [
            [
                "828684410f7777772e6578616d706c652e636f6d",
                "828684be58086e6f2d6361636865",
                "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            ],
            [
                "828684418cf1e3c2e5f23a6ba0ab90f4ff",
                "828684be5886a8eb10649cbf",
                "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            ],
        ] {
            let mut decoder = Decoder::new(4096, false);
            let mut read = |block: &str| text(&decoder.read(&bytes(block), &LIMITS).unwrap());
            assert_eq!(read(blocks[0]), GET);
            assert_eq!(read(blocks[1]), format!("{GET}cache-control: no-cache\n"));
            let third = ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n";
            assert_eq!(read(blocks[2]), third);
            assert_eq!(decoder.table_size(), 164);
        }
    }

    #[test]
    fn responses_of_rfc_7541_appendix_c6_with_eviction() {
        let mut decoder = Decoder::new(256, false);
        let mut encoder = Encoder::new(&STYLE);
        encoder.allow(256);
        let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
        /// A block, its fields, and the size of the table after it.
        type Step<'a> = (&'a str, &'a [(&'a str, &'a str)], usize);
        let lists: [Step<'_>; 3] = [
            (
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                &[
                    (":status", "302"),
                    ("cache-control", "private"),
                    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
                    ("location", "https://www.example.com"),
                ],
                222,
            ),
            (
                "4883640effc1c0bf",
                &[
                    (":status", "307"),
                    ("cache-control", "private"),
                    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
                    ("location", "https://www.example.com"),
                ],
                222,
            ),
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                &[
                    (":status", "200"),
                    ("cache-control", "private"),
                    ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
                    ("location", "https://www.example.com"),
                    ("content-encoding", "gzip"),
                    ("set-cookie", cookie),
                ],
                215,
            ),
        ];
        for (block, list, size) in lists {
            let expected: String = list.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            assert_eq!(text(&decoder.read(&bytes(block), &LIMITS).unwrap()), expected);
            assert_eq!(decoder.table_size(), size);
            assert_eq!(encoder.write(list.iter().copied()), bytes(block), "{expected}");
        }
    }

    #[test]
    fn broken_blocks_are_told_apart() {
        for (block, late, expected) in [
            ("80", false, Err(BlockFault::Broken)),
            ("e4", false, Err(BlockFault::Broken)),
            ("ffffffffffffffff7f", false, Err(BlockFault::Broken)),
            ("ff8080808080808080808080", false, Err(BlockFault::Broken)),
            ("8284400a", false, Err(BlockFault::Truncated)),
            ("ff", false, Err(BlockFault::Truncated)),
            ("3fe1ff03", false, Err(BlockFault::Broken)),
            ("8220", false, Err(BlockFault::LateUpdate)),
            ("8220", true, Ok(1)),
            ("0084ffffffff0161", false, Err(BlockFault::Broken)),
        ] {
            let read = Decoder::new(4096, late).read(&bytes(block), &LIMITS);
            assert_eq!(read.map(|list| list.fields.len()), expected, "{block}");
        }
    }

    /// A few bytes that stand for megabytes: nothing beyond the bounds is kept.
    #[test]
    fn a_bomb_is_bounded() {
        let mut decoder = Decoder::new(4096, false);
        let mut block = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
        block.extend_from_slice(&[b'b'; 4000]);
        block.extend_from_slice(&vec![0xbe; 100_000]);
        let list = decoder.read(&block, &LIMITS).unwrap();
        let kept: usize = list.fields.iter().map(|field| field.name.len() + field.value.len()).sum();
        assert!(list.exceeded && kept <= LIMITS.total, "{kept}");
        assert!(decoder.table_size() <= 4096);
        let small = decoder.read(&vec![0x82; 1000], &LIMITS).unwrap();
        assert!(small.exceeded && small.fields.len() == LIMITS.fields);
    }

    /// Blocks as the real servers sent them (nginx 1.22.1, Apache 2.4.71 with nghttp2 1.52, lighttpd
    /// 1.4.69), the second one on the same connection.
    #[test]
    fn products_write_as_they_were_seen() {
        use crate::httpd::http2::manner::{APACHE, LIGHTTPD, NGINX};
        let date = "Sun, 22 Nov 2026 15:18:27 GMT";
        let nginx = [
            (":status", "404"),
            ("server", "nginx/1.22.1"),
            ("date", date),
            ("content-type", "text/html"),
            ("content-length", "153"),
        ];
        let once = bytes(
            "8d7689aa6355e580ae212e1f6196dd6d5f4a084a693f75040138a05bb817ae09d53168df5f87497ca589d34d1f5c03313533",
        );
        let mut encoder = Encoder::new(NGINX.style);
        assert_eq!(encoder.write(nginx), once);
        assert_eq!(encoder.write(nginx), once);
        encoder.allow(100_000);
        assert_eq!(encoder.write(nginx)[..2], [0x20, 0x8d]);
        assert_eq!(encoder.write([("etag", "\"6b030713-267\"")])[..5], [0, 0x83, 0x2a, 0x47, 0x37]);

        let apache = [
            (":status", "404"),
            ("content-length", "304"),
            ("content-type", "text/html; charset=iso-8859-1"),
            ("date", "Sun, 22 Nov 2026 15:18:32 GMT"),
            ("server", "Apache/2.4.71 (Debian)"),
        ];
        let mut encoder = Encoder::new(APACHE.style);
        assert_eq!(
            encoder.write(apache),
            bytes(
                "8d0f0d033330345f95497ca589d34d1f6a1271d882a60320eb3cf36fac1f6196dd6d5f4a084a693f75040138a05bb817ae32253168df769186b19272b025da5dd0a9fd5f2c661d5fdf"
            )
        );
        assert_eq!(encoder.write(apache), bytes("8d0f0d03333034c0bfbe"));
        let mut encoder = Encoder::new(APACHE.style);
        encoder.allow(100_000);
        assert_eq!(encoder.write(apache)[..4], [0x3f, 0xe1, 0x1f, 0x8d]);
        let mut encoder = Encoder::new(APACHE.style);
        encoder.allow(0);
        assert_eq!(encoder.write(apache)[..9], bytes("208d0f0d033330340f")[..]);

        let lighttpd = [
            (":status", "404"),
            ("content-type", "text/html"),
            ("content-length", "341"),
            ("date", "Sun, 22 Nov 2026 15:18:37 GMT"),
            ("server", "lighttpd/1.4.69"),
        ];
        let mut encoder = Encoder::new(LIGHTTPD.style);
        assert_eq!(
            encoder.write(lighttpd),
            bytes(
                "8d5f87497ca589d34d1f5c8365a0ff6196dd6d5f4a084a693f75040138a05bb817ae32ea98b46f768ba0d34e94d723015da5dc7f"
            )
        );
        assert_eq!(encoder.write(lighttpd), bytes("8dc1c0bfbe"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(
            blocks in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), 1..5),
        ) {
            let mut decoder = Decoder::new(4096, true);
            for block in blocks {
                // Whether it is a block makes no difference: it must end, within the bounds.
                let _ = decoder.read(&block, &LIMITS);
                proptest::prop_assert!(decoder.table_size() <= 4096);
            }
        }

        #[test]
        fn lists_come_back(
            lists in proptest::collection::vec(
                proptest::collection::vec(("[a-c:-]{1,3}|date|server|:status", "[ -~]{0,40}|200|404"), 0..12),
                1..6,
            ),
            size in proptest::sample::select(vec![0usize, 60, 200, 4096]),
        ) {
            use crate::httpd::http2::manner::{APACHE, LIGHTTPD};
            for style in [&STYLE, APACHE.style, LIGHTTPD.style] {
                let mut decoder = Decoder::new(4096, false);
                let mut encoder = Encoder::new(style);
                // A writer that announces nothing relies on the reader to have heard of the change.
                if style.announcing == Announcing::Used {
                    encoder.allow(size);
                }
                for list in &lists {
                    let block = encoder.write(list.iter().map(|(name, value)| (&name[..], &value[..])));
                    let expected: String = list.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                    proptest::prop_assert_eq!(text(&decoder.read(&block, &LIMITS).unwrap()), expected);
                }
            }
        }
    }
}
