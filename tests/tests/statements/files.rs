//! Statements as files, for the tests that import them.

use chrono::{Days, Utc};
use wallet_ledger_tests::bank::{BCA, BCA_NUMBER, quoted};
use wallet_ledger_tests::{Client, Line, call, try_call};

/// A line of a statement; what goes out is below zero.
#[derive(Debug, Clone)]
pub struct Entry {
    pub day: String,
    pub text: String,
    pub amount: i64,
}

/// A line so many days from today.
pub fn booked(days_from_today: i32, text: &str, amount: i64) -> Entry {
    Entry { day: day(days_from_today), text: text.to_owned(), amount }
}

/// A day of the bank, in WIB.
pub fn day(days_from_today: i32) -> String {
    let today = (Utc::now() + chrono::Duration::hours(7)).date_naive();
    let days = Days::new(days_from_today.unsigned_abs().into());
    let day = if days_from_today < 0 { today - days } else { today + days };
    day.format("%Y-%m-%d").to_string()
}

/// The generic table, without balances.
pub fn csv(entries: &[Entry]) -> String {
    let lines = entries.iter().map(|entry| {
        let kind = if entry.amount < 0 { "DB" } else { "CR" };
        format!("{},{},{},{kind}\n", entry.day, entry.text, entry.amount.abs())
    });
    format!("Date,Description,Amount,Type\n{}", lines.collect::<String>())
}

/// The same with the balance after each line.
pub fn csv_with_balances(opening: i64, entries: &[Entry]) -> String {
    let mut balance = opening;
    let lines = entries.iter().map(|entry| {
        balance += entry.amount;
        let kind = if entry.amount < 0 { "DB" } else { "CR" };
        format!("{},{},{},{kind},{balance}\n", entry.day, entry.text, entry.amount.abs())
    });
    format!("Date,Description,Amount,Type,Balance\n{}", lines.collect::<String>())
}

/// SWIFT's message with the same lines.
pub fn mt940(opening: i64, entries: &[Entry]) -> String {
    let short = |day: &str| day[2..].replace('-', "");
    let balance = |tag: &str, day: &str, amount: i64| {
        let mark = if amount < 0 { 'D' } else { 'C' };
        format!(":{tag}:{mark}{}IDR{},00\n", short(day), amount.abs())
    };
    let (first, last) = (&entries[0].day, &entries[entries.len() - 1].day);
    let lines = entries.iter().map(|entry| {
        let mark = if entry.amount < 0 { 'D' } else { 'C' };
        format!(
            ":61:{}{mark}{},00NTRFNONREF\n:86:SWIFT {}\n",
            short(&entry.day),
            entry.amount.abs(),
            entry.text
        )
    });
    let closing = opening + entries.iter().map(|entry| entry.amount).sum::<i64>();
    format!(
        ":20:STATEMENT\n:25:{BCA_NUMBER}\n:28C:1/1\n{}{}{}-\n",
        balance("60F", first, opening),
        lines.collect::<String>(),
        balance("62F", last, closing)
    )
}

pub fn import_call(format: &str, content: &str) -> String {
    format!("import_statement('{BCA}', {}, {})", quoted(format), quoted(content))
}

pub async fn import(client: &Client, format: &str, content: &str) -> Line {
    call(client, &import_call(format, content)).await
}

pub async fn try_import(client: &Client, format: &str, content: &str) -> Result<Line, tokio_postgres::Error> {
    try_call(client, &import_call(format, content)).await
}

/// What each line came to, in the file's order.
pub fn outcomes(answer: &Line) -> Vec<String> {
    let lines = answer.json("lines");
    let outcome = |line: &serde_json::Value| line["outcome"].as_str().unwrap_or("none").to_owned();
    lines.as_array().expect("an array").iter().map(outcome).collect()
}
