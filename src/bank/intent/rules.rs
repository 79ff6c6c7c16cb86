//! The life of an intent, its unique code, and what may be asked of it.
//!
//! | from \ action | pay | pay by hand | cancel | submit proof | reject proof | unmatch |
//! |---|---|---|---|---|---|---|
//! | open | paid | paid | cancelled | pending_verification | – | – |
//! | pending_verification | paid | paid | cancelled | pending_verification | rejected | – |
//! | rejected | paid | paid | cancelled | pending_verification | – | – |
//! | expired | paid, if the bank dates the transfer in the window | paid | – | – | – | – |
//! | paid | – | – | – | – | – | open, or expired |
//! | cancelled | – | – | – | – | – | – |

use crate::error::{Code, LedgerError, Result, invalid};
use crate::{money, time};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Unique codes are 1 to this.
pub const CODE_MAX: i16 = 999;
/// Longest time that an intent may stay open.
pub const EXPIRES_IN_MICROS_MAX: i64 = 366 * 24 * 3_600_000_000;

/// How the payment is known when it comes. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By its total, which a unique code makes the only one at the bank account.
    Transfer = 1,
    /// By the virtual account number that it is paid to.
    VirtualAccount = 2,
    /// By the order id that the gateway reports.
    Gateway = 3,
}

/// What the payment is for. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Topup = 1,
    Order = 2,
    Subscription = 3,
    Other = 4,
}

/// Stored: append only. `Expired` is also what a live intent counts as once its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open = 1,
    /// The payer has sent a proof, and a person has to look at it. Does not expire meanwhile.
    PendingVerification = 2,
    /// The proof was rejected; another may be sent.
    Rejected = 3,
    Paid = 4,
    Expired = 5,
    Cancelled = 6,
}

const METHODS: [(Method, &str); 3] = [
    (Method::Transfer, "transfer"),
    (Method::VirtualAccount, "virtual_account"),
    (Method::Gateway, "gateway"),
];
const PURPOSES: [(Purpose, &str); 4] = [
    (Purpose::Topup, "topup"),
    (Purpose::Order, "order"),
    (Purpose::Subscription, "subscription"),
    (Purpose::Other, "other"),
];

impl Method {
    pub fn from_name(name: &str) -> Result<Self> {
        METHODS
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(found, _)| *found)
            .ok_or_else(|| invalid("method", "be transfer, virtual_account or gateway").with("value", name))
    }

    pub fn from_id(id: i16) -> Self {
        METHODS.iter().find(|(known, _)| *known as i16 == id).map_or(Method::Transfer, |(found, _)| *found)
    }

    pub fn name(self) -> &'static str {
        METHODS[self as usize - 1].1
    }
}

impl Purpose {
    pub fn from_name(name: &str) -> Result<Self> {
        PURPOSES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(found, _)| *found)
            .ok_or_else(|| invalid("purpose", "be topup, order, subscription or other").with("value", name))
    }

    pub fn from_id(id: i16) -> Self {
        PURPOSES.iter().find(|(known, _)| *known as i16 == id).map_or(Purpose::Other, |(found, _)| *found)
    }

    pub fn name(self) -> &'static str {
        PURPOSES[self as usize - 1].1
    }

    /// The kind of the transfer that pays it.
    pub fn kind(self) -> &'static str {
        match self {
            Purpose::Topup => "topup",
            Purpose::Order | Purpose::Subscription => "payment",
            Purpose::Other => "deposit",
        }
    }
}

impl State {
    pub fn from_id(id: i16) -> Self {
        match id {
            1 => State::Open,
            2 => State::PendingVerification,
            3 => State::Rejected,
            4 => State::Paid,
            5 => State::Expired,
            _ => State::Cancelled,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Open => "open",
            State::PendingVerification => "pending_verification",
            State::Rejected => "rejected",
            State::Paid => "paid",
            State::Expired => "expired",
            State::Cancelled => "cancelled",
        }
    }

    /// What the stored state counts as at a moment, whether or not a job has written it down.
    pub fn at(self, expires_at: i64, now: i64) -> State {
        match self {
            State::Open | State::Rejected if expires_at <= now => State::Expired,
            other => other,
        }
    }
}

/// What can be done to an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A transfer in the window has come.
    Pay,
    /// A person says that a mutation pays it.
    PayByHand,
    Cancel,
    SubmitProof,
    RejectProof,
    Unmatch,
}

