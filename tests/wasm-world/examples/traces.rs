//! Prints the traces of seeds, one per line: `traces COUNT`.
#![allow(clippy::print_stdout, reason = "a program that reports")]

fn main() {
    let count = std::env::args().nth(1);
    let count: u64 = count.map_or(200, |count| count.parse().expect("a number"));
    for seed in 0..count {
        println!("{:016x}", tenure_wasm_world::trace(seed));
    }
}
