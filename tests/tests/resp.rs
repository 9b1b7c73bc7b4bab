//! Our codec beside three others: two decoders and an encoder that share no code with it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use resp_protocol::{ArrayBuilder, BulkString, RespType};
use tenure_core::redis::resp::{DecodeLimits, command};
use tenure_tests::fuzz_targets;
use tenure_tests::oracles::{
    Divergence, Verdict, excuse_of_redis_protocol, excuse_of_resp_rs, ours, redis_protocol, resp_rs,
};

/// A valid reply of any kind but attributes, in bytes, and not deeper than we take.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-zA-Z0-9 ]{0,12}";
    let leaf = prop_oneof![
        text.prop_map(|text| format!("+{text}\r\n").into_bytes()),
        text.prop_map(|text| format!("-ERR {text}\r\n").into_bytes()),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        vec(any::<u8>(), 0..20).prop_map(|bytes| blob(b'$', &bytes)),
        "[a-z \r\n]{0,20}".prop_map(|text| blob(b'!', text.as_bytes())),
        text.prop_map(|text| blob(b'=', format!("txt:{text}").as_bytes())),
        any::<f64>()
            .prop_filter("numbers", |number| number.is_finite())
            .prop_map(|number| format!(",{number:?}\r\n").into_bytes()),
        "-?[1-9][0-9]{0,40}".prop_map(|digits| format!("({digits}\r\n").into_bytes()),
        select(vec![
            "_\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "#t\r\n",
            "#f\r\n",
            ",inf\r\n",
            ",-inf\r\n",
            ",nan\r\n"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            (select(&b"*~>"[..]), vec(inner.clone(), 0..6)).prop_map(|(kind, all)| aggregate(
                kind,
                all.len(),
                &all
            )),
            vec((inner.clone(), inner), 0..4).prop_map(|pairs| {
                let count = pairs.len();
                let all: Vec<_> = pairs
                    .into_iter()
                    .flat_map(|(key, value)| [key, value])
                    .collect();
                aggregate(b'%', count, &all)
            }),
        ]
    })
}

fn blob(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(format!("{}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

fn aggregate(kind: u8, count: usize, all: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(format!("{count}\r\n").as_bytes());
    out.extend(all.iter().flatten());
    out
}

/// A valid reply in which something was changed.
fn nearly_reply() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0..4,
        select(&b"\r\n*$%|:+-_,(!=~>?.;0129aZ\xff"[..]),
    );
    (vec(reply(), 1..3), vec(change, 0..4)).prop_map(|(replies, changes)| {
        let mut bytes = replies.concat();
        for (index, what, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_replies_are_read_as_others_read_them(bytes in reply()) {
        let verdict = ours(&bytes, DecodeLimits::default());
        let Verdict::Whole(value, used) = &verdict else {
            panic!("{verdict:?}");
        };
        prop_assert_eq!(*used, bytes.len());
        prop_assert_eq!(&resp_rs(&bytes), &verdict);
        if excuse_of_redis_protocol(value, &bytes).is_none() {
            prop_assert_eq!(&redis_protocol(&bytes), &verdict);
        }
        for cut in 0..bytes.len() {
            prop_assert_eq!(ours(&bytes[..cut], DecodeLimits::default()), Verdict::Incomplete);
        }
    }

    #[test]
    fn nearly_valid_replies_are_judged_as_others_judge_them(seed in any::<u8>(), bytes in nearly_reply()) {
        fuzz_targets::resp(&[&[seed][..], &bytes].concat());
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..200)) {
        fuzz_targets::resp(&bytes);
        fuzz_targets::memory(&bytes);
    }

    #[test]
    fn commands_are_written_as_another_encoder_writes_them(args in vec(vec(any::<u8>(), 0..40), 1..8), number in any::<u64>()) {
        let mut ours = Vec::new();
        let mut theirs = ArrayBuilder::new();
        let mut writer = command(&mut ours, args.len() + 2);
        for arg in &args {
            writer.arg(arg);
            theirs.insert(RespType::BulkString(BulkString::new(arg)));
        }
        let (head, tail) = args[0].split_at(args[0].len() / 2);
        writer.joined(head, tail).number(number);
        theirs.insert(RespType::BulkString(BulkString::new(&args[0])));
        theirs.insert(RespType::BulkString(BulkString::new(number.to_string().as_bytes())));
        prop_assert_eq!(&ours[..], &theirs.build().bytes()[..]);
        prop_assert_eq!(ours.len(), tenure_tests::raw::encode(&[args.clone(), vec![args[0].clone(), number.to_string().into_bytes()]].concat()).len());
    }
}

/// The differences that we know are still there, so that the excuses for them are not for nothing.
#[test]
fn known_divergences_are_still_there() {
    for (bytes, divergence) in [
        ("|1\r\n+a\r\n:1\r\n:2\r\n", Divergence::Attribute),
        ("$?\r\n;1\r\na\r\n;0\r\n", Divergence::Streamed),
        ("*?\r\n:1\r\n.\r\n", Divergence::Streamed),
        (",.5\r\n", Divergence::DoubleSpelling),
        ("=5\r\na:b:c\r\n", Divergence::VerbatimFormat),
        ("+a\rb\r\n", Divergence::HalfLineEnd),
        ("+a\nb\r\n", Divergence::HalfLineEnd),
        (",Infinity\r\n", Divergence::DoubleSpelling),
    ] {
        let verdicts = (
            ours(bytes.as_bytes(), DecodeLimits::default()),
            resp_rs(bytes.as_bytes()),
        );
        assert_ne!(verdicts.0, verdicts.1, "{bytes:?}");
        assert_eq!(
            excuse_of_resp_rs(bytes.as_bytes()),
            Some(divergence),
            "{bytes:?}"
        );
    }
    for (bytes, divergence) in [
        (&b"|0\r\n|0\r\n:1\r\n"[..], Divergence::Attribute),
        (b"$-1\r\n", Divergence::Resp2Null),
        (b"*-1\r\n", Divergence::Resp2Null),
        (b"-\xff\r\n", Divergence::NotUtf8),
        (b"%1\r\n*0\r\n:1\r\n", Divergence::KeysOfMaps),
        (b"%2\r\n:1\r\n:2\r\n:1\r\n:3\r\n", Divergence::KeysOfMaps),
        (b"=5\r\nabc:d\r\n", Divergence::VerbatimFormat),
    ] {
        let verdict = ours(bytes, DecodeLimits::default());
        let Verdict::Whole(value, _) = &verdict else {
            panic!("{bytes:?}: {verdict:?}");
        };
        assert_ne!(redis_protocol(bytes), verdict, "{bytes:?}");
        assert_eq!(
            excuse_of_redis_protocol(value, bytes),
            Some(divergence),
            "{bytes:?}"
        );
    }
    // It does not check the end of a bulk string.
    assert!(matches!(redis_protocol(b"$3\r\nfooXY"), Verdict::Whole(..)));
    assert_eq!(
        ours(b"$3\r\nfooXY", DecodeLimits::default()),
        Verdict::Wrong
    );
}
