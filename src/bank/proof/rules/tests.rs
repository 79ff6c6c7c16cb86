//! The proof in memory: what is found, and that it is found whatever the order of what is known.

use super::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const DAY: i64 = 24 * 3_600_000_000;

fn id(number: usize) -> Uuid {
    Uuid::from_u128(number as u128 + 1)
}

fn money(value: i64) -> Decimal {
    Decimal::new(value * 100, 2)
}

/// A mutation, posted as it should be under its own number as transaction.
fn mutation(number: usize, day: i32, effect: i64, balance: Option<i64>) -> Mutation {
    Mutation {
        id: id(number),
        day,
        effect: money(effect),
        is_duplicate: false,
        received_id: Some(id(number + 1_000)),
        created_at: i64::from(day) * DAY + number as i64,
        balance: balance.map(money),
        proven_at: None,
        is_undecided: true,
        original_id: None,
    }
}

fn posting(transaction: usize, day: i32, effect: i64) -> Posting {
    Posting {
        transfer_id: id(transaction),
        transaction_id: id(transaction),
        reverses_id: None,
        effect: money(effect),
        kind_id: 1,
        day,
        is_opening: false,
    }
}

/// The books that these mutations make.
fn known(opening: i64, mutations: Vec<Mutation>) -> Known {
    let mut postings = vec![Posting { is_opening: true, ..posting(900_000, 0, opening) }];
    for mutation in mutations.iter().filter(|mutation| !mutation.is_duplicate) {
        let transaction_id = mutation.received_id.unwrap();
        // Effective on another day than the bank's: the mutation's day counts.
        let base = posting(0, mutation.day + 7, 0);
        postings.push(Posting {
            transfer_id: transaction_id,
            transaction_id,
            effect: mutation.effect,
            ..base
        });
    }
    Known { opening_balance: money(opening), mutations, postings, by_hand: Vec::new(), closings: Vec::new() }
}

fn closing(day: i32, balance: i64, imported_on: i32) -> Closing {
    Closing { day, balance: money(balance), imported_at: i64::from(imported_on) * DAY, imported_on }
}

fn rows(known: &Known) -> Vec<Day> {
    prove(known).unwrap()
}

fn reported(known: &Known) -> Vec<Option<i64>> {
    let whole = |amount: Decimal| i64::try_from(amount).unwrap();
    rows(known).iter().map(|day| day.reported.map(whole)).collect()
}

#[test]
fn a_sound_account_is_proved_on_every_day() {
    let known = known(
        1_000,
        vec![
            mutation(1, 10, 50, Some(1_050)),
            mutation(2, 10, -20, Some(1_030)),
            mutation(3, 12, 5, Some(1_035)),
        ],
    );
    let days = rows(&known);
    assert_eq!(days.iter().map(|day| day.day).collect::<Vec<_>>(), [10, 12]);
    assert!(days.iter().all(|day| day.is_proved() && day.problems.is_empty()), "{days:?}");
    let first = &days[0];
    assert_eq!((first.opening, first.credits, first.debits), (money(1_000), money(50), money(20)));
    assert_eq!(
        (first.closing, first.ledger, first.reported),
        (money(1_030), money(1_030), Some(money(1_030)))
    );
    assert_eq!((first.count, days[1].opening), (2, money(1_030)));
    assert_eq!(days[1].closing.to_string(), "1035.00");
}

#[test]
fn nothing_is_no_day() {
    assert_eq!(rows(&known(1_000, Vec::new())), []);
}

#[test]
fn the_work_by_hand_counts_on_the_mutations_day() {
    // Received, undone, received again; another one taken out as a duplicate.
    let mut duplicate = mutation(2, 10, 50, None);
    duplicate.is_duplicate = true;
    duplicate.received_id = None;
    let mut first = mutation(1, 10, 50, None);
    first.received_id = Some(id(3_000));
    let mut known = known(0, vec![first, duplicate]);
    let reversal = |of: usize, number: usize, effect: i64| Posting {
        reverses_id: Some(id(of)),
        ..posting(number, 30, effect)
    };
    known.postings.extend([
        posting(2_000, 10, 50),
        reversal(2_000, 2_001, -50),
        posting(2_500, 10, 50),
        reversal(2_500, 2_501, -50),
    ]);
    known.by_hand = vec![(id(2_000), id(1)), (id(2_500), id(2)), (id(7_777), id(99))];
    let days = rows(&known);
    assert!(days.len() == 1 && days[0].is_proved() && days[0].problems.is_empty(), "{days:?}");
    assert_eq!(days[0].count, 1);
    // Without the link it is somebody's posting: the sums agree in the end, the days do not.
    known.by_hand.clear();
    assert!(rows(&known).iter().any(|day| !day.is_proved()));
}

