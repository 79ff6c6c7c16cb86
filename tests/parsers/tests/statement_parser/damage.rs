//! What happens to files on their way: bytes go missing, come twice, or turn into others.

use rand::Rng;
use rand::seq::IndexedRandom;

/// What parsers stumble over.
const TOKENS: [&str; 40] = [
    "\"",
    "\"\"",
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "'",
    "-",
    ".",
    "=",
    ":",
    "0",
    "9",
    "000",
    "1e400",
    "💸",
    "é",
    "\u{0}",
    "\u{feff}",
    "\u{a0}",
    "CR",
    "DB",
    "PEND",
    "Saldo Awal",
    "Saldo Akhir : 1",
    ":20:",
    ":61:",
    ":86:",
    ":62F:",
    "\n:61:",
    "-}",
    "{4:",
    "31/02/2026",
    "99999999999999999999999999999999",
    "-1",
    "(1)",
    "NaN",
    "１２３",
];

pub struct Damage {
    bytes: Vec<u8>,
}

impl Damage {
    pub fn new(content: &str) -> Self {
        Self { bytes: content.as_bytes().to_vec() }
    }

    /// What is left, as text: PostgreSQL passes nothing else on.
    pub fn text(self) -> String {
        String::from_utf8(self.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// One damage of any kind; `other` is a file to take a piece from.
    pub fn any(&mut self, rng: &mut impl Rng, other: &str) {
        let at = rng.random_range(0..=self.bytes.len());
        let until = (at + rng.random_range(0..40)).min(self.bytes.len());
        match rng.random_range(0..8) {
            0 => self.bytes.truncate(at),
            1 => _ = self.bytes.drain(at..until),
            2 => {
                let piece = self.bytes[at..until].to_vec();
                self.bytes.splice(at..at, piece);
            }
            3 => {
                let to = rng.random_range(0..=self.bytes.len());
                let piece = self.bytes[at..until].to_vec();
                self.bytes.splice(to..to, piece);
            }
            4 => {
                let other = other.as_bytes();
                let from = rng.random_range(0..=other.len());
                let to = (from + rng.random_range(0..200)).min(other.len());
                self.bytes.splice(at..until, other[from..to].iter().copied());
            }
            5 => self.bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = rng.random()),
            _ => self.token(rng, at),
        }
    }

    /// A damage in one place: a character more, less or another, or two changed about.
    pub fn one_place(&mut self, rng: &mut impl Rng) {
        let Some(last) = self.bytes.len().checked_sub(1) else { return };
        let at = rng.random_range(0..=last);
        let any = |rng: &mut dyn rand::RngCore| *b"0123456789.,-;:/\"' \n\rCDR".choose(rng).unwrap_or(&b'0');
        match rng.random_range(0..4) {
            0 => _ = self.bytes.remove(at),
            1 => self.bytes.insert(at, any(rng)),
            2 => self.bytes[at] = any(rng),
            _ => self.bytes.swap(at, (at + 1).min(last)),
        }
    }

    fn token(&mut self, rng: &mut impl Rng, at: usize) {
        let token = TOKENS.choose(rng).unwrap_or(&"\"").bytes();
        let until = (at + rng.random_range(0..3)).min(self.bytes.len());
        self.bytes.splice(at..until, token);
    }
}