/// May this be done to an intent that counts as `state`? The window of `Pay` is the matching's matter.
pub fn check(intent_id: Uuid, state: State, action: Action) -> Result<()> {
    use Action::{Cancel, Pay, PayByHand, RejectProof, SubmitProof, Unmatch};
    use State::{Expired, Open, Paid, PendingVerification, Rejected};
    let allowed = match action {
        Pay | PayByHand => matches!(state, Open | PendingVerification | Rejected | Expired),
        Cancel | SubmitProof => matches!(state, Open | PendingVerification | Rejected),
        RejectProof => state == PendingVerification,
        Unmatch => state == Paid,
    };
    if allowed {
        return Ok(());
    }
    let code = match state {
        Expired => Code::IntentExpired,
        State::Paid | State::Cancelled => Code::AlreadyResolved,
        _ => Code::IntentNotPending,
    };
    Err(LedgerError::new(code, format!("intent {intent_id} is {}", state.name()))
        .with("intent_id", intent_id)
        .with("status", state.name()))
}

/// What one unit of a unique code is worth: a rupiah, and the smallest unit of any other currency.
pub fn code_value(code: i16, scale: u32, currency: &str) -> Decimal {
    let units = if currency == "IDR" { Decimal::from(code) } else { Decimal::new(i64::from(code), scale) };
    let mut value = units;
    value.rescale(scale);
    value
}

/// The total with each code that is not taken, in the order in which they are to be tried. `draw(n)`
/// is a random number below `n`; whoever cannot predict it cannot predict the code.
pub fn free_totals(
    amount: Decimal,
    scale: u32,
    currency: &str,
    taken: &[Decimal],
    mut draw: impl FnMut(usize) -> usize,
) -> Vec<(i16, Decimal)> {
    let mut taken: Vec<Decimal> = taken.iter().map(Decimal::normalize).collect();
    taken.sort_unstable();
    let mut free: Vec<(i16, Decimal)> = (1..=CODE_MAX)
        .filter_map(|code| Some((code, money::add(amount, code_value(code, scale, currency))?)))
        .filter(|(_, total)| taken.binary_search(&total.normalize()).is_err())
        .collect();
    // Fisher and Yates: every order is as likely as any other.
    for last in (1..free.len()).rev() {
        free.swap(last, draw(last + 1));
    }
    free
}

/// The error when an amount has no code left.
pub fn exhausted(account: &str, amount: Decimal) -> LedgerError {
    LedgerError::new(
        Code::CodesExhausted,
        format!("all {CODE_MAX} codes for {amount} on {account} are taken"),
    )
    .with("bank_account", account)
    .with("amount", amount)
}

/// Bounds of a top-up.
pub fn check_topup(amount: Decimal, minimum: Decimal, maximum: Decimal) -> Result<()> {
    if amount >= minimum && amount <= maximum {
        return Ok(());
    }
    Err(LedgerError::new(
        Code::AmountNotAllowed,
        format!("a top-up must be between {minimum} and {maximum}, not {amount}"),
    )
    .with("amount", amount)
    .with("minimum", minimum)
    .with("maximum", maximum))
}

/// The moment from which an intent counts as expired.
pub fn expires_at(now: i64, expires_in_micros: i64) -> Result<i64> {
    if !(1_000_000..=EXPIRES_IN_MICROS_MAX).contains(&expires_in_micros) {
        return Err(invalid("expires_in", "be between one second and 366 days"));
    }
    Ok(now + expires_in_micros)
}

/// A virtual account number or an order id as it is compared: without the blanks that banks pad with.
pub fn number(method: Method, given: Option<&str>) -> Result<Option<String>> {
    let number: Option<String> = given.map(|given| match method {
        Method::VirtualAccount => given.chars().filter(|c| !c.is_whitespace()).collect(),
        _ => given.trim().to_owned(),
    });
    match (method, number) {
        (Method::Transfer, None) => Ok(None),
        (Method::Transfer, Some(_)) => Err(invalid("number", "be null for the method transfer")),
        (_, None) => Err(crate::error::missing("number")),
        (Method::VirtualAccount, Some(number))
            if number.is_empty()
                || number.len() > 28
                || !number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Err(invalid("number", "be a virtual account number of 1 to 28 digits").with("value", number))
        }
        (_, Some(number)) if number.is_empty() || number.len() > crate::bank::rules::ID_BYTES_MAX => {
            Err(invalid("number", "have 1 to 128 bytes"))
        }
        (_, Some(number)) => Ok(Some(number)),
    }
}

