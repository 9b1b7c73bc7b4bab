//! What one obtain, refresh and release cost the core, in instructions. Run by `tests/bench` under callgrind with
//! different numbers of rounds: the difference is what the rounds cost, without the start of the program.
//!
//! `core ROUNDS NODE`, where NODE is `compares` or `scripts`; `empty` measures the loop and the making of requests alone.

use std::hint::black_box;

use tenure_tests::canned::{Canned, NodeKind};

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let rounds: u32 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let what = arguments.next().unwrap_or_else(|| "compares".into());
    let node = if what == "scripts" {
        NodeKind::Scripts
    } else {
        NodeKind::Compares
    };
    let mut canned = Canned::new(node);
    for _ in 0..rounds {
        let request = canned.request("a key of usual length");
        if what == "empty" {
            black_box(&request);
            continue;
        }
        let lock = canned.obtain(request);
        canned.refresh(lock);
        canned.release(black_box(lock));
    }
}
