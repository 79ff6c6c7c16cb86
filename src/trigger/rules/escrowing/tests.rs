use super::*;
use crate::setting::rules::interval::{DAY, HOUR};
use crate::trigger::rules::column::{Column, Holds, Problem};
use rust_decimal::Decimal;

const ORDERS: [&str; 12] = [
    "status_column=status",
    "opened=paid",
    "shipped=sent",
    "released=delivered",
    "refunded=cancelled",
    "reference=order-{order_no}",
    "buyer=wallets:{buyer_id}",
    "beneficiary=merchants:{merchant_id}",
    "amount=total",
    "fee=merchant_commission",
    "tracking=tracking_no",
    "ledger=school-{school}",
];

fn parse(arguments: &[&str]) -> std::result::Result<Definition, Problem> {
    Definition::parse(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
}

/// The arguments without those that begin so, and with others.
fn changed(without: &[&str], with: &[&'static str]) -> Vec<&'static str> {
    let kept = |argument: &&&'static str| !without.iter().any(|name| argument.starts_with(name));
    ORDERS.iter().filter(kept).copied().chain(with.iter().copied()).collect()
}

fn columns() -> Vec<Column> {
    let column =
        |(name, holds): (&str, Holds)| Column { name: name.to_owned(), type_name: "some".to_owned(), holds };
    let named = [
        ("status", Holds::Enum),
        ("order_no", Holds::Text),
        ("school", Holds::Integer),
        ("buyer_id", Holds::Text),
        ("merchant_id", Holds::Text),
        ("total", Holds::Numeric),
        ("tracking_no", Holds::Text),
        ("items", Holds::Jsonb),
        ("basket", Holds::Json),
    ];
    named.map(column).to_vec()
}

fn names(values: [Option<&str>; 4]) -> Names {
    Names { key: vec!["7".to_owned()], values: values.map(|value| value.map(str::to_owned)).to_vec() }
}

/// Order number, school, buyer, merchant: the order of the placeholders.
const ROW: [Option<&str>; 4] = [Some("A1"), Some("3"), Some("budi"), Some("5")];

#[test]
fn the_arguments_come_in_any_order() {
    let orders = parse(&ORDERS).unwrap();
    assert_eq!(orders.placeholders, ["order_no", "school", "buyer_id", "merchant_id"]);
    assert_eq!(orders.identity, [0, 1]);
    assert_eq!(orders.auto_release_micros, 7 * DAY);
    assert_eq!(orders.value(Step::Ship), Some("sent"));
    let mut reversed = ORDERS;
    reversed.reverse();
    assert_eq!(parse(&reversed), Ok(orders.clone()));
    let places = orders.resolve(&columns()).unwrap();
    assert_eq!((places.status, places.lines, places.amount, places.tracking), (0, None, Some(5), Some(6)));
    assert_eq!(places.placeholders, [1, 2, 3, 4]);
    let least = parse(&["status_column=s", "opened=1", "reference=o{n}", "buyer={b}", "lines=l"]).unwrap();
    assert_eq!((&least.goods, least.value(Step::Refund)), (&Goods::Lines("l".to_owned()), None));
    let lines = parse(&changed(&["benef", "fee"], &["lines=items", "auto_release_after=48 hours"])).unwrap();
    assert_eq!((lines.amount.as_deref(), lines.auto_release_micros), (Some("total"), 48 * HOUR));
    assert_eq!(lines.resolve(&columns()).unwrap().lines, Some(7));
}

#[test]
fn what_is_wrong_is_named() {
    type Case = (&'static [&'static str], &'static [&'static str], &'static str);
    let cases: &[Case] = &[
        (&["status_column"], &[], "the argument 'status_column' is missing"),
        (&["opened"], &[], "the argument 'opened' is missing"),
        (&["reference"], &[], "the argument 'reference' is missing"),
        (&["buyer"], &[], "the argument 'buyer' is missing"),
        (&["amount"], &[], "either a column of lines, or a beneficiary with an amount"),
        (&["benef"], &[], "either a column of lines, or a beneficiary with an amount"),
        (&[], &["lines=items"], "either a column of lines, or a beneficiary with an amount"),
        (&["benef"], &["lines=items"], "'fee' goes with a beneficiary"),
        (&[], &["status"], "'status' is not of the form name=value"),
        (&[], &["paid=status"], "there is no argument 'paid'"),
        (&["shipped"], &["shipped="], "the argument 'shipped' is empty"),
        (&[], &["opened=pending"], "'opened' is named twice"),
        (&["fee"], &["fee=Commission"], "the fee is no rate's name"),
        (&["reference"], &["reference=orders:{order_no}"], "it is no reference"),
        (&["buyer"], &["buyer=wallets:{buyer_id"], "a '{' is not closed"),
        (&["benef"], &["beneficiary=a::b"], "it is no address"),
        (&["ledger"], &["ledger=a:b"], "it is no ledger's name"),
        (&[], &["auto_release_after=366 days"], "'366 days', which is no time"),
        (&[], &["auto_release_after=soon"], "'soon', which is no time"),
        (&[], &["auto_release_after=-1 day"], "'-1 day', which is no time"),
    ];
    for (without, with, words) in cases {
        let problem = parse(&changed(without, with)).unwrap_err();
        assert!(problem.text.contains(words) && !problem.hint.is_empty(), "{with:?}: {problem:?}");
    }
}

#[test]
fn columns_that_do_not_fit_are_all_named() {
    let problems = |arguments: &[&str]| {
        let problems = parse(arguments).unwrap().resolve(&columns()).unwrap_err();
        problems.into_iter().map(|problem| problem.text).collect::<Vec<_>>().join("; ")
    };
    let wrong = changed(
        &["status", "reference", "amount", "tracking"],
        &["status_column=state", "reference={no}", "amount=sum", "tracking=awb"],
    );
    let found = problems(&wrong);
    for words in
        ["\"state\" (status column)", "\"no\" (placeholder)", "\"sum\" (amount", "\"awb\" (tracking)"]
    {
        assert!(found.contains(words), "{found}");
    }
    assert!(problems(&changed(&["amount"], &["amount=items"])).contains("which is no number"));
    assert!(problems(&changed(&["benef", "fee"], &["lines=basket"])).contains("which is not jsonb"));
}

#[test]
fn each_value_stands_for_one_step() {
    let column = |holds| Column { name: "status".to_owned(), type_name: "some".to_owned(), holds };
    let shown = |arguments: &[&str], holds| {
        parse(arguments).unwrap().shown_values(&column(holds), |label| label != "lost")
    };
    let values = shown(&ORDERS, Holds::Enum).unwrap();
    for (status, step) in [
        ("paid", Some(Step::Open)),
        ("sent", Some(Step::Ship)),
        ("delivered", Some(Step::Release)),
        ("cancelled", Some(Step::Refund)),
        ("pending", None),
        ("", None),
    ] {
        assert_eq!(values.step(status.as_bytes()), step, "{status}");
    }
    let twice = changed(&["refunded"], &["refunded=paid"]);
    assert!(shown(&twice, Holds::Text).unwrap_err().text.contains("opened and for refunded"));
    let unknown = changed(&["refunded"], &["refunded=lost"]);
    assert!(shown(&unknown, Holds::Enum).unwrap_err().text.contains("'lost' is not a value"));
    // Two ways to write what the column shows in one way.
    let numbers = changed(&["opened", "shipped", "released", "refunded"], &["opened=2", "released=02"]);
    assert!(shown(&numbers, Holds::Integer).unwrap_err().text.contains("opened and for released"));
}

#[test]
fn only_another_status_asks_for_something() {
    let definition = parse(&ORDERS).unwrap();
    let all: Vec<Option<Step>> = std::iter::once(None).chain(Step::ALL.map(Some)).collect();
    for now in &all {
        let new = (*now, names(ROW));
        assert_eq!(asked(&definition, None, &new, "t"), Ok(*now), "a new row");
        for before in &all {
            let old = (*before, names(ROW));
            let expected = if before == now { None } else { *now };
            assert_eq!(asked(&definition, Some(&old), &new, "t"), Ok(expected), "{before:?} {now:?}");
            assert!(expected.is_none() || matters(Some(*before), *now));
        }
    }
    assert!(!matters(None, None) && !matters(Some(None), None));
}

#[test]
fn a_row_that_stands_for_an_escrow_keeps_its_reference() {
    let definition = parse(&ORDERS).unwrap();
    let other = names([Some("A2"), Some("4"), Some("siti"), Some("5")]);
    for now in [None, Some(Step::Open), Some(Step::Ship)] {
        let error = asked(&definition, Some(&(Some(Step::Open), names(ROW))), &(now, other.clone()), "t");
        let error = error.unwrap_err();
        assert_eq!(error.code, Code::RowKeyChanged);
        assert_eq!(error.detail()["columns"], "order_no, school");
        assert_eq!(error.message, "row 7 of t: what names its escrow was changed");
    }
    // Before it does, it may get one; and buyer and seller are not what names it.
    let numbered = asked(&definition, Some(&(None, names(ROW))), &(Some(Step::Open), other), "t");
    assert_eq!(numbered, Ok(Some(Step::Open)));
    let given = names([Some("A1"), Some("3"), Some("siti"), None]);
    let kept = asked(&definition, Some(&(Some(Step::Open), names(ROW))), &(Some(Step::Open), given), "t");
    assert_eq!(kept, Ok(None));
}

#[test]
fn a_row_names_its_escrow() {
    let definition = parse(&ORDERS).unwrap();
    let of = |step, values| escrow(&definition, step, &names(values), "t");
    let expected = Some((Some("school-3".to_owned()), "order-A1".to_owned()));
    for step in Step::ALL {
        assert_eq!(of(step, ROW), Ok(expected.clone()));
        let unnumbered = of(step, [None, Some("3"), None, None]);
        // What has no number was never paid.
        if step == Step::Refund {
            assert_eq!(unnumbered, Ok(None));
        } else {
            let error = unnumbered.unwrap_err();
            assert_eq!((error.code, &error.detail()["column"]), (Code::MissingArgument, &"order_no".into()));
        }
        for (number, code) in [("a b", Code::InvalidArgument), ("a:b", Code::InvalidAddress)] {
            let error = of(step, [Some(number), Some("3"), None, None]).unwrap_err();
            assert_eq!((error.code, &error.detail()["row"]), (code, &"7".into()));
        }
    }
}

#[test]
fn a_row_says_what_is_bought() {
    let definition = parse(&ORDERS).unwrap();
    let total = Some(Ok(Number::Finite(Decimal::from(100))));
    let bought = purchase(&definition, &names(ROW), total.clone(), false, "t").unwrap();
    assert_eq!((bought.buyer.as_str(), bought.beneficiary.as_deref()), ("wallets:budi", Some("merchants:5")));
    assert_eq!(bought.amount, Some(Number::Finite(Decimal::from(100))));
    let null =
        |values, amount| purchase(&definition, &names(values), amount, false, "t").unwrap_err().message;
    assert_eq!(null(ROW, None), "row 7 of t: column \"total\" is null");
    let unsold = [Some("A1"), Some("3"), Some("budi"), None];
    assert_eq!(null(unsold, total.clone()), "row 7 of t: column \"merchant_id\" is null");
    let lines = parse(&changed(&["benef", "fee", "amount"], &["lines=items"])).unwrap();
    assert_eq!(lines.placeholders, ["order_no", "school", "buyer_id"]);
    let bought = purchase(&lines, &names(unsold), None, true, "t").unwrap();
    assert_eq!((bought.beneficiary, bought.amount), (None, None));
    let empty = purchase(&lines, &names(unsold), None, false, "t").unwrap_err();
    assert_eq!(empty.message, "row 7 of t: column \"items\" is null");
}

#[test]
fn a_reason_names_the_row_and_fits() {
    let definition = parse(&ORDERS).unwrap();
    let said = reason(&definition, Step::Release, "7", "shop.orders");
    assert_eq!(said, "row 7 of shop.orders: status became delivered");
    let long = reason(&definition, Step::Release, &"é".repeat(5_000), "shop.orders");
    assert!(long.len() <= 1_000 && long.ends_with("status became delivered"), "{long}");
    let mut arguments = ORDERS.map(str::to_owned);
    arguments[3] = format!("released={}", "é".repeat(2_000));
    let endless = Definition::parse(&arguments).unwrap();
    assert_eq!(reason(&endless, Step::Release, "7", "t").len(), 1_000);
}
