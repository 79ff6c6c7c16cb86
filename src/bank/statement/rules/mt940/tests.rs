//! Whole MT940 files, with invented data, and what can be wrong with them.

use super::super::{Format, Statement, parse};
use super::*;
use crate::bank::rules::{Direction, Item, Movement};

const DAY: &str = "{1:F01CONTIDJAXXXX0000000000}{2:O9400000261121CONTIDJAXXXX00000000002611210000N}{4:\r
:20:STMT261121\r
:25:CONTIDJA/123-456789-0\r
:28C:00325/001\r
:60F:C261120IDR1000000,00\r
:61:2611211121CR150123,00NTRFNONREF//BR0001\r
SUPPLEMENTARY\r
:86:TRANSFER DARI ANDI & SONS_01\r
INV/2026/77 *LUNAS*\r
:61:261121D15000,NCHGADM2611//BR0002\r
:61:2611211121RC123,50NTRFREV1\r
:86:KOREKSI\r
:86:SISTEM\r
:61:261231RDR23,5NMSCX\r
:62F:C261121IDR1135023,00\r
:64:C261121IDR1135023,00\r
:86:STATEMENT ENDS\r
-}\r
";

const NEXT: &str = ":20:STMT261122
:25:1234567890
:28C:326/1
:60F:C261121IDR1135023,00
:62M:C261122IDR1135023,00
-
:20:STMT261122
:25:1234567890
:28C:326/2
:60M:C261122IDR1135023,00
:61:2611221122C100,00NTRFA
:62F:C261122IDR1135123,00
";

fn read(text: &str) -> Statement {
    parse(Format::Mt940, text).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"))
}

fn reason(text: &str) -> &'static str {
    parse(Format::Mt940, text).map(|read| panic!("{read:?}")).unwrap_or_else(|fault| fault.reason)
}

fn movements(statement: &Statement) -> Vec<Movement> {
    let movement = |line: &crate::bank::rules::Line| match line {
        Ok(Item::Movement(movement)) => Some(movement.clone()),
        _ => None,
    };
    statement.lines.iter().filter_map(movement).collect()
}

fn day(text: &str) -> i32 {
    When::parse(text).unwrap().day
}

#[test]
fn a_message() {
    let read = read(DAY);
    let all: Vec<(i32, Direction, String, String)> = movements(&read)
        .into_iter()
        .map(|m| (m.when.day, m.direction, m.amount.to_string(), m.description))
        .collect();
    let line = |at: &str, direction, amount: &str, text: &str| {
        (day(at), direction, amount.to_owned(), text.to_owned())
    };
    assert_eq!(
        all,
        [
            line(
                "2026-11-21",
                Direction::Credit,
                "150123.00",
                "TRANSFER DARI ANDI & SONS_01 INV/2026/77 *LUNAS* SUPPLEMENTARY"
            ),
            line("2026-11-21", Direction::Debit, "15000", "ADM2611"),
            line("2026-11-21", Direction::Debit, "123.50", "KOREKSI SISTEM REV1"),
            line("2026-12-31", Direction::Credit, "23.5", "X"),
        ]
    );
    let balance = |at: &str, amount: &str| Some(Balance { day: day(at), amount: amount.parse().unwrap() });
    assert_eq!(read.opening, balance("2026-11-20", "1000000"));
    assert_eq!(read.closing, balance("2026-11-21", "1135023"));
    assert_eq!((read.account_number.as_deref(), read.currency.as_deref()), (Some("1234567890"), Some("IDR")));
    assert_eq!((read.from_day, read.until_day), (Some(day("2026-11-20")), Some(day("2026-11-21"))));
    assert!(movements(&read).iter().all(|m| m.account_number.as_deref() == Some("1234567890")));
}

#[test]
fn messages_follow_from_one_another() {
    let both = read(&format!("{DAY}{NEXT}"));
    assert_eq!((both.lines.len(), both.closing.unwrap().amount), (5, "1135123".parse().unwrap()));
    assert_eq!(both.opening.unwrap().amount, "1000000".parse().unwrap());
    let next: Vec<&str> = NEXT.split_inclusive("-\n").collect();
    let newest_first = read(&format!("{}-\n{}{DAY}", next[1], next[0]));
    assert_eq!((newest_first.opening, newest_first.closing), (both.opening, both.closing));
    let ids = |statement: &Statement| {
        let mut ids: Vec<String> = movements(statement).into_iter().map(|movement| movement.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&newest_first), ids(&both));
    assert!(ids(&both).contains(&movements(&read(NEXT))[0].id), "the id of an export that overlaps");
    assert_eq!(reason(&format!("{DAY}{}", next[1].replace("135", "136"))), "unbalanced");
}

