use super::*;
use crate::rate::rules::Rate;

fn line(amount: Units, millionths: u32) -> Line {
    Line::new(amount, Rate::from_millionths(millionths).unwrap())
}

/// The order of REQUIREMENTS A in sen: food with a commission, delivery with the platform's share.
fn order() -> Vec<Line> {
    vec![line(8_500_000, 150_000), line(1_500_000, 200_000)]
}

fn after(lines: &[Line], splits: &[Split]) -> Vec<Line> {
    lines.iter().zip(splits).map(|(line, split)| line.after(split)).collect()
}

#[test]
fn every_state_and_action_is_in_the_table_in_its_place() {
    for (place, state) in State::ALL.into_iter().enumerate() {
        assert_eq!((state as usize, MOVES[place].0, State::from_id(state as i16)), (place + 1, state, state));
    }
    for (place, action) in Action::ALL.into_iter().enumerate() {
        assert_eq!(action as usize, place);
    }
}

/// Written out once more by hand: whoever changes the table has to change this too.
#[test]
fn every_action_in_every_state() {
    let expected = [
        ("held", ["shipped", "pay", "pay", "pay", "disputed", "already_resolved"]),
        ("shipped", ["already_shipped", "pay", "pay", "pay", "disputed", "already_resolved"]),
        (
            "disputed",
            ["escrow_disputed"; 5].into_iter().chain(["pay"]).collect::<Vec<_>>().try_into().unwrap(),
        ),
        (
            "released",
            ["escrow_closed", "escrow_closed", "escrow_closed", "pay", "escrow_closed", "already_resolved"],
        ),
        (
            "refunded",
            ["escrow_closed"; 5]
                .into_iter()
                .chain(["already_resolved"])
                .collect::<Vec<_>>()
                .try_into()
                .unwrap(),
        ),
    ];
    for (state, (name, row)) in State::ALL.into_iter().zip(expected) {
        assert_eq!(state.name(), name);
        for (action, expected) in Action::ALL.into_iter().zip(row) {
            let said = match check(Uuid::nil(), state, action) {
                Ok(Move::To(state)) => state.name(),
                Ok(_) => "pay",
                Err(error) => {
                    assert_eq!(error.detail()["status"], name);
                    assert_eq!(error.detail()["action"], action.name());
                    error.token()
                }
            };
            assert_eq!(said, expected, "{name}: {}", action.name());
        }
    }
}

#[test]
fn the_order_of_the_requirements() {
    let lines = order();
    let splits = release(&lines, &[0, 1], None).unwrap();
    assert_eq!(splits.iter().map(Split::net).collect::<Vec<_>>(), [7_225_000, 1_200_000]);
    assert_eq!(splits.iter().map(|split| split.fee).sum::<Units>(), 1_275_000 + 300_000);
    let lines = after(&lines, &splits);
    assert_eq!(state_after(State::Shipped, &lines), State::Released);
    let back = refund(&lines, &[0, 1], None).unwrap();
    assert_eq!(back.iter().map(Split::returned_net).collect::<Vec<_>>(), [7_225_000, 1_200_000]);
    assert_eq!(back.iter().map(|split| split.returned_fee).sum::<Units>(), 1_575_000);
    assert_eq!(state_after(State::Released, &after(&lines, &back)), State::Refunded);
}

#[test]
fn a_refund_takes_what_is_held_first() {
    let lines = order();
    let lines = after(&lines, &release(&lines, &[0, 1], Some(4_000_000)).unwrap());
    let splits = refund(&lines, &[0, 1], Some(7_000_000)).unwrap();
    assert_eq!(splits.iter().map(|split| split.refunded).sum::<Units>(), 6_000_000);
    assert_eq!(splits.iter().map(|split| split.returned).sum::<Units>(), 1_000_000);
    let lines = after(&lines, &splits);
    assert_eq!(state_after(State::Held, &lines), State::Released);
}

