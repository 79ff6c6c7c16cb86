//! What a limit may say, and what it may not.

use super::*;

#[test]
fn a_window_begins_with_its_first_moment_and_ends_before_its_last() {
    let school =
        windows(json!([{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "07:00", "to": "15:00"}]));
    assert!(!school.contains(0, 7 * HOUR - 1));
    assert!(school.contains(0, 7 * HOUR));
    assert!(school.contains(4, 15 * HOUR - 1), "14:59:59.999999");
    assert!(!school.contains(4, 15 * HOUR), "15:00:00");
    assert!(!school.contains(5, 12 * HOUR), "Saturday");
    // Friday afternoon: it opens on Monday morning, three days on.
    assert_eq!(school.opening(4, 16 * HOUR), (3, 7 * HOUR));
    assert_eq!(school.opening(0, 6 * HOUR), (0, 7 * HOUR));
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let night = windows(json!([{"days": ["sun"], "from": "22:00", "to": "02:00"}]));
    assert!(night.contains(6, 22 * HOUR) && night.contains(6, DAY - 1));
    assert!(night.contains(0, 0) && night.contains(0, 2 * HOUR - 1), "Monday's first two hours");
    assert!(!night.contains(0, 2 * HOUR) && !night.contains(0, 22 * HOUR) && !night.contains(6, 1 * HOUR));
    let whole = windows(json!([{"from": "00:00", "to": "24:00"}]));
    assert!((0..7).all(|day| whole.contains(day, 0) && whole.contains(day, DAY - 1)));
}

#[test]
fn windows_that_cannot_be_meant_are_refused() {
    let one = |days: Value, from: &str, to: &str| json!([{"days": days, "from": from, "to": to}]);
    for (value, reason) in [
        (json!([]), Some("empty")),
        (one(json!(["mon"]), "07:00", "07:00"), Some("empty")),
        (
            json!([{"from": "07:00", "to": "12:00"}, {"days": ["fri"], "from": "11:59", "to": "13:00"}]),
            Some("overlap"),
        ),
        (
            json!([{"from": "22:00", "to": "02:00"}, {"days": ["mon"], "from": "01:00", "to": "03:00"}]),
            Some("overlap"),
        ),
        (
            json!([{"days": ["sun"], "from": "22:00", "to": "02:00"}, {"days": ["mon"], "from": "00:00", "to": "01:00"}]),
            Some("overlap"),
        ),
        (one(json!(["funday"]), "07:00", "15:00"), None),
        (one(json!(["Mon"]), "07:00", "15:00"), None),
        (one(json!(["mon", "mon"]), "07:00", "15:00"), None),
        (one(json!([]), "07:00", "15:00"), None),
        (one(json!("mon"), "07:00", "15:00"), None),
        (one(json!(["mon"]), "7:00", "15:00"), None),
        (one(json!(["mon"]), "24:00", "15:00"), None),
        (one(json!(["mon"]), "07:60", "15:00"), None),
        (one(json!(["mon"]), "07:00", "24:01"), None),
        (one(json!(["mon"]), "07:00", "💸"), None),
        (one(json!(["mon"]), "-7:00", "15:00"), None),
        (json!([{"from": "07:00"}]), None),
        (json!([{"from": "07:00", "to": "15:00", "day": "mon"}]), None),
        (json!({"from": "07:00", "to": "15:00"}), None),
        (json!(["07:00-15:00"]), None),
        (json!(null), None),
    ] {
        let error = Windows::parse(&value).expect_err(&value.to_string());
        assert_eq!(error.code, Code::InvalidArgument, "{value}");
        if let Some(reason) = reason {
            assert_eq!(error.detail()["reason"], reason, "{value}");
        }
    }
    let many: Vec<Value> = (0..51).map(|_| json!({"from": "07:00", "to": "15:00"})).collect();
    assert!(Windows::parse(&Value::Array(many)).is_err());
}

