//! The parser of bank statements against a million damaged files, and against files that random movements were
//! written to in every form: what comes back is what went in, or is refused. It needs no server.
//!
//! `WL_SEED=… cargo test -p wallet_ledger_parser_tests --test statement_parser` repeats a run; `WL_LONG=1` runs ten
//! times as many cases.
#![allow(dead_code)]

#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/time.rs"]
mod time;

#[path = "../../../src/bank"]
mod bank {
    pub mod rules;
    pub mod statement {
        pub mod rules;
    }
}

#[path = "statement_parser/account.rs"]
mod account;
#[path = "statement_parser/damage.rs"]
mod damage;
mod memory;
#[path = "statement_parser/render.rs"]
mod render;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use account::Account;
use bank::rules::{DESCRIPTION_BYTES_MAX, Direction, Item, Movement};
use bank::statement::rules::{BadStatement, CONTENT_BYTES_MAX, Format, LINES_MAX, Statement, parse};
use damage::Damage;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use render::File;
use wallet_ledger_tests::{Seed, long};

/// What a test does with a random file, `each` cases at once, until there were `cases`: ten times as many in the
/// long form.
fn run(test: &str, cases: usize, each: usize, case: impl Fn(&mut ChaCha8Rng) + Sync) {
    /// Cases that share a random stream, so that threads can take them as they come.
    const BLOCK: usize = 500;
    let seed = Seed::from_env_or_random("statement_parser");
    let cases = if long() { cases * 10 } else { cases };
    let next = AtomicUsize::new(0);
    let stream = test.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)) << 32;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    if block * BLOCK >= cases {
                        return;
                    }
                    let mut rng = seed.rng(stream + block as u64);
                    (0..BLOCK / each).for_each(|_| case(&mut rng));
                }
            });
        }
    });
    println!("{test}: {cases} cases in {:.1?}", started.elapsed());
}

fn movements(statement: &Statement) -> Vec<&Movement> {
    let movement = |line| match line {
        &Ok(Item::Movement(ref movement)) => Some(movement),
        _ => None,
    };
    statement.lines.iter().filter_map(movement).collect()
}

/// What must be true of every answer, whatever was asked.
fn assert_bounded(content: &str, answer: &Result<Statement, BadStatement>) {
    let message = |reason: &str, message: &str| {
        assert!(!reason.is_empty() && !message.is_empty() && message.len() < 600, "{reason}: {message}");
    };
    let statement = match answer {
        Ok(statement) => statement,
        Err(fault) => return message(fault.reason, &fault.message),
    };
    assert!(statement.lines.len() <= content.len().min(LINES_MAX));
    let mut ids = HashSet::new();
    for line in &statement.lines {
        match line {
            Ok(Item::Movement(movement)) => {
                assert!(movement.amount > 0.into() && movement.amount.scale() <= 3, "{movement:?}");
                assert!(movement.description.len() <= DESCRIPTION_BYTES_MAX, "{movement:?}");
                let hex = movement.id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                assert!(hex && movement.id.len() == 32 && ids.insert(&movement.id), "{movement:?}");
                assert!(
                    movement.when.from <= movement.when.until && (0..36_525).contains(&movement.when.day)
                );
            }
            Ok(Item::Other { reason: "pending", .. }) => {}
            Ok(other) => panic!("no statement has {other:?}"),
            Err(bad) => message(bad.reason, &bad.message),
        }
    }
}

/// Parses, and holds the answer and the memory that it took against their bounds.
fn parsed(format: Format, content: &str) -> Result<Statement, BadStatement> {
    let (answer, bytes) = memory::peak_of(|| parse(format, content));
    assert!(bytes < 256 * 1024 + 64 * content.len(), "{bytes} bytes for {} of {format:?}", content.len());
    assert_bounded(content, &answer);
    answer
}