#[test]
fn a_reversal_that_is_a_mutation_belongs_to_itself() {
    let mut known = known(0, vec![mutation(1, 10, 50, None), mutation(2, 11, -20, None)]);
    let back = known.postings.iter_mut().find(|posting| posting.transaction_id == id(1_002)).unwrap();
    back.reverses_id = Some(id(1_001));
    let days = rows(&known);
    assert!(days.iter().all(|day| day.is_proved() && day.problems.is_empty()), "{days:?}");
}

#[test]
fn a_direct_posting_is_named_and_its_difference_goes_on() {
    let mut known =
        known(100, vec![mutation(1, 10, 50, None), mutation(2, 12, 5, None), mutation(3, 13, 5, None)]);
    known.postings.push(posting(77, 12, -30));
    let days = rows(&known);
    let named = Problem::UnexplainedTransfer { transfer_id: id(77), kind_id: 1, amount: money(-30) };
    let carried = Problem::CarriedOver { side: Side::Ledger, day: 12, difference: money(-30) };
    assert!(days[0].is_proved());
    assert_eq!((days[1].ledger_difference, &days[1].problems), (money(-30), &vec![named]));
    assert_eq!((days[2].ledger_difference, &days[2].problems), (money(-30), &vec![carried]));
    // Two that cancel out are named, and the day is proved.
    known.postings.push(posting(78, 12, 30));
    let days = rows(&known);
    assert!(days.iter().all(Day::is_proved));
    assert_eq!(days[1].problems.len(), 2);
}

#[test]
fn a_mutation_that_was_not_posted_in_full_is_named() {
    let mut known = known(0, vec![mutation(1, 10, 50, None), mutation(2, 10, 60, None)]);
    known.postings[1].effect = money(49);
    let expected = Problem::Misposted { mutation_id: id(1), amount: money(50), posted: money(49) };
    assert_eq!(rows(&known)[0].problems, [expected]);
    known.postings.truncate(1);
    assert_eq!(rows(&known)[0].problems.len(), 2);
    assert_eq!(rows(&known)[0].ledger_difference, money(-110));
}

#[test]
fn an_opening_that_the_books_do_not_have() {
    let mut known = known(100, vec![mutation(1, 10, 50, None), mutation(2, 11, 5, None)]);
    known.postings[0].effect = money(90);
    let days = rows(&known);
    let opening = Problem::OpeningDiffers { opening_balance: money(100), ledger_balance: money(90) };
    assert_eq!(days[0].problems, [opening]);
    assert_eq!(
        days[1].problems,
        [Problem::CarriedOver { side: Side::Ledger, day: 10, difference: money(-10) }]
    );
}

#[test]
fn statements_close_their_last_day() {
    let mut known = known(100, vec![mutation(1, 10, 50, None), mutation(2, 11, 5, None)]);
    known.closings = vec![closing(11, 155, 12), closing(20, 155, 21)];
    assert_eq!(reported(&known), [None, Some(155), Some(155)]);
    // Imported later, it counts instead, and a difference is carried on.
    known.closings.push(closing(11, 150, 14));
    let days = rows(&known);
    assert_eq!((days[1].reported_difference, days[1].is_proved()), (Some(money(-5)), false));
    assert_eq!(days[2].reported_difference, Some(money(0)));
    known.closings[1].balance = money(150);
    let carried = Problem::CarriedOver { side: Side::Reported, day: 11, difference: money(-5) };
    assert_eq!(rows(&known)[2].problems, [carried]);
}

