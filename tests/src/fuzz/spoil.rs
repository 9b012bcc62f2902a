//! Spoils bytes: flips, cuts, repeats, swaps and overwrites, a few times each.
#![expect(
    clippy::indexing_slicing,
    reason = "places are drawn within what is there; a fuzzer that errs may end"
)]

use rand::{Rng as _, RngExt as _, rngs::StdRng};

/// Bytes at which parsers tend to go wrong.
const SHARP: &[u8] =
    &[0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b'\'', b':', b'{', b'[', b'-', b'&', b'*', b'!', b'$'];

/// Most changes of one input.
const CHANGES_MAX: u32 = 8;
/// Longest piece that is moved or repeated, in bytes.
const PIECE_BYTES_MAX: usize = 64;

/// Changes some bytes from `from` on.
pub(super) fn spoil(random: &mut StdRng, bytes: &mut Vec<u8>, from: usize) {
    for _ in 0..random.random_range(1..=CHANGES_MAX) {
        if bytes.len() <= from {
            return;
        }
        let at = random.random_range(from..bytes.len());
        let end = (at + random.random_range(1..=PIECE_BYTES_MAX)).min(bytes.len());
        match random.random_range(0..7) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = SHARP[random.random_range(0..SHARP.len())],
            2 => bytes[at] = random.random(),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = random.random_range(from..=bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => random.fill_bytes(&mut bytes[at..end]),
            _ => bytes.truncate(at.max(from + 1)),
        }
    }
}

/// Changes single bytes and nothing about the length, so that what frames them stays right.
pub(super) fn spoil_in_place(random: &mut StdRng, bytes: &mut [u8]) {
    for _ in 0..random.random_range(1..=CHANGES_MAX) {
        if !bytes.is_empty() {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..7);
        }
    }
}
