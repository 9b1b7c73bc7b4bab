//! What is done with any bytes at all: by a fuzzer, and with its committed corpus by ordinary tests.

mod memory;
mod parts;
mod resp;
mod session;
mod url;
mod world;

pub use memory::memory;
pub use resp::resp;
pub use session::session;
pub use url::url;
pub use world::world;

/// The bytes in pieces, whose sizes follow from a number.
fn pieces(bytes: &[u8], mut seed: u8) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        // Sizes from 1 to 32, different from piece to piece.
        seed = seed.wrapping_mul(37).wrapping_add(11);
        let (piece, after) = rest.split_at(rest.len().min(usize::from(seed % 32) + 1));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