#[test]
fn windows_that_touch_do_not_overlap_and_are_written_in_one_way() {
    let value = json!([{"days": ["fri", "mon"], "from": "07:00", "to": "12:00"}, {"days": ["mon"], "from": "12:00", "to": "15:00"}]);
    let written = windows(value).to_json();
    assert_eq!(written[0]["days"], json!(["mon", "fri"]));
    assert_eq!(windows(written.clone()).to_json(), written);
}

#[test]
fn amounts_of_a_limit_are_zero_or_more_and_exact() {
    let nothing = made(|request| request.periods[0] = of(0));
    assert!(nothing.limits(), "zero means that nothing may be spent");
    for (number, code) in [
        (Number::Finite(Decimal::from(-1)), Code::InvalidArgument),
        (Number::Nan, Code::InvalidAmount),
        (Number::Infinite, Code::InvalidAmount),
        (Number::OutOfRange, Code::AmountOutOfRange),
        (Number::Finite(Decimal::new(1, 3)), Code::InvalidAmount),
    ] {
        for place in 0..4 {
            let mut request = request();
            match place {
                3 => request.per_transaction = Some(number),
                place => request.periods[place] = Some(number),
            }
            assert_eq!(limit(&request, IDR).unwrap_err().code, code, "{number:?}");
        }
    }
    assert!(!made(|_| ()).limits(), "a limit without anything is one that was lifted");
}

#[test]
fn lists_name_merchants_and_categories() {
    let limit = made(|request| {
        request.merchants =
            Some(json!({"allow": ["canteen", "shops:9"], "limits": {"canteen": {"daily": "15000.50"}}}));
        request.categories = Some(json!({"deny": ["sweets"]}));
    });
    let merchants = limit.merchants.unwrap();
    assert!(merchants.allows(Some("merchants:canteen")) && merchants.allows(Some("shops:9")));
    assert!(!merchants.allows(Some("merchants:kiosk")) && !merchants.allows(None));
    assert_eq!(merchants.caps("merchants:canteen").unwrap().periods[0], Some(Decimal::new(1_500_050, 2)));
    let categories = limit.categories.unwrap();
    assert!(categories.allows(None) && categories.allows(Some("food")) && !categories.allows(Some("sweets")));
    for value in [
        json!({}),
        json!([]),
        json!({"allow": []}),
        json!({"allow": [1]}),
        json!({"allow": "canteen"}),
        json!({"allow": ["a b"]}),
        json!({"allow": [""]}),
        json!({"allow": ["a"], "deny": ["a"]}),
        json!({"only": ["a"]}),
        json!({"limits": {}}),
        json!({"limits": {"a": {}}}),
        json!({"limits": {"a": {"yearly": 1}}}),
        json!({"limits": {"a": {"daily": -1}}}),
        json!({"limits": {"a": {"daily": "NaN"}}}),
        json!({"limits": {"a": {"daily": true}}}),
        json!({"limits": {"a": {"daily": 1e300}}}),
        json!({"limits": {"a": {"daily": 0.001}}}),
        json!({"limits": {"a": 1}}),
        json!({"limits": {"a": {"daily": 5}, "merchants:a": {"daily": 7}}}),
    ] {
        let mut request = request();
        request.merchants = Some(value.clone());
        assert!(super::change::limit(&request, IDR).is_err(), "{value}");
    }
}

#[test]
fn the_forms_of_the_rest() {
    for change in [
        (|request: &mut Request<'static>| request.name = "Default") as fn(&mut Request<'static>),
        |request| request.method = Some("face"),
        |request| (request.is_default, request.replaces_default) = (true, true),
        |request| {
            request.method = Some("pin");
            request.merchants = Some(json!({"limits": {"a": {"daily": 1}}}));
        },
    ] {
        let mut request = request();
        change(&mut request);
        assert_eq!(limit(&request, IDR).unwrap_err().code, Code::InvalidArgument);
    }
    assert_eq!(EVERYONE, "*");
    assert_eq!(effective_from(5, 10, 5), Ok(10));
    assert_eq!(effective_from(20, 10, 5), Ok(20));
    assert!(effective_from(4, 10, 5).is_err());
}
