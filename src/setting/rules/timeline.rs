//! Which value counts when, and whether a change may be made.
//!
//! Changes are only ever added. At a moment the change counts that begins last at or before it; of two
//! that begin at the same moment, the one that was made later.

use super::{ALL, Setting, Value};
use crate::error::{Code, LedgerError, Result, invalid};
use crate::time;
use rust_decimal::Decimal;

/// One change of one setting, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counts the changes of a ledger.
    pub revision: i64,
    pub name: String,
    pub value: String,
    pub effective_from: i64,
    pub set_by: String,
    pub reason: Option<String>,
    pub created_at: i64,
}

/// The change that counts at a moment; `None` where the default does.
pub fn counting(changes: &[Change], setting: Setting, at: i64) -> Option<&Change> {
    changes
        .iter()
        .filter(|change| change.name == setting.name() && change.effective_from <= at)
        .max_by_key(|change| (change.effective_from, change.revision))
}

/// The values of all settings at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(Vec<Value>);

impl Settings {
    /// What counts at a moment. A stored value that this version cannot read is an error, never a guess.
    pub fn at(changes: &[Change], at: i64) -> Result<Self> {
        let value = |setting: Setting| match counting(changes, setting, at) {
            None => setting.parse(setting.definition().default),
            Some(change) => setting.parse(&change.value).map_err(|error| {
                LedgerError::new(
                    Code::BooksInconsistent,
                    format!("the stored value of setting {} cannot be read: {}", change.name, error.message),
                )
                .with("setting", &change.name)
                .with("value", &change.value)
            }),
        };
        ALL.iter().map(|definition| value(definition.setting)).collect::<Result<_>>().map(Self)
    }

    /// The value of a setting of the form `Amount`.
    pub fn amount(&self, setting: Setting) -> Decimal {
        match self.value(setting) {
            Value::Amount(amount) => *amount,
            other => unreachable!("{} is {other:?}, not an amount", setting.name()),
        }
    }

    /// The value of a setting of the form `Interval`, in microseconds.
    pub fn micros(&self, setting: Setting) -> i64 {
        match self.value(setting) {
            Value::Interval(micros) => *micros,
            other => unreachable!("{} is {other:?}, not an interval", setting.name()),
        }
    }

    /// The value of a setting of the form `Count`.
    pub fn count(&self, setting: Setting) -> i16 {
        match self.value(setting) {
            Value::Count(count) => *count,
            other => unreachable!("{} is {other:?}, not a count", setting.name()),
        }
    }

    /// The value of a setting of the form `Word` or `Account`.
    pub fn text(&self, setting: Setting) -> &str {
        match self.value(setting) {
            Value::Text(text) => text,
            other => unreachable!("{} is {other:?}, not a text", setting.name()),
        }
    }

    fn value(&self, setting: Setting) -> &Value {
        &self.0[setting as usize]
    }

    /// What must hold between settings at one moment.
    fn check(&self, at: i64) -> Result<()> {
        let (minimum, maximum) = (self.amount(Setting::TopupMinimum), self.amount(Setting::TopupMaximum));
        if minimum <= maximum {
            return Ok(());
        }
        let must = format!(
            "keep topup_minimum at or below topup_maximum: from {} they would be {minimum} and {maximum}",
            time::to_text(at)
        );
        Err(invalid("value", &must)
            .with("topup_minimum", minimum)
            .with("topup_maximum", maximum)
            .with("effective_from", time::to_text(at)))
    }
}

/// A change that somebody wants.
pub struct Wanted {
    pub setting: Setting,
    pub value: Value,
    /// NULL is now.
    pub effective_from: Option<i64>,
    pub set_by: String,
    pub reason: Option<String>,
}

/// The clock, as far as the decision looks at it.
#[derive(Clone, Copy)]
pub struct Clock {
    pub now: i64,
    /// What SQL's `now()` says, which may be long ago.
    pub transaction_start: i64,
}

/// What comes of a wanted change.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It was made before: the same value from the same moment.
    Made(&'a Change),
    Make(Change),
}