/// The error for a live intent that is in the way.
pub fn in_the_way(what: &str, value: &str, intent_id: Uuid, expires_at: i64) -> LedgerError {
    LedgerError::new(Code::AlreadyExists, format!("intent {intent_id} for {what} {value} is still open"))
        .with("intent_id", intent_id)
        .with("field", what)
        .with("expires_at", time::to_text(expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] = [
        State::Open,
        State::PendingVerification,
        State::Rejected,
        State::Paid,
        State::Expired,
        State::Cancelled,
    ];

    #[test]
    fn every_state_and_action() {
        use Action::{Cancel, Pay, PayByHand, RejectProof, SubmitProof, Unmatch};
        let allowed = |state: State, action: Action| check(Uuid::nil(), state, action).is_ok();
        for (action, yes) in [
            (Pay, [true, true, true, false, true, false]),
            (PayByHand, [true, true, true, false, true, false]),
            (Cancel, [true, true, true, false, false, false]),
            (SubmitProof, [true, true, true, false, false, false]),
            (RejectProof, [false, true, false, false, false, false]),
            (Unmatch, [false, false, false, true, false, false]),
        ] {
            for (state, expected) in STATES.into_iter().zip(yes) {
                assert_eq!(allowed(state, action), expected, "{state:?} {action:?}");
            }
        }
    }

    #[test]
    fn time_expires_what_is_open_and_nothing_else() {
        for state in STATES {
            assert_eq!(state.at(10, 9), state);
            let later = state.at(10, 10);
            let expires = matches!(state, State::Open | State::Rejected);
            assert_eq!(later, if expires { State::Expired } else { state });
            assert_eq!(State::from_id(state as i16), state);
        }
    }

    #[test]
    fn free_totals_are_those_that_nobody_has() {
        let taken = [Decimal::from(10_001), Decimal::new(1_099_900, 2)];
        let free = free_totals(Decimal::new(1_000_000, 2), 2, "IDR", &taken, |_| 0);
        assert_eq!(free.len(), 997);
        assert!(free.iter().all(|(code, total)| *total == Decimal::from(10_000 + i64::from(*code))));
        let mut codes: Vec<i16> = free.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        assert!(
            !codes.contains(&1) && !codes.contains(&999) && codes.windows(2).all(|pair| pair[0] < pair[1])
        );
        let all: Vec<Decimal> = (1..=999).map(|code| Decimal::from(10_000 + code)).collect();
        assert!(free_totals(Decimal::new(1_000_000, 2), 2, "IDR", &all, |_| 0).is_empty());
        assert_eq!(code_value(7, 2, "USD").to_string(), "0.07");
        assert_eq!(code_value(7, 2, "IDR").to_string(), "7.00");
    }

    #[test]
    fn every_code_comes_first_about_as_often() {
        let mut state: u64 = 1;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as usize) % below
        };
        let mut first = [0u32; 1000];
        for _ in 0..20_000 {
            let free = free_totals(Decimal::new(1_000_000, 2), 2, "IDR", &[], &mut draw);
            first[free[0].0 as usize] += 1;
        }
        assert!(first[1..].iter().all(|count| (1..=60).contains(count)), "{first:?}");
    }

    #[test]
    fn numbers_have_a_form() {
        assert_eq!(
            number(Method::VirtualAccount, Some("   77777 0000000000123")).unwrap().as_deref(),
            Some("777770000000000123")
        );
        assert_eq!(number(Method::Gateway, Some("order-1")).unwrap().as_deref(), Some("order-1"));
        assert_eq!(number(Method::Transfer, None), Ok(None));
        for (method, given) in [
            (Method::Transfer, Some("1")),
            (Method::VirtualAccount, None),
            (Method::VirtualAccount, Some("12a")),
            (Method::VirtualAccount, Some("  ")),
            (Method::Gateway, Some("")),
        ] {
            assert!(number(method, given).is_err(), "{method:?} {given:?}");
        }
    }

    #[test]
    fn topups_and_expiries_have_bounds() {
        let (least, most) = (Decimal::from(10_000), Decimal::from(10_000_000));
        assert!(check_topup(least, least, most).is_ok() && check_topup(most, least, most).is_ok());
        for amount in [Decimal::from(9_999), Decimal::new(1_000_000_001, 2)] {
            assert_eq!(check_topup(amount, least, most).unwrap_err().code, Code::AmountNotAllowed);
        }
        assert_eq!(expires_at(5, 1_000_000), Ok(1_000_005));
        for micros in [0, -1, 999_999, EXPIRES_IN_MICROS_MAX + 1, i64::MIN, i64::MAX] {
            assert!(expires_at(0, micros).is_err());
        }
    }
}
