//! What one obtain, refresh and release cost the core, in instructions. Run by `tests/bench` under callgrind with
//! different numbers of rounds: the difference is what the rounds cost, without the start of the program.
//!
//! `core ROUNDS NODE`, where NODE is `compares` or `scripts`; `empty` measures the loop and the making of wishes alone.

use std::hint::black_box;

use tenure_tests::canned::{Canned, Node};

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let rounds: u32 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    let what = arguments.next().unwrap_or_else(|| "compares".into());
    let node = if what == "scripts" {
        Node::Scripts
    } else {
        Node::Compares
    };
    let mut canned = Canned::new(node);
    for _ in 0..rounds {
        let wish = canned.wish("a key of usual length");
        if what == "empty" {
            black_box(&wish);
            continue;
        }
        let lock = canned.obtain(wish);
        canned.refresh(lock);
        canned.release(black_box(lock));
    }
}
