use alloc::vec::Vec;
use alloc::{format, string::String, vec};

use super::*;

/// Every shape, as a server sends it, with how it is shown below.
const SAMPLES: &[(&str, &str)] = &[
    ("+OK\r\n", "+OK"),
    ("+\r\n", "+"),
    (
        "-NOSCRIPT No matching script.\r\n",
        "-NOSCRIPT No matching script.",
    ),
    ("!5\r\nE\r\nxy\r\n", "-E\r\nxy"),
    (":1\r\n", ":1"),
    (":+7\r\n", ":7"),
    (":-9223372036854775808\r\n", ":-9223372036854775808"),
    (":9223372036854775807\r\n", ":9223372036854775807"),
    ("$5\r\nhello\r\n", "$hello"),
    ("$4\r\na\r\nb\r\n", "$a\r\nb"),
    ("$0\r\n\r\n", "$"),
    ("$-1\r\n", "null"),
    ("*-1\r\n", "null"),
    ("_\r\n", "null"),
    ("#t\r\n", "#true"),
    ("#f\r\n", "#false"),
    (",-1.5e-3\r\n", ",-1.5e-3"),
    (",inf\r\n", ",inf"),
    (
        "(-3492890328409238509324850943850943825024385\r\n",
        "(-3492890328409238509324850943850943825024385",
    ),
    ("=8\r\ntxt:some\r\n", "=txt:some"),
    ("*0\r\n", "*0[]"),
    ("*2\r\n:1\r\n:29999\r\n", "*2[:1 :29999]"),
    ("*2\r\n*2\r\n+a\r\n$-1\r\n*0\r\n", "*2[*2[+a null] *0[]]"),
    (
        "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n",
        "%2[+a :1 +b *1[null]]",
    ),
    ("~2\r\n#t\r\n#f\r\n", "~2[#true #false]"),
    (
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
        ">2[$invalidate *1[$k]]",
    ),
    ("|1\r\n+ttl\r\n:3\r\n$1\r\nk\r\n", "$k"),
    ("|0\r\n|1\r\n+ttl\r\n*1\r\n:3\r\n:1\r\n", ":1"),
    (
        "*2\r\n|1\r\n+a\r\n|1\r\n+b\r\n+c\r\n+d\r\n:1\r\n*1\r\n|1\r\n+e\r\n+f\r\n:2\r\n",
        "*2[:1 *1[:2]]",
    ),
];

fn show(reply: Reply<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let inner = || {
        let children: Vec<_> = reply.children().map(show).collect();
        children.join(" ")
    };
    match reply.item() {
        Item::Simple(bytes) => format!("+{}", text(bytes)),
        Item::Error(bytes) => format!("-{}", text(bytes)),
        Item::Integer(value) => format!(":{value}"),
        Item::Bulk(bytes) => format!("${}", text(bytes)),
        Item::Null => "null".into(),
        Item::Boolean(value) => format!("#{value}"),
        Item::Double(bytes) => format!(",{}", text(bytes)),
        Item::BigNumber(bytes) => format!("({}", text(bytes)),
        Item::Verbatim(bytes) => format!("={}", text(bytes)),
        Item::Array(len) => format!("*{len}[{}]", inner()),
        Item::Map(pairs) => format!("%{pairs}[{}]", inner()),
        Item::Set(len) => format!("~{len}[{}]", inner()),
        Item::Push(len) => format!(">{len}[{}]", inner()),
    }
}

fn limits(bytes: usize, depth: usize, line: usize) -> DecodeLimits {
    DecodeLimits { bytes, depth, line }
}

/// All replies of the pieces, in order, or the first error.
fn decode(limits: DecodeLimits, pieces: &[&[u8]]) -> Result<Vec<String>, DecodeError> {
    let mut decoder = Decoder::new(limits);
    let mut replies = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(reply) = decoder.next_reply()? {
            replies.push(show(reply));
        }
    }
    Ok(replies)
}

fn once(limits: DecodeLimits, bytes: &str) -> Result<Vec<String>, DecodeError> {
    decode(limits, &[bytes.as_bytes()])
}

#[test]
fn every_shape_is_read() {
    for (bytes, shown) in SAMPLES {
        assert_eq!(
            once(DecodeLimits::default(), bytes),
            Ok(vec![(*shown).into()]),
            "{bytes:?}"
        );
    }
}

