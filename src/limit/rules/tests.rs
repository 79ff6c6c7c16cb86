mod forms;
mod meters;

use super::change::{EVERYONE, Request, effective_from, limit};
use super::gauge::Gauge;
use super::list::In;
use super::meter::{Asked, Meter};
use super::spending::{Spending, UNKNOWN, give_back};
use super::verdict::Reason;
use super::window::Windows;
use super::*;
use crate::error::Code;
use crate::money::Number;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

const IDR: In = In { currency: "IDR", scale: Some(2) };
const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;
const PAYMENT: i16 = 3;

fn rupiah(amount: i64) -> Decimal {
    Decimal::new(amount * 100, 2)
}

fn request() -> Request<'static> {
    Request {
        name: "default",
        method: None,
        per_transaction: None,
        periods: [None; 3],
        windows: None,
        merchants: None,
        categories: None,
        replaces_default: false,
        is_default: false,
    }
}

fn made(change: impl FnOnce(&mut Request<'static>)) -> Limit {
    let mut request = request();
    change(&mut request);
    limit(&request, IDR).unwrap()
}

fn of(amount: i64) -> Option<Number> {
    Some(Number::Finite(Decimal::from(amount)))
}

/// Moments of a ledger in UTC whose first day is a Monday.
fn moment(day: i64, clock: i64) -> Moment {
    let whole = |length: i64| {
        let start = day / length * length;
        Period { start: start * DAY, end: (start + length) * DAY }
    };
    Moment { at: day * DAY + clock, weekday: day % 7, clock, periods: [whole(1), whole(7), whole(28)] }
}

fn spend(amount: i64) -> Spend {
    Spend {
        amount: rupiah(amount),
        merchant: Some("merchants:canteen".to_owned()),
        category: None,
        method: None,
    }
}

/// A wallet with nothing spent and nothing held.
fn gauge(limits: Vec<Limit>, moments: Vec<Moment>) -> Gauge {
    gauge_of(limits, moments, None, Vec::new())
}

/// The first moment is now.
fn gauge_of(limits: Vec<Limit>, moments: Vec<Moment>, stored: Option<&Spending>, holds: Vec<Spend>) -> Gauge {
    let by_time = moments.iter().map(|moment| (moment.at, *moment)).collect();
    let mut gauge = Gauge::new(moments[0].at, by_time, vec![PAYMENT]);
    let mut meter = Meter::new("wallets:a", "IDR", 2, holds);
    meter.set_limits(always(limits));
    meter.set_until(i64::MAX);
    for (period, bounds) in meter.take_stored(stored, &[PAYMENT], &moments) {
        meter.take_counted(period, bounds, &[]).unwrap();
    }
    gauge.insert(0, meter);
    gauge
}

/// Limits that count at any time.
fn always(limits: Vec<Limit>) -> BTreeMap<i64, Vec<Limit>> {
    BTreeMap::from([(i64::MIN, limits)])
}

/// Which periods of a moment are not known from what is stored.
fn missing(limits: Vec<Limit>, stored: &Spending, kinds: &[i16], moment: &Moment) -> Vec<usize> {
    let mut meter = Meter::new("wallets:a", "IDR", 2, Vec::new());
    meter.set_limits(always(limits));
    meter.take_stored(Some(stored), kinds, [moment]).into_iter().map(|(period, _)| period).collect()
}

fn windows(value: Value) -> Windows {
    Windows::parse(&value).unwrap()
}

#[test]
fn spending_is_gross_and_the_least_room_decides() {
    let limits = vec![
        made(|request| {
            (request.per_transaction, request.periods) = (of(30_000), [of(50_000), of(120_000), None])
        }),
        made(|request| (request.name, request.periods[0]) = ("other", of(45_000))),
    ];
    let monday = moment(0, 12 * HOUR);
    let mut gauge = gauge(limits, vec![monday]);
    for (amount, reason, remaining) in [
        (30_001, Some(Reason::PerTransaction), 30_000),
        (30_000, None, 30_000),
        (15_001, Some(Reason::Period(0)), 15_000),
        (15_000, None, 15_000),
        (1, Some(Reason::Period(0)), 0),
    ] {
        gauge.begin();
        let verdict = gauge.judge(0, &spend(amount), monday.at);
        assert_eq!((verdict.reason, verdict.remaining), (reason, Some(rupiah(remaining))), "{amount}");
        if reason.is_none() {
            gauge.check(0, &spend(amount), monday.at, Asked::All).unwrap();
            gauge.count(0, &spend(amount), monday.at).unwrap();
        }
    }
    let refusal = gauge.check(0, &spend(1), monday.at, Asked::All).unwrap_err();
    let detail = refusal.to_error(None).detail();
    assert_eq!(detail["error"], "spending_limit_exceeded");
    assert_eq!((&detail["reason"], &detail["limit"]), (&json!("daily"), &json!("other")));
    assert_eq!((&detail["spent"], &detail["remaining"]), (&json!("45000.00"), &json!("0.00")));
}

#[test]
fn one_transaction_is_judged_as_a_whole_and_taken_back_as_a_whole() {
    let limits = vec![made(|request| (request.per_transaction, request.periods[0]) = (of(100), of(150)))];
    let monday = moment(0, 12 * HOUR);
    let mut gauge = gauge(limits, vec![monday]);
    gauge.begin();
    gauge.count(0, &spend(60), monday.at).unwrap();
    assert_eq!(gauge.judge(0, &spend(41), monday.at).reason, Some(Reason::PerTransaction));
    gauge.count(0, &spend(40), monday.at).unwrap();
    gauge.roll_back();
    gauge.begin();
    assert_eq!(gauge.judge(0, &spend(100), monday.at).reason, None);
    gauge.count(0, &spend(100), monday.at).unwrap();
    gauge.begin();
    assert_eq!(gauge.judge(0, &spend(51), monday.at).reason, Some(Reason::Period(0)));
}

#[test]
fn a_hold_counts_in_every_period_until_it_is_resolved() {
    let limits = vec![made(|request| request.periods = [of(100), of(100), of(100)])];
    let monday = moment(0, 0);
    let gauge = gauge_of(limits, vec![monday], None, vec![spend(70)]);
    let verdict = gauge.judge(0, &spend(31), monday.at);
    let bound = verdict.bound.unwrap();
    assert_eq!((verdict.reason, bound.spent, bound.held), (Some(Reason::Period(0)), rupiah(0), rupiah(70)));
    assert_eq!(gauge.judge(0, &spend(30), monday.at).reason, None);
}

#[test]
fn a_limit_of_a_method_counts_that_method_alone() {
    let limits = vec![
        made(|request| (request.method, request.periods[0]) = (Some("pin"), of(20))),
        made(|request| (request.name, request.periods[0]) = ("all", of(100))),
    ];
    let monday = moment(0, 0);
    let mut gauge = gauge(limits, vec![monday]);
    let by = |amount, method: &str| Spend { method: Some(method.to_owned()), ..spend(amount) };
    gauge.begin();
    gauge.count(0, &by(50, "fingerprint"), monday.at).unwrap();
    assert_eq!(gauge.judge(0, &by(20, "pin"), monday.at).reason, None);
    assert_eq!(gauge.judge(0, &by(21, "pin"), monday.at).reason, Some(Reason::Period(0)));
    gauge.count(0, &by(20, "pin"), monday.at).unwrap();
    assert_eq!(gauge.judge(0, &by(1, "pin"), monday.at).reason, Some(Reason::Period(0)));
    assert_eq!(gauge.judge(0, &by(30, "fingerprint"), monday.at).reason, None);
    assert_eq!(gauge.judge(0, &by(31, "fingerprint"), monday.at).reason, Some(Reason::Period(0)));
}

#[test]
fn the_organisation_s_limit_is_tightened_and_loosened_only_by_what_replaces_it() {
    let default = || made(|request| (request.is_default, request.periods[0]) = (true, of(100)));
    let own = |amount, replaces| {
        made(|request| (request.periods[0], request.replaces_default) = (of(amount), replaces))
    };
    let monday = moment(0, 0);
    for (limits, room) in [
        (vec![default()], 100),
        (vec![default(), own(40, false)], 40),
        (vec![default(), own(400, false)], 100),
        (vec![default(), own(400, true)], 400),
    ] {
        let gauge = gauge(counting(limits, "IDR"), vec![monday]);
        assert_eq!(gauge.judge(0, &spend(1), monday.at).remaining, Some(rupiah(room)));
    }
    assert!(counting(vec![default()], "USD").is_empty(), "rupiah do not limit dollars");
}

#[test]
fn a_counter_goes_over_into_the_next_day_and_the_week_goes_on() {
    let limits = || vec![made(|request| request.periods = [of(100), of(150), of(1000)])];
    let (monday, tuesday) = (moment(0, 12 * HOUR), moment(1, 0));
    let mut first = gauge(limits(), vec![monday]);
    first.begin();
    first.count(0, &spend(100), monday.at).unwrap();
    let (_, stored) = first.changes().next().unwrap();
    let stored = Spending::parse(&stored).unwrap();
    let second = gauge_of(limits(), vec![tuesday], stored.as_ref(), Vec::new());
    assert_eq!(second.judge(0, &spend(50), tuesday.at).reason, None);
    assert_eq!(second.judge(0, &spend(51), tuesday.at).reason, Some(Reason::Period(1)));
}

#[test]
fn what_is_dated_counts_on_its_own_day() {
    let limits = || vec![made(|request| request.periods = [of(100), of(150), None])];
    let (today, yesterday, next_week) = (moment(2, HOUR), moment(1, HOUR), moment(7, HOUR));
    let mut gauge = gauge(limits(), vec![today, yesterday, next_week]);
    gauge.begin();
    gauge.count(0, &spend(100), yesterday.at).unwrap();
    assert_eq!(gauge.judge(0, &spend(1), yesterday.at).reason, Some(Reason::Period(0)));
    assert_eq!(gauge.judge(0, &spend(51), today.at).reason, Some(Reason::Period(1)), "the same week");
    assert_eq!(gauge.judge(0, &spend(100), next_week.at).reason, None);
    gauge.count(0, &spend(100), next_week.at).unwrap();
    let stored = Spending::parse(&gauge.changes().next().unwrap().1).unwrap().unwrap();
    assert!(stored.is_dated, "next Monday does not begin with nothing");
    assert_eq!(stored.spent[TOTAL], [rupiah(0), rupiah(100), rupiah(200)]);
    assert_eq!(missing(limits(), &stored, &[PAYMENT], &next_week), [0, 1]);
}

#[test]
fn a_counter_that_lacks_what_a_limit_looks_at_is_not_used() {
    let monday = moment(0, 0);
    let mut first = gauge(vec![made(|request| request.periods[0] = of(100))], vec![monday]);
    first.begin();
    first.count(0, &spend(10), monday.at).unwrap();
    let stored = Spending::parse(&first.changes().next().unwrap().1).unwrap().unwrap();
    let limited = made(|request| request.merchants = Some(json!({"limits": {"canteen": {"daily": 20}}})));
    for (limit, kinds, lacking) in [
        (limited, vec![PAYMENT], vec![0, 1, 2]),
        (made(|request| request.periods[0] = of(100)), vec![PAYMENT], vec![]),
        (made(|request| request.periods[0] = of(100)), vec![PAYMENT, 4], vec![0, 1, 2]),
    ] {
        assert_eq!(missing(vec![limit], &stored, &kinds, &monday), lacking);
    }
}

#[test]
fn without_a_limit_nothing_is_counted() {
    let monday = moment(0, 0);
    let mut first = gauge(vec![made(|request| request.periods[0] = of(100))], vec![monday]);
    first.begin();
    first.count(0, &spend(10), monday.at).unwrap();
    let stored = Spending::parse(&first.changes().next().unwrap().1).unwrap();
    let mut lifted = gauge_of(Vec::new(), vec![monday], stored.as_ref(), Vec::new());
    lifted.begin();
    assert_eq!(lifted.judge(0, &spend(1_000_000), monday.at).reason, None);
    lifted.count(0, &spend(1_000_000), monday.at).unwrap();
    let kept = Spending::parse(&lifted.changes().next().unwrap().1).unwrap().unwrap();
    assert!(kept.limits.is_empty() && kept.spent.is_empty(), "what was counted before is forgotten");
    // From then on the row says that there is no limit, and is not written again for it.
    let mut meter = Meter::new("wallets:a", "IDR", 2, Vec::new());
    meter.take_limits(&kept);
    assert!(meter.take_stored(Some(&kept), &[PAYMENT], [&monday]).is_empty());
    // A later limit counts anew.
    let later = vec![made(|request| request.periods[0] = of(100))];
    assert_eq!(missing(later, &kept, &[PAYMENT], &monday), [0, 1, 2]);
}

#[test]
fn limits_are_stored_beside_the_counter_as_they_decide() {
    let limits = vec![
        made(|request| {
            request.periods = [of(50_000), None, of(900_000)];
            request.windows = Some(json!([{"days": ["sun"], "from": "22:00", "to": "02:00"}]));
        }),
        made(|request| {
            (request.name, request.method) = ("with_pin", Some("pin"));
            request.merchants = Some(json!({"allow": ["canteen"]}));
            request.categories = Some(json!({"deny": ["sweets"]}));
        }),
        made(|request| {
            (request.name, request.is_default) = ("all", true);
            request.merchants = Some(json!({"limits": {"canteen": {"per_transaction": 5, "daily": "7.5"}}}));
        }),
    ];
    let night = moment(6, 23 * HOUR);
    let mut gauge = gauge(limits, vec![night]);
    gauge.begin();
    gauge.count(0, &spend(3), night.at).unwrap();
    let text = gauge.changes().next().unwrap().1;
    let stored = Spending::parse(&text).unwrap().unwrap();
    assert_eq!(stored.to_text(), text);
    let mut again = Gauge::new(night.at, HashMap::from([(night.at, night)]), vec![PAYMENT]);
    let mut meter = Meter::new("wallets:a", "IDR", 2, Vec::new());
    meter.take_limits(&stored);
    assert!(meter.take_stored(Some(&stored), &[PAYMENT], [&night]).is_empty());
    again.insert(0, meter);
    gauge.begin();
    for amount in [1, 4, 5, 6, 60_000] {
        for (category, method) in [(None, None), (Some("sweets"), Some("pin")), (Some("food"), Some("pin"))] {
            let spend = Spend {
                category: category.map(str::to_owned),
                method: method.map(str::to_owned),
                ..spend(amount)
            };
            assert_eq!(again.judge(0, &spend, night.at), gauge.judge(0, &spend, night.at), "{spend:?}");
        }
    }
}

#[test]
fn a_refund_gives_back_while_the_period_lasts() {
    let limits = || {
        vec![made(|request| {
            request.periods = [of(100), of(500), None];
            request.merchants = Some(json!({"limits": {"canteen": {"daily": 80}}}));
        })]
    };
    let (monday, tuesday) = (moment(0, 12 * HOUR), moment(1, 0));
    let mut gauge = gauge(limits(), vec![tuesday, monday]);
    gauge.begin();
    gauge.count(0, &spend(70), monday.at).unwrap();
    gauge.count(0, &spend(30), tuesday.at).unwrap();
    let stored = gauge.changes().next().unwrap().1;
    // Monday's day is over, its week is not.
    let after =
        Spending::parse(&give_back(&stored, PAYMENT, monday.at, &spend(70)).unwrap()).unwrap().unwrap();
    assert_eq!(after.spent[TOTAL], [rupiah(30), rupiah(30), rupiah(30)]);
    let after =
        Spending::parse(&give_back(&stored, PAYMENT, tuesday.at, &spend(10)).unwrap()).unwrap().unwrap();
    assert_eq!(after.spent["m:merchants:canteen"], [rupiah(20), rupiah(90), rupiah(90)]);
    assert_eq!(give_back(&stored, 1, tuesday.at, &spend(10)).unwrap(), stored, "a kind that does not count");
    assert_eq!(give_back(&stored, PAYMENT, tuesday.at, &spend(31)).unwrap(), UNKNOWN);
    assert_eq!(give_back(UNKNOWN, PAYMENT, tuesday.at, &spend(1)).unwrap(), UNKNOWN);
    assert!(give_back("{\"kinds\":7}", PAYMENT, 0, &spend(1)).is_err());
}

#[test]
fn what_is_shut_leaves_nothing_and_says_when_it_opens() {
    let limits = vec![made(|request| {
        request.periods[0] = of(50_000);
        request.windows = Some(json!([{"from": "07:00", "to": "15:00"}]));
    })];
    let late = moment(0, 16 * HOUR);
    let gauge = gauge(limits, vec![late]);
    let verdict = gauge.judge(0, &spend(1), late.at);
    assert_eq!(verdict.reason, Some(Reason::Window));
    assert_eq!((verdict.opening, verdict.remaining), (Some((1, 7 * HOUR)), Some(rupiah(0))));
    let detail = gauge.check(0, &spend(1), late.at, Asked::All).unwrap_err().to_error(Some(0)).detail();
    assert_eq!((&detail["reason"], &detail["resets_at"]), (&json!("window"), &json!("2000-01-01T00:00:00Z")));
}