#[test]
fn a_statement_of_a_day_that_was_not_over() {
    let mut late = mutation(2, 11, 5, None);
    late.created_at = 11 * DAY + 9;
    let mut known = known(100, vec![mutation(1, 10, 50, None), late]);
    known.closings = vec![Closing { imported_at: 11 * DAY + 5, ..closing(11, 150, 11) }];
    assert_eq!(reported(&known), [None, None], "more was reported of that day");
    known.closings[0].imported_on = 12;
    assert_eq!(reported(&known), [None, Some(150)], "it was made when the day was over");
    known.closings[0].imported_on = 11;
    known.closings[0].imported_at = 11 * DAY + 10;
    assert_eq!(reported(&known), [None, Some(150)], "nothing came after it");
}

#[test]
fn a_reissue_is_named_unless_the_bank_agrees() {
    let mut again = mutation(2, 10, 50, None);
    again.original_id = Some(id(1));
    let mut known = known(0, vec![mutation(1, 10, 50, None), again]);
    let named = Problem::Reissued { mutation_id: id(2), original_id: id(1), amount: money(50) };
    assert_eq!(rows(&known)[0].problems, std::slice::from_ref(&named));
    known.closings = vec![closing(10, 50, 11)];
    assert_eq!(rows(&known)[0].problems, [named]);
    known.closings = vec![closing(10, 100, 11)];
    assert!(rows(&known)[0].problems.is_empty(), "two payments that look alike");
    known.closings.clear();
    known.mutations[1].is_undecided = false;
    assert!(rows(&known)[0].problems.is_empty(), "somebody has decided");
}

#[test]
fn money_that_a_gateway_gives_back_repeats_nothing() {
    let mut back = mutation(2, 10, -50, None);
    back.original_id = Some(id(1));
    assert!(rows(&known(0, vec![mutation(1, 10, 50, None), back]))[0].problems.is_empty());
}

#[test]
fn balances_that_were_filled_in_are_no_report() {
    let with = |balances: [Option<i64>; 4]| {
        let [a, b, c, d] = balances;
        reported(&known(
            1_000,
            vec![
                mutation(1, 10, 50, a),
                mutation(2, 10, 20, b),
                mutation(3, 11, 5, c),
                mutation(4, 11, -7, d),
            ],
        ))
    };
    assert_eq!(with([None; 4]), [None, None]);
    assert_eq!(with([Some(0); 4]), [None, None]);
    // The balance of some other moment.
    assert_eq!(with([Some(4_000); 4]), [None, None]);
    assert_eq!(with([Some(4_000), Some(4_000), Some(5_000), Some(5_000)]), [None, None]);
    // One good chain, and a zero that does not disturb it: what it moved is added.
    assert_eq!(with([Some(1_050), Some(1_070), Some(1_075), Some(0)]), [Some(1_070), Some(1_068)]);
    assert_eq!(with([Some(1_050), Some(1_070), Some(0), Some(0)]), [Some(1_070), None]);
    // A zero that by chance begins where the day begins.
    let chance =
        vec![mutation(1, 10, -50, Some(0)), mutation(2, 10, 20, Some(0)), mutation(3, 11, 5, Some(0))];
    assert_eq!(reported(&known(50, chance)), [None, None]);
    // The balance at the end of each fetch, on every line of it.
    assert_eq!(with([Some(1_070), Some(1_070), Some(1_068), Some(1_068)]), [None, None]);
}

#[test]
fn a_missing_movement_is_found_between_its_neighbours() {
    // 30 came in between the two of day 11, and nobody has reported it.
    let known = known(
        1_000,
        vec![
            mutation(1, 10, 50, Some(1_050)),
            mutation(2, 11, 5, Some(1_055)),
            mutation(3, 11, -7, Some(1_078)),
            mutation(4, 12, 2, Some(1_080)),
        ],
    );
    let days = rows(&known);
    let gap = Problem::DoesNotFollow {
        mutation_id: id(3),
        amount: money(-7),
        balance: money(1_078),
        expected: money(1_048),
    };
    assert!(days[0].is_proved());
    assert_eq!((days[1].reported_difference, &days[1].problems), (Some(money(30)), &vec![gap]));
    let carried = Problem::CarriedOver { side: Side::Reported, day: 11, difference: money(30) };
    assert_eq!((days[2].reported_difference, &days[2].problems), (Some(money(30)), &vec![carried]));
}