#[test]
fn damaged_files_are_answered_with_an_answer() {
    /// Writing a file takes longer than reading it.
    const DAMAGES: usize = 50;
    run("damaged", 1_000_000, DAMAGES, |rng| {
        let account = Account::random(rng, 3);
        let (file, other) = (File::random(rng, &account), File::random(rng, &account));
        for _ in 0..DAMAGES {
            let mut damage = Damage::new(&file.content);
            for _ in 0..rng.random_range(1..=8) {
                damage.any(rng, &other.content);
            }
            let format = if rng.random_ratio(7, 8) { file.format } else { *Format::ALL.choose(rng).unwrap() };
            _ = parsed(format, &damage.text());
        }
    });
}

/// A movement as the random account knows it: day, direction and amount.
type Told = (i32, Direction, rust_decimal::Decimal);

fn told(movement: &Movement) -> Told {
    (movement.when.day, movement.direction, movement.amount.normalize())
}

#[test]
fn what_was_written_is_read_again() {
    let (exact, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    run("round trip", 10_000, 1, |rng| {
        let account = Account::random(rng, 20);
        let file = File::random(rng, &account);
        let read =
            parsed(file.format, &file.content).unwrap_or_else(|fault| panic!("{fault:?}\n{}", file.content));
        assert_eq!(read.lines.len(), account.lines.len(), "{}", file.content);
        for (index, (line, written)) in read.lines.iter().zip(&account.lines).enumerate() {
            match line {
                Ok(Item::Movement(movement)) => {
                    assert_eq!(told(movement), written.told(), "{}", file.content);
                    assert_eq!(movement.description, written.text, "{}", file.content);
                    exact.fetch_add(1, Ordering::Relaxed);
                }
                Err(bad) => {
                    let last = index + 1 == account.lines.len();
                    let may = match bad.reason {
                        "ambiguous_amount" => file.may_be_ambiguous,
                        "truncated_line" => last && !file.content.ends_with('\n'),
                        _ => false,
                    };
                    assert!(may, "{bad:?}\n{}", file.content);
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                other => panic!("{other:?}\n{}", file.content),
            }
        }
        for (balance, expected) in [(read.opening, account.opening), (read.closing, account.closing())] {
            assert!(
                balance.is_none_or(|balance| balance.amount == expected),
                "{balance:?}\n{}",
                file.content
            );
        }
    });
    let (exact, refused) = (exact.into_inner(), refused.into_inner());
    println!("round trip: {exact} exact, {refused} refused");
    assert!(refused * 20 < exact, "almost all is read");
}

#[test]
fn an_overlapping_export_has_the_same_ids() {
    run("overlap", 4_000, 1, |rng| {
        let account = Account::random(rng, 20);
        let whole = File::random(rng, &account);
        let (first, last) = account.some_days(rng);
        let part = account.between(first, last);
        let part = whole.like(rng, &part);
        let ids = |file: &File| -> HashSet<(i32, String)> {
            let read = parsed(file.format, &file.content).unwrap();
            movements(&read).iter().map(|movement| (movement.when.day, movement.id.clone())).collect()
        };
        // What each of them refuses is the other tests' affair.
        if [&whole, &part].iter().any(|file| file.may_be_ambiguous || !file.content.ends_with('\n')) {
            return;
        }
        let mut in_days = ids(&whole);
        in_days.retain(|(day, _)| (first..=last).contains(day));
        assert_eq!(ids(&part), in_days, "{}\n{}", whole.content, part.content);
    });
}

#[test]
fn a_file_that_was_cut_gives_what_it_still_has() {
    run("cut", 30_000, 1, |rng| {
        let account = Account::random(rng, 6);
        let file = File::random(rng, &account);
        // Mostly near the end, where whole lines stand before the cut.
        let least = if rng.random() { 0 } else { file.content.len().saturating_sub(30) };
        let mut end = rng.random_range(least..=file.content.len());
        while !file.content.is_char_boundary(end) {
            end -= 1;
        }
        let content = &file.content[..end];
        if let Ok(read) = parsed(file.format, content) {
            assert_part_of(&read, &account, |written| *written, content);
        }
    });
}

/// Every movement is one of the account's, and none is there more often than there.
fn assert_part_of<T: PartialEq + std::fmt::Debug>(
    read: &Statement,
    account: &Account,
    seen: impl Fn(&Told) -> T,
    content: &str,
) {
    let mut written: Vec<T> = account.lines.iter().map(|line| seen(&line.told())).collect();
    for movement in movements(read) {
        let found = written.iter().position(|written| *written == seen(&told(movement)));
        let found = found.unwrap_or_else(|| panic!("{movement:?} was never written:\n{content}"));
        written.swap_remove(found);
    }
}

/// Where the balances before and after are stated, no change of a single place makes an amount another.
#[test]
fn no_single_change_makes_an_amount_another() {
    run("single change", 40_000, 1, |rng| {
        let account = Account::random(rng, 6);
        let format = *[Format::Bca, Format::Mt940].choose(rng).unwrap();
        let file = File::of(rng, &account, format);
        let mut damage = Damage::new(&file.content);
        damage.one_place(rng);
        let content = damage.text();
        if let Ok(read) = parsed(format, &content) {
            assert_part_of(&read, &account, |(_, direction, amount)| (*direction, *amount), &content);
        }
    });
}

/// Files as large as they may be, made to take as long and as much as possible.
#[test]
fn the_largest_files_take_seconds_and_bounded_memory() {
    let full = |head: &str, unit: &str| {
        let times = (CONTENT_BYTES_MAX - head.len()) / unit.len();
        format!("{head}{}", unit.repeat(times))
    };
    let head = "date,description,debit,credit\n";
    let opened = ":20:A\n:60F:C261120IDR0,\n";
    let cases = [
        (Format::Csv, full("", "\n")),
        (Format::Csv, full("", ",")),
        (Format::Csv, full("", "\"")),
        (Format::Csv, full("", "a\n")),
        (Format::Csv, full(head, "\n")),
        (Format::Csv, full(head, ",\n")),
        (Format::Csv, full(head, "\"\n")),
        (Format::Csv, full(head, "a\"b,\"c\n")),
        (Format::Csv, full(head, "2026-11-21,\"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\",,1\n")),
        (Format::Csv, full(head, &format!("2026-11-21,{},,1\n", "x ".repeat(15_000)))),
        (Format::Csv, full(head, &format!("2026-11-21,x,,{}\n", "1.".repeat(50)))),
        (Format::Bca, full("Tanggal,Keterangan,Jumlah,,Saldo\n", "Saldo Awal,=,1\n")),
        (Format::Mt940, full("", "\n")),
        (Format::Mt940, full("", ":20:\n")),
        (Format::Mt940, full(opened, ":61:\n")),
        (Format::Mt940, full(&format!("{opened}:61:261121C1,NTRFX\n"), ":86:a\n")),
        (Format::Mt940, full(&format!("{opened}:61:261121C1,NTRFX\n:86:"), "a\n")),
        (Format::Mt940, full("", "{1:")),
        (Format::Mt940, full("", ":20:A\n:60F:C261120IDR0,\n:62F:C261120IDR0,\n")),
    ];
    for (format, content) in cases {
        let started = Instant::now();
        let (answer, bytes) = memory::peak_of(|| parse(format, &content));
        assert_bounded(&content, &answer);
        let what = &content[..content.floor_char_boundary(60)];
        assert!(bytes < 256 * 1024 * 1024, "{bytes} bytes for {what:?}");
        // Seconds on an idle machine without optimisation; what grows with the square takes an hour.
        assert!(started.elapsed() < Duration::from_secs(180), "{:?} for {what:?}", started.elapsed());
        println!("{format:?} {:>5.1} s {:>4} MiB {what:?}", started.elapsed().as_secs_f32(), bytes >> 20);
    }
}
