//! Which limits count when, and what a meter does at the edges.

use super::*;
use crate::limit::rules::timeline::{Timeline, at_moments};

#[test]
fn of_each_name_the_change_counts_that_began_last() {
    let change = |name, revision, daily, from: i64| {
        let made = made(|request| (request.name, request.periods[0]) = (name, of(daily)));
        (from, Limit { revision, ..made })
    };
    let own = Timeline::new(vec![
        change("own", 2, 20, 50),
        change("own", 1, 10, 10),
        // Made later for an earlier moment: the one of 50 still begins then.
        change("own", 3, 30, 40),
        // Of two that begin at once, the later made.
        change("other", 2, 200, 10),
        change("other", 1, 100, 10),
    ]);
    let default = Timeline::new(vec![change("all", 1, 5, 45)]);
    let at = |moments: &[i64]| at_moments(&own, &default, "IDR", moments.iter().copied());
    let said = |at: i64| -> Vec<(String, i64)> {
        let (_, limits) = at_moments(&own, &default, "IDR", [at]).pop_first().unwrap();
        limits.into_iter().map(|limit| (limit.name, limit.revision)).collect()
    };
    let named = |all: &[(&str, i64)]| -> Vec<(String, i64)> {
        all.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
    };
    assert_eq!(said(9), []);
    for last in [10, 39] {
        assert_eq!(said(last), named(&[("other", 2), ("own", 1)]));
    }
    assert_eq!(said(40), named(&[("other", 2), ("own", 3)]));
    assert_eq!(said(49), named(&[("other", 2), ("own", 3), ("all", 1)]));
    assert_eq!(said(50), named(&[("other", 2), ("own", 2), ("all", 1)]));
    // As many sets as there are changes between the moments, however many these are.
    let many: Vec<i64> = (9..45).collect();
    assert_eq!(at(&many).keys().copied().collect::<Vec<_>>(), [i64::MIN, 10, 40]);
}

#[test]
fn a_period_that_overlaps_the_stored_one_is_counted_anew() {
    let monday = moment(0, 12 * HOUR);
    let limits = || vec![made(|request| request.periods[0] = of(100))];
    let mut first = gauge(limits(), vec![monday]);
    first.begin();
    first.count(0, &spend(10), monday.at).unwrap();
    let stored = Spending::parse(&first.changes().next().unwrap().1).unwrap().unwrap();
    // The clock of another time zone: its day begins before the stored one ends, or begins with it and ends later.
    let day = |start: i64, end: i64| Moment {
        periods: [Period { start, end }, monday.periods[1], monday.periods[2]],
        ..monday
    };
    for (start, end, lacking) in
        [(0, DAY, vec![]), (HOUR, DAY + HOUR, vec![0]), (0, DAY + HOUR, vec![0]), (DAY, 2 * DAY, vec![])]
    {
        assert_eq!(missing(limits(), &stored, &[PAYMENT], &day(start, end)), lacking, "{start} {end}");
    }
}

#[test]
fn gross_spending_may_outgrow_every_balance_and_is_refused_then() {
    let limits = vec![made(|request| request.per_transaction = of(1))];
    let monday = moment(0, 0);
    let mut gauge = gauge(limits, vec![monday]);
    let most = Spend { amount: Decimal::from_i128_with_scale((1 << 96) - 1, 2), ..spend(1) };
    gauge.begin();
    gauge.count(0, &most, monday.at).unwrap();
    assert_eq!(gauge.count(0, &most, monday.at).unwrap_err().code, Code::AmountOutOfRange);
    gauge.roll_back();
    gauge.begin();
    gauge.count(0, &most, monday.at).unwrap();
}

#[test]
fn where_only_the_merchant_is_asked_about_nothing_else_refuses() {
    let limits = vec![made(|request| {
        request.periods[0] = of(0);
        request.windows = Some(json!([{"from": "07:00", "to": "08:00"}]));
        request.merchants = Some(json!({"deny": ["kiosk"], "limits": {"canteen": {"daily": 20}}}));
        request.categories = Some(json!({"allow": ["food"]}));
    })];
    let monday = moment(0, 12 * HOUR);
    let gauge = gauge(limits, vec![monday]);
    let to = |merchant: &str, amount| {
        let spend = Spend { merchant: Some(format!("merchants:{merchant}")), ..spend(amount) };
        gauge.check(0, &spend, monday.at, Asked::Merchant).map_err(|refusal| refusal.verdict.reason.unwrap())
    };
    assert_eq!(to("canteen", 20), Ok(()));
    assert_eq!(to("canteen", 21), Err(Reason::Period(0)));
    assert_eq!(to("kiosk", 1), Err(Reason::Merchant));
    assert_eq!(to("elsewhere", 1_000), Ok(()));
}