#[test]
fn what_refuses_the_file() {
    for (from, to, expected) in [
        ("1135023,00\r\n:64", "1135023,01\r\n:64", "unbalanced"),
        ("CR150123,00", "CR15012,00", "unbalanced"),
        ("RC123,50", "C123,50", "unbalanced"),
        ("C261120IDR", "D261120IDR", "unbalanced"),
        ("C261120IDR", "C261120USD", "mixed_currencies"),
        ("C261120IDR", "C260230IDR", "invalid_balance"),
        ("C261120IDR1000000,00", "C261120IDR1000000.00", "invalid_balance"),
        ("C261120IDR1000000,00", "C261120IDR1000000,000", "invalid_balance"),
        ("C261120IDR1000000,00", "X", "invalid_balance"),
        ("C261120IDR1000000,00", "💸", "invalid_balance"),
        (":60F:", ":XXX:", "missing_balance"),
        (":60F:", ":64:", "malformed_message"),
        (":62F:", ":64:", "missing_balance"),
        (":20:STMT261121\r\n", "", "not_mt940"),
        (":86:STATEMENT", ":61:261121C1,00NTRFX\r\n:86:", "malformed_message"),
        (":64:", ":62F:", "malformed_message"),
    ] {
        assert!(DAY.contains(from), "{from}");
        // Without an opening balance a booking is misplaced before the balance is missed.
        let expected = if (from, to) == (":60F:", ":XXX:") { "malformed_message" } else { expected };
        assert_eq!(reason(&DAY.replacen(from, to, 1)), expected, "{from} -> {to}");
    }
    assert_eq!(reason(&format!(":25:1\n{DAY}")), "malformed_message");
    assert_eq!(reason(&format!("{DAY}{}", NEXT.replacen("1234567890", "999999", 1))), "mixed_accounts");
    let circle =
        NEXT.replace(":62F:C261122IDR1135123,00", ":61:261122D100,00NTRFB\n:62F:C261122IDR1135023,00");
    assert!(parse(Format::Mt940, &circle).is_ok());
    assert_eq!(reason(&format!("{circle}{}", &circle[circle.rfind(":20:").unwrap()..])), "repeated_message");
    for end in
        (1..DAY.find(":62F:").unwrap() + 27).filter(|end| !DAY[..*end].contains(":62F:C261121IDR1135023,"))
    {
        assert!(parse(Format::Mt940, &DAY[..end]).is_err(), "cut: {:?}", &DAY[..end]);
    }
}

#[test]
fn bad_bookings_lose_no_other() {
    for (to, expected) in [
        ("2602301121D15000,NCHGX", "invalid_date"),
        ("2611210230D15000,NCHGX", "invalid_date"),
        ("26112111D15000,NCHGX", "invalid_direction"),
        ("261121X15000,NCHGX", "invalid_direction"),
        ("261121ED15000,NCHGX", "invalid_direction"),
        ("261121D,NCHGX", "invalid_amount"),
        ("261121D15000NCHGX", "invalid_amount"),
        ("261121D15000.00NCHGX", "invalid_amount"),
        ("261121D-15000,NCHGX", "invalid_amount"),
        ("261121D1e400,NCHGX", "invalid_amount"),
        ("261121D15000,1,2NCHGX", "invalid_amount"),
        ("261121D9999999999999999999,NCHGX", "invalid_amount"),
        ("261121D15000,", "invalid_line"),
        ("261121D15000,💸", "invalid_line"),
        ("", "invalid_line"),
        ("💸", "invalid_line"),
    ] {
        let read = read(&DAY.replace("261121D15000,NCHGADM2611//BR0002", to));
        let bad = read.lines[1].as_ref().unwrap_err();
        assert_eq!((bad.reason, movements(&read).len()), (expected, 3), "{to}: {}", bad.message);
        assert!(bad.message.starts_with("line 10: "), "{}", bad.message);
    }
    // Nothing, or too fine: the balances know it all the same.
    for (amount, expected) in [("0,00", "invalid_amount"), ("15000,125", "invalid_amount")] {
        let text = DAY.replace("D15000,NCHG", &format!("D{amount}NCHG"));
        assert_eq!(reason(&text), "unbalanced");
        let closing = if amount == "0,00" { "1150023,00" } else { continue };
        let read = read(&text.replace("1135023,00", closing));
        assert_eq!(read.lines[1].as_ref().unwrap_err().reason, expected);
    }
}

#[test]
fn the_decimals_are_the_currencys() {
    let dinar = ":20:A\n:25:1234\n:60F:C261120KWD1,000\n:61:261121C0,125NTRFX\n:62F:C261121KWD1,125\n";
    assert_eq!(movements(&read(dinar))[0].amount.to_string(), "0.125");
    assert_eq!(reason(&dinar.replace("KWD", "IDR")), "invalid_balance");
}

#[test]
fn the_entry_date_is_in_the_year_closest_to_the_value_date() {
    for (dates, expected) in [
        ("2601020102", "2026-01-02"),
        ("2601021231", "2025-12-31"),
        ("2512310102", "2026-01-02"),
        ("2802280229", "2028-02-29"),
        ("260102", "2026-01-02"),
    ] {
        let text = format!(":20:A\n:25:1234\n:60F:C251231IDR0,\n:61:{dates}C5,NTRFX\n:62F:C261231IDR5,\n");
        assert_eq!(movements(&read(&text))[0].when, When::parse(expected).unwrap(), "{dates}");
    }
}