/// Decides about a change, with all changes that the ledger has seen.
pub fn decide<'a>(changes: &'a [Change], wanted: Wanted, clock: Clock) -> Result<Decision<'a>> {
    let value = wanted.value.to_text();
    let effective_from = match wanted.effective_from {
        None => clock.now,
        Some(given) => {
            let given = time::finite(given, "effective_from")?;
            let counting = counting(changes, wanted.setting, given);
            if let Some(made) = counting.filter(|made| made.effective_from == given && made.value == value) {
                return Ok(Decision::Made(made));
            }
            check_not_past(given, clock)?;
            given.max(clock.now)
        }
    };
    if effective_from <= clock.now
        && let Some(made) = counting(changes, wanted.setting, clock.now).filter(|made| made.value == value)
    {
        return Ok(Decision::Made(made));
    }
    let change = Change {
        revision: changes.iter().map(|change| change.revision).max().unwrap_or(0) + 1,
        name: wanted.setting.name().to_owned(),
        value,
        effective_from,
        set_by: wanted.set_by,
        reason: wanted.reason,
        created_at: clock.now,
    };
    check_from(changes, &change)?;
    Ok(Decision::Make(change))
}

/// What was done under the old value stays: no change counts for a time that is over. A moment since the
/// transaction began is `now()` and means now.
fn check_not_past(effective_from: i64, clock: Clock) -> Result<()> {
    if effective_from >= clock.transaction_start.min(clock.now) {
        return Ok(());
    }
    Err(invalid("effective_from", "not lie in the past: what was done under the old value stays")
        .with("value", time::to_text(effective_from))
        .with("now", time::to_text(clock.now)))
}

