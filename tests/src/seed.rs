//! Random numbers that can be had again.

use std::io::Write;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// `WL_SEED`, or a new one; says which, and how to run the test with it again. The line goes
    /// past the test runner's capture: it is also wanted when the test is killed.
    pub fn from_env_or_random(test_file: &str) -> Seed {
        let seed = match std::env::var("WL_SEED") {
            Ok(text) => Seed(text.parse().expect("WL_SEED must be a whole number")),
            Err(_) => Seed(rand::random::<u32>().into()),
        };
        let n = seed.0;
        let line = format!("WL_SEED={n} (again: WL_SEED={n} scripts/test.sh --test {test_file})\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        seed
    }

    /// An independent stream of numbers for each session or part of a test.
    pub fn rng(self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0);
        rng.set_stream(stream);
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_seed_repeats_and_its_streams_differ() {
        let draw = |seed: u64, stream| Seed(seed).rng(stream).random::<u64>();
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }
}