#[test]
fn every_prefix_is_incomplete_and_no_split_changes_anything() {
    for (sample, shown) in SAMPLES {
        let bytes = sample.as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(
                decode(DecodeLimits::default(), &[&bytes[..cut]]),
                Ok(vec![]),
                "{sample:?}"
            );
            let split = [&bytes[..cut], &bytes[cut..]];
            assert_eq!(
                decode(DecodeLimits::default(), &split),
                Ok(vec![(*shown).into()])
            );
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(
            decode(DecodeLimits::default(), &single),
            Ok(vec![(*shown).into()])
        );
    }
}

#[test]
fn many_replies_in_one_feed_come_in_order() {
    let all: String = SAMPLES.iter().map(|(bytes, _)| *bytes).collect();
    let shown: Vec<String> = SAMPLES.iter().map(|(_, shown)| (*shown).into()).collect();
    assert_eq!(once(DecodeLimits::default(), &all), Ok(shown.clone()));
    for size in 1..all.len() {
        let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
        assert_eq!(
            decode(DecodeLimits::default(), &pieces),
            Ok(shown.clone()),
            "{size}"
        );
    }
}

#[test]
fn other_bytes_than_resp_are_malformed() {
    for bytes in [
        "x",
        "\r\n",
        "+a\rb\r\n",
        "+a\nb\r\n",
        ":\r\n",
        ":-\r\n",
        ":abc\r\n",
        ":9223372036854775808\r\n",
        "$abc\r\n",
        "$\r\n",
        "$-2\r\n",
        "$+1\r\na\r\n",
        "$3\r\nfooXY",
        "$?\r\n",
        "*?\r\n",
        "*-2\r\n",
        "~-1\r\n",
        "%-1\r\n",
        ">-1\r\n",
        "!-1\r\n",
        "=-1\r\n",
        "=3\r\ntxt\r\n",
        "=4\r\ntext\r\n",
        "#x\r\n",
        "#\r\n",
        "_x\r\n",
        ",\r\n",
        ",1.\r\n",
        ",.5\r\n",
        ",1e\r\n",
        ",e5\r\n",
        ",infinity\r\n",
        "(\r\n",
        "(1.5\r\n",
        ".\r\n",
        ";1\r\n",
        "*1\r\n+OK\r\nOK",
        "*2\r\n:1\r\nx",
    ] {
        assert_eq!(
            once(DecodeLimits::default(), bytes),
            Err(DecodeError::Malformed),
            "{bytes:?}"
        );
        let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(
            decode(DecodeLimits::default(), &single),
            Err(DecodeError::Malformed),
            "{bytes:?}"
        );
    }
}

#[test]
fn an_error_lasts_until_it_is_cleared() {
    let mut decoder = Decoder::new(DecodeLimits::default());
    decoder.feed(b"+OK\r\nx+OK\r\n");
    assert!(matches!(decoder.next_reply(), Ok(Some(_))));
    for _ in 0..2 {
        assert_eq!(decoder.next_reply().err(), Some(DecodeError::Malformed));
        decoder.feed(b"+OK\r\n");
        assert_eq!(decoder.buffered(), 0);
    }
    decoder.clear();
    decoder.feed(b"*1\r\n+O");
    assert!(matches!(decoder.next_reply(), Ok(None)));
    decoder.clear();
    decoder.feed(b":3\r\n");
    assert_eq!(decoder.next_reply().unwrap().unwrap().as_integer(), Some(3));
}

#[test]
fn every_depth_past_the_limit_is_an_error() {
    for opening in ["*1\r\n", "%1\r\n:1\r\n", "~1\r\n", ">1\r\n", "|1\r\n:1\r\n"] {
        for depth in 0..20 {
            let bytes = opening.repeat(depth) + ":1\r\n";
            let result = once(limits(1 << 20, 8, 1 << 10), &bytes);
            if depth > 8 {
                assert_eq!(result, Err(DecodeError::TooDeep));
            } else {
                assert!(result.is_ok());
            }
        }
    }
    assert_eq!(
        once(limits(1 << 20, 0, 99), "*0\r\n"),
        Err(DecodeError::TooDeep)
    );
}

