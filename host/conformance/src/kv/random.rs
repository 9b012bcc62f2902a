//! Numbers that look random and are the same for the same seed, on every machine and in every
//! release: a history that failed once must fail again when its seed is typed in.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixing steps per number.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins the numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to before `bound`; 0 for a bound of 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these, which are not none.
    #[expect(clippy::indexing_slicing, reason = "the remainder by N is below N")]
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, of: &[T; N]) -> T {
        const { assert!(N > 0, "there must be something to pick from") };
        of[usize::try_from(self.below(N as u64)).unwrap_or(0) % N]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_for_ever() {
        // The first numbers of the published reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