/// The settings must fit together from the change's moment on, also at every later moment at which one of
/// them changes.
fn check_from(changes: &[Change], change: &Change) -> Result<()> {
    let mut all = changes.to_vec();
    all.push(change.clone());
    let mut moments: Vec<i64> =
        all.iter().map(|change| change.effective_from).filter(|at| *at >= change.effective_from).collect();
    moments.sort_unstable();
    moments.dedup();
    moments.into_iter().try_for_each(|at| Settings::at(&all, at)?.check(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;
    const CLOCK: Clock = Clock { now: NOW, transaction_start: NOW - 10 };

    fn change(revision: i64, setting: Setting, value: &str, effective_from: i64) -> Change {
        Change {
            revision,
            name: setting.name().to_owned(),
            value: value.to_owned(),
            effective_from,
            set_by: "app".to_owned(),
            reason: None,
            created_at: 0,
        }
    }

    fn wanted(setting: Setting, value: &str, effective_from: Option<i64>) -> Wanted {
        let value = setting.parse(value).unwrap();
        Wanted { setting, value, effective_from, set_by: "app".to_owned(), reason: None }
    }

    fn made(changes: &mut Vec<Change>, wanted: Wanted) -> Result<bool> {
        let change = match decide(changes, wanted, CLOCK)? {
            Decision::Made(_) => return Ok(false),
            Decision::Make(change) => change,
        };
        changes.push(change);
        Ok(true)
    }

    #[test]
    fn the_last_that_begins_counts_and_of_equals_the_later_made() {
        use Setting::TopupMinimum;
        let mut changes = vec![
            change(1, TopupMinimum, "100", 10),
            change(2, TopupMinimum, "300", 30),
            change(3, TopupMinimum, "200", 20),
            change(4, TopupMinimum, "250", 20),
            change(5, Setting::TopupMaximum, "5000", 15),
        ];
        changes.reverse();
        for (at, minimum, maximum) in [
            (i64::MIN, 10_000, 10_000_000),
            (9, 10_000, 10_000_000),
            (10, 100, 10_000_000),
            (19, 100, 5_000),
            (20, 250, 5_000),
            (29, 250, 5_000),
            (30, 300, 5_000),
            (i64::MAX, 300, 5_000),
        ] {
            let settings = Settings::at(&changes, at).unwrap();
            assert_eq!(settings.amount(TopupMinimum), Decimal::from(minimum), "{at}");
            assert_eq!(settings.amount(Setting::TopupMaximum), Decimal::from(maximum), "{at}");
        }
        let settings = Settings::at(&[], NOW).unwrap();
        assert_eq!(settings.micros(Setting::UniqueCodeCooldown), 48 * 3600 * 1_000_000);
        assert_eq!(settings.micros(Setting::IntentGrace), 3600 * 1_000_000);
        assert_eq!(settings.text(Setting::UniqueCodeBeneficiary), "platform");
        assert_eq!(settings.text(Setting::ShortfallAccount), "platform:receivable:chargebacks");
    }

    #[test]
    fn the_same_change_is_made_once() {
        let mut changes = Vec::new();
        let minimum = |value, from| wanted(Setting::TopupMinimum, value, from);
        let later = Some(NOW + 50);
        for (value, from, is_new) in [
            ("20000", None, true),
            ("20000.00", None, false),
            ("20000", Some(NOW), false),
            ("20000", Some(CLOCK.transaction_start), false),
            ("30000", later, true),
            ("30000", later, false),
            ("40000", later, true),
            ("30000", later, true),
            ("20000", None, false),
            ("30000", None, true),
            // To stay as it is now is a change where another one is announced, and before that as well.
            ("30000", Some(NOW + 40), true),
            ("30000", Some(NOW + 40), false),
            ("50000", Some(NOW + 60), true),
            ("30000", Some(NOW + 60), true),
        ] {
            assert_eq!(made(&mut changes, minimum(value, from)), Ok(is_new), "{value} {from:?}");
        }
        assert_eq!(
            changes.iter().map(|change| change.revision).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 7, 8]
        );
        assert_eq!(counting(&changes, Setting::TopupMinimum, NOW + 50).unwrap().revision, 4);
        // The value of the default, set by somebody, stays when the default changes.
        let mut fresh = Vec::new();
        assert_eq!(made(&mut fresh, minimum("10000", None)), Ok(true));
        // A repeat of what was announced is no change of the past.
        let clock = Clock { now: NOW + 100, transaction_start: NOW + 99 };
        let repeat = decide(&changes, minimum("30000", later), clock).unwrap();
        assert_eq!(repeat, Decision::Made(&changes[3]));
        assert!(decide(&changes, minimum("31000", later), clock).is_err());
    }

    #[test]
    fn no_change_counts_for_a_time_that_is_over() {
        let mut changes = Vec::new();
        for from in [i64::MIN, 0, CLOCK.transaction_start - 1, i64::MAX] {
            let error = made(&mut changes, wanted(Setting::TopupMinimum, "1", Some(from))).unwrap_err();
            assert_eq!(
                (error.code, &error.detail()["argument"]),
                (Code::InvalidArgument, &"effective_from".into())
            );
        }
        // Between the transaction's start and now is now: else a change made since would win.
        made(&mut changes, wanted(Setting::TopupMinimum, "1", Some(CLOCK.transaction_start))).unwrap();
        assert_eq!(changes[0].effective_from, NOW);
    }

    #[test]
    fn the_limits_stay_in_order_at_every_moment() {
        let mut changes = Vec::new();
        let (minimum, maximum) = (Setting::TopupMinimum, Setting::TopupMaximum);
        let mut set = |setting, value, from| match made(&mut changes, wanted(setting, value, from)) {
            Ok(is_new) => is_new,
            Err(error) => {
                assert_eq!(error.code, Code::InvalidArgument);
                false
            }
        };
        assert!(!set(minimum, "10000001", None), "above the default maximum");
        assert!(!set(maximum, "9999", None), "below the default minimum");
        assert!(set(minimum, "10000000", None), "equal is in order");
        assert!(set(maximum, "50000000", Some(NOW + 10)));
        assert!(!set(minimum, "20000000", None), "not until the maximum rises");
        assert!(set(minimum, "20000000", Some(NOW + 10)));
        assert!(!set(maximum, "19999999", Some(NOW + 20)));
        assert!(set(maximum, "10000000", None), "what is announced for later does not forbid it now");
        assert!(set(maximum, "30000000", Some(NOW + 40)));
        assert!(!set(minimum, "30000001", Some(NOW + 30)), "in order then, and not from NOW + 40 on");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_guessed() {
        let broken = [change(1, Setting::IntentGrace, "1 fortnight", 0)];
        assert_eq!(Settings::at(&broken, 0).unwrap_err().code, Code::BooksInconsistent);
        let mut unknown = change(1, Setting::IntentGrace, "x", 0);
        unknown.name = "of_a_later_version".to_owned();
        assert_eq!(Settings::at(&[unknown], 0), Settings::at(&[], 0));
    }
}