#[test]
fn each_limit_holds_at_it_and_one_past_it() {
    for (bytes, _) in SAMPLES {
        let len = bytes.len();
        for cut in 0..len {
            let pieces = [&bytes.as_bytes()[..cut], &bytes.as_bytes()[cut..]];
            assert!(
                decode(limits(len, 8, 1 << 10), &pieces).is_ok(),
                "{bytes:?}"
            );
            assert_eq!(
                decode(limits(len - 1, 8, 1 << 10), &pieces),
                Err(DecodeError::TooLarge),
                "{bytes:?}"
            );
        }
    }
    for cut in 0..8 {
        let pieces = [&b"+12345\r\n"[..cut], &b"+12345\r\n"[cut..]];
        assert!(decode(limits(100, 8, 5), &pieces).is_ok());
        assert_eq!(
            decode(limits(100, 8, 4), &pieces),
            Err(DecodeError::TooLarge)
        );
    }
    assert_eq!(
        once(limits(100, 8, 4), "+12345"),
        Err(DecodeError::TooLarge)
    );
}

#[test]
fn an_announced_count_allocates_nothing() {
    for bytes in [
        "*1000000000\r\n",
        "%9223372036854775808\r\n",
        "~18446744073709551616\r\n",
        "|99999999999999999999999\r\n",
        "$1000000000\r\n",
        "$18446744073709551615\r\n",
        "!99999999999999999999\r\n",
    ] {
        let mut decoder = Decoder::new(DecodeLimits::default());
        decoder.feed(bytes.as_bytes());
        assert_eq!(decoder.next_reply().err(), Some(DecodeError::TooLarge));
        let mut decoder = Decoder::new(limits(usize::MAX, 8, usize::MAX));
        decoder.feed(bytes.as_bytes());
        // Either is right without a limit; what matters is that nothing was made ready for it.
        assert!(!matches!(decoder.next_reply(), Ok(Some(_))));
        assert!(decoder.capacity() < 100);
    }
}

#[test]
fn used_bytes_are_dropped() {
    let mut decoder = Decoder::new(DecodeLimits::default());
    for _ in 0..1000 {
        // Never quite drained: half a reply stays each time.
        for piece in [&b"$5\r\nhello\r\n$5\r\nhe"[..], b"llo\r\n"] {
            decoder.feed(piece);
            while let Some(reply) = decoder.next_reply().unwrap() {
                assert_eq!(reply.as_bytes(), Some(&b"hello"[..]));
            }
        }
    }
    assert!(decoder.capacity() < 200);
}

#[test]
fn written_values_are_read_back() {
    let mut out = Vec::new();
    command(&mut out, 4)
        .arg(b"SET")
        .joined(b"p:", b"k")
        .number(0)
        .number(u64::MAX);
    write_simple(&mut out, b"a\r\nb");
    write_error(&mut out, b"ERR x");
    for value in [0, 1, -1, 10, 99, 100, i64::MIN, i64::MAX] {
        write_integer(&mut out, value);
    }
    write_bulk(&mut out, b"a\r\nb");
    write_null(&mut out, true);
    write_null(&mut out, false);
    write_array(&mut out, 0);
    write_push(&mut out, 1);
    write_boolean(&mut out, true);
    write_map(&mut out, 1);
    write_boolean(&mut out, false);
    write_bulk(&mut out, b"");
    let shown = [
        "*4[$SET $p:k $0 $18446744073709551615]",
        "+a  b",
        "-ERR x",
        ":0",
        ":1",
        ":-1",
        ":10",
        ":99",
        ":100",
        ":-9223372036854775808",
        ":9223372036854775807",
        "$a\r\nb",
        "null",
        "null",
        "*0[]",
        ">1[#true]",
        "%1[#false $]",
    ];
    assert_eq!(decode(DecodeLimits::default(), &[&out]).unwrap(), shown);
}

#[test]
fn the_short_ways_to_a_value_agree_with_its_kind() {
    let mut decoder = Decoder::new(DecodeLimits::default());
    let mut look = |bytes: &[u8]| {
        decoder.feed(bytes);
        let reply = decoder.next_reply().unwrap().unwrap();
        assert!(bytes.ends_with(reply.raw()));
        (
            reply.as_bytes().map(<[u8]>::to_vec),
            reply.as_integer(),
            reply.is_null(),
        )
    };
    assert_eq!(
        look(b"=8\r\ntxt:some\r\n"),
        (Some(b"some".to_vec()), None, false)
    );
    assert_eq!(
        look(b"|1\r\n:1\r\n:2\r\n+OK\r\n"),
        (Some(b"OK".to_vec()), None, false)
    );
    assert_eq!(look(b"-ERR\r\n"), (None, None, false));
    assert_eq!(look(b":5\r\n"), (None, Some(5), false));
    assert_eq!(look(b"*-1\r\n"), (None, None, true));
    assert_eq!(look(b"*0\r\n"), (None, None, false));
}