#[test]
fn no_more_than_there_is() {
    let lines = order();
    assert_eq!(release(&lines, &[0, 1], Some(10_000_001)), Err(10_000_000));
    assert_eq!(release(&lines, &[1], Some(1_500_001)), Err(1_500_000));
    assert_eq!(refund(&lines, &[0, 1], Some(10_000_001)), Err(10_000_000));
    assert_eq!(decide(&lines, 10_000_001), Err(10_000_000));
    let lines = after(&lines, &release(&lines, &[1], None).unwrap());
    assert_eq!(release(&lines, &[1], None), Err(0));
    assert_eq!(refund(&lines, &[1], None).unwrap()[1].returned, 1_500_000);
    assert_eq!(chosen(&lines, Some(2)), Ok(vec![1]));
    for number in [0, -1, 3, i32::MAX] {
        assert!(chosen(&lines, Some(number)).is_err());
    }
}

#[test]
fn a_decision_pays_both_sides_and_leaves_nothing() {
    for refund in [0, 1, 3_333_333, 9_999_999, 10_000_000] {
        let lines = order();
        let splits = decide(&lines, refund).unwrap();
        assert_eq!(splits.iter().map(|split| split.refunded).sum::<Units>(), refund);
        let lines = after(&lines, &splits);
        assert!(lines.iter().all(|line| line.held() == 0));
        let expected = if refund == 10_000_000 { State::Refunded } else { State::Released };
        assert_eq!(state_after(State::Disputed, &lines), expected);
    }
}

#[test]
fn lines_have_a_form() {
    use crate::json::Field;
    let mut wanted = request::Wanted::default();
    assert_eq!(wanted.set("benefciary", Field::Null).unwrap_err().code, Code::UnknownField);
    assert_eq!(wanted.check("wallets:1").unwrap_err().code, Code::MissingArgument);
    wanted.set("beneficiary", Field::Text("merchants:5")).unwrap();
    wanted.set("amount", Field::Text("85000")).unwrap();
    assert!(wanted.check("wallets:1").is_ok());
    assert_eq!(wanted.check("merchants:5").unwrap_err().code, Code::SameAccount);
    wanted.set("fee", Field::Text("15%")).unwrap();
    assert_eq!(wanted.check("wallets:1").unwrap_err().code, Code::InvalidArgument);
    for reference in ["", "a:b", "a b", "💸", &"r".repeat(121)] {
        assert!(request::account(reference).is_err(), "{reference}");
    }
    assert_eq!(request::account("ORD-1"), Ok("escrows:ORD-1".to_owned()));
    assert!(request::check_count(0).is_err() && request::check_count(1001).is_err());
    let hundred = Decimal::new(10_000, 2);
    assert_eq!(
        request::total([hundred, hundred].into_iter(), Some(hundred), 2).unwrap_err().code,
        Code::LinesMismatch
    );
    assert_eq!(request::total([hundred].into_iter(), Some(hundred), 2), Ok(hundred));
}

#[test]
fn the_platform_advances_what_is_missing_and_no_more() {
    let lines = order();
    let lines = after(&lines, &release(&lines, &[0, 1], None).unwrap());
    let back = refund(&lines, &[0, 1], None).unwrap();
    let advanced = |parties: [&str; 2], has: fn(&str) -> Units| {
        let mut splits = back.clone();
        advance(&mut splits, &parties, has);
        [splits[0].advanced, splits[1].advanced]
    };
    assert_eq!(advanced(["a", "b"], |_| 0), [7_225_000, 1_200_000]);
    assert_eq!(advanced(["a", "b"], |_| Units::MAX), [0, 0]);
    assert_eq!(advanced(["a", "b"], |party| if party == "a" { 7_000_000 } else { 0 }), [225_000, 1_200_000]);
    // One who is on two lines spends the same money once.
    assert_eq!(advanced(["a", "a"], |_| 8_000_000), [0, 425_000]);
}

#[test]
fn what_was_sent_or_given_back_is_not_sent_again() {
    let food = order()[0];
    assert_eq!(to_send(&food, 0, None), Err(0));
    let food = food.after(&food.release(8_500_000));
    assert_eq!(to_send(&food, 0, None), Ok(7_225_000));
    assert_eq!(to_send(&food, 7_000_000, Some(225_000)), Ok(225_000));
    assert_eq!(to_send(&food, 7_000_000, Some(225_001)), Err(225_000));
    // Sent first and taken back then: nothing is left, not less than nothing.
    let food = food.after(&food.give_back(8_500_000));
    assert_eq!(to_send(&food, 7_000_000, None), Err(0));
    assert_eq!(to_send(&food, 7_000_000, Some(1)), Err(0));
}