#[test]
fn what_a_finished_statement_does_not_have_is_not_added() {
    // A statement of two days; the webhook's line of the first day is not in it.
    let proven = |mut mutation: Mutation, at: i64| {
        mutation.proven_at = Some(at);
        mutation
    };
    let books = |imported_at: i64, arrived: i64| {
        let mut stray = mutation(2, 10, 20, Some(0));
        stray.created_at = arrived;
        let mut known = known(1_000, vec![proven(mutation(1, 10, 50, Some(1_050)), imported_at), stray]);
        known.mutations[0].created_at = 10 * DAY;
        reported(&known)
    };
    assert_eq!(books(12 * DAY, 10 * DAY), [Some(1_050)]);
    assert_eq!(books(12 * DAY, 13 * DAY), [Some(1_050)], "a late report of a day that was over");
    assert_eq!(books(10 * DAY + 5, 10 * DAY + 1), [Some(1_050)]);
    assert_eq!(books(10 * DAY + 5, 10 * DAY + 9), [Some(1_070)], "after a statement of the day's beginning");
}

#[test]
fn lines_are_bounded() {
    let mut known = known(0, vec![mutation(1, 10, 50, None)]);
    known.postings.extend((0..500).map(|number| posting(5_000 + number, 10, 1)));
    let problems = &rows(&known)[0].problems;
    assert_eq!(problems.len(), LINES_MAX + 1);
    assert_eq!(problems[LINES_MAX], Problem::More { count: 400 });
}

#[test]
fn sums_that_cannot_be_kept_are_an_error() {
    let huge = |number: usize| {
        let mut mutation = mutation(number, 10, 1, None);
        mutation.effect = Decimal::try_from_i128_with_scale(Decimal::MAX.mantissa(), 2).unwrap();
        mutation.balance = Some(mutation.effect);
        mutation
    };
    let error = prove(&known(0, vec![huge(1), huge(2)])).unwrap_err();
    assert_eq!(error.token(), "amount_out_of_range");
}

#[test]
fn days_have_dates() {
    assert_eq!(date(0), "2000-01-01");
    assert_eq!(date(-1), "1999-12-31");
    assert_eq!(date(9_821), "2026-11-21");
    for day in [i32::MIN, i32::MAX] {
        assert!(!date(day).is_empty());
    }
}

/// A history of some days with true balances. Small amounts make the same balances come again.
fn history(rng: &mut impl Rng, amount_max: i64) -> Known {
    let (mut mutations, mut balance) = (Vec::new(), 500);
    for day in 0..rng.random_range(1..6) {
        for _ in 0..rng.random_range(1..6) {
            let amount = rng.random_range(1..=amount_max);
            let effect = if rng.random() { amount } else { -amount };
            balance += effect;
            mutations.push(mutation(mutations.len(), day, effect, Some(balance)));
        }
    }
    known(500, mutations)
}

/// The lines of a day come in any order: those that bear only a date have none.
#[test]
fn the_order_within_a_day_does_not_matter() {
    for seed in 0..4_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut known = history(&mut rng, 5);
        assert!(rows(&known).iter().all(|day| day.is_proved() && day.reported.is_some()), "seed {seed}");
        known.mutations.shuffle(&mut rng);
        known.mutations.sort_by_key(|mutation| mutation.day);
        known.postings.shuffle(&mut rng);
        let days = rows(&known);
        assert!(days.iter().all(|day| day.is_proved() && day.reported.is_some()), "seed {seed}: {days:#?}");
        assert!(days.iter().all(|day| day.problems.is_empty()), "seed {seed}: {days:#?}");
    }
}

/// A movement that nobody has stored is missing from its day on, and found by the balances that are left.
#[test]
fn a_movement_that_is_missing_is_found() {
    for seed in 0..4_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut known = history(&mut rng, 1_000_000_000);
        if known.mutations.len() < 3 {
            continue;
        }
        // Not the last of all: nothing that comes after it could tell.
        let missing = known.mutations.remove(rng.random_range(0..known.mutations.len() - 1));
        known.postings.retain(|posting| Some(posting.transaction_id) != missing.received_id);
        let days = rows(&known);
        let last = days.last().unwrap();
        assert_eq!(last.reported_difference, Some(missing.effect), "seed {seed}: {missing:?} {days:#?}");
        let before = days.iter().take_while(|day| day.day < missing.day);
        assert!(before.into_iter().all(Day::is_proved), "seed {seed}");
    }
}
