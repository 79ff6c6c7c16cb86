//! Purchases: what a line costs, what a refund gives back. Pure.

pub mod entry;
pub mod line;
pub mod refund;
pub mod sequence;

/// What became of a purchase. The number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Completed = 1,
    Refused = 2,
}

impl State {
    pub fn from_id(id: i16) -> Self {
        if id == Self::Completed as i16 { Self::Completed } else { Self::Refused }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Refused => "refused",
        }
    }
}
