//! What a table's file says around its table: the lines above the header, and those below the last booking.

use super::amount::{self, Style};
use super::balance::Stated;
use super::columns::normal;
use super::day::{self, Period};
use super::table::Row;
use super::{BadStatement, account_number, quoted};
use rust_decimal::Decimal;

/// What a label stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Account,
    Currency,
    Period,
    Opening,
    Closing,
    Credits,
    Debits,
}

const LABELS: &[(Label, &[&str])] = &[
    (Label::Account, &["no rekening", "nomor rekening", "no rek", "norek", "account no", "account number"]),
    (Label::Currency, &["mata uang", "kode mata uang", "currency", "ccy"]),
    (Label::Period, &["periode", "period"]),
    (Label::Opening, &["saldo awal", "starting balance", "opening balance", "beginning balance"]),
    (Label::Closing, &["saldo akhir", "ending balance", "closing balance"]),
    (Label::Credits, &["mutasi kredit", "mutasi credit", "kredit", "credit", "total kredit", "total credit"]),
    (
        Label::Debits,
        &["mutasi debet", "mutasi debit", "debet", "debit", "total debet", "total debit", "mutasi db"],
    ),
];

/// The labelled values of a file, the first of each kind.
#[derive(Debug, Default)]
pub struct Facts {
    pub account: Option<String>,
    pub currency: Option<String>,
    pub period: Option<Period>,
    opening: Option<Amount>,
    closing: Option<Amount>,
    credits: Option<Amount>,
    debits: Option<Amount>,
}

#[derive(Debug)]
struct Amount {
    line: usize,
    text: String,
}

impl Facts {
    /// Takes a row that is `label : value` or `label,=,value`; `false` if it is none that is known.
    pub fn take(&mut self, row: &Row<'_>, delimiter: char) -> bool {
        let Some((label, value)) = labelled(row, delimiter) else { return false };
        let amount = || Amount { line: row.line, text: value.clone() };
        match label {
            Label::Account => self.account = self.account.take().or_else(|| account_number(&value)),
            Label::Currency => self.currency = self.currency.take().or_else(|| currency(&value)),
            Label::Period => self.period = self.period.or_else(|| day::period(&value)),
            Label::Opening => _ = self.opening.get_or_insert_with(amount),
            Label::Closing => _ = self.closing.get_or_insert_with(amount),
            Label::Credits => _ = self.credits.get_or_insert_with(amount),
            Label::Debits => _ = self.debits.get_or_insert_with(amount),
        }
        true
    }

    /// The texts of all amounts, for what they tell of the file's style.
    pub fn amounts(&self) -> impl Iterator<Item = &str> {
        let all = [&self.opening, &self.closing, &self.credits, &self.debits];
        all.into_iter().flatten().map(|amount| amount.text.as_str())
    }

    /// The stated balances and sums. A balance that cannot be read refuses the file, for it was there to be
    /// compared with; a sum is only said twice.
    pub fn stated(&self, style: Option<Style>) -> Result<Stated, BadStatement> {
        let sum = |amount: &Option<Amount>| read(&amount.as_ref()?.text, style).map(|sum| sum.abs());
        Ok(Stated {
            opening: self.opening.as_ref().map(|amount| balance(amount, style)).transpose()?,
            closing: self.closing.as_ref().map(|amount| balance(amount, style)).transpose()?,
            credits: sum(&self.credits),
            debits: sum(&self.debits),
        })
    }
}

/// Three capital letters; banks write `Rp` as well.
pub fn currency(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    if text.eq_ignore_ascii_case("rp") || text.eq_ignore_ascii_case("rupiah") {
        return Some("IDR".to_owned());
    }
    (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()))
        .then(|| text.to_ascii_uppercase())
}

fn read(text: &str, style: Option<Style>) -> Option<Decimal> {
    amount::cell(text).ok()??.balance(style).ok()
}

fn balance(amount: &Amount, style: Option<Style>) -> Result<Decimal, BadStatement> {
    read(&amount.text, style).ok_or_else(|| {
        let what = quoted(&amount.text);
        BadStatement::new(
            "invalid_balance",
            format!("line {}: the balance {what} cannot be read", amount.line),
        )
    })
}

fn labelled(row: &Row<'_>, delimiter: char) -> Option<(Label, String)> {
    let cells = row.cells.as_ref().ok()?;
    let mut filled =
        cells.iter().map(|cell| cell.trim().trim_start_matches('\'')).filter(|cell| !cell.is_empty());
    let first = filled.next()?;
    let around = |c: char| c == delimiter || c == '"' || c.is_whitespace();
    let (name, inside) = match first.split_once(':') {
        // Unquoted, the value may have been cut at its own commas.
        Some((name, _)) if !row.raw.trim_start().starts_with('"') => {
            (name, row.raw.split_once(':').map(|(_, value)| value.trim_matches(around)))
        }
        Some((name, value)) => (name, Some(value.trim())),
        None => (first, None),
    };
    let name = normal(name);
    let label = LABELS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(label, _)| *label)?;
    let value = match inside.filter(|value| !value.is_empty()) {
        Some(value) => value,
        None => filled.find(|cell| !matches!(*cell, "=" | ":")).unwrap_or_default(),
    };
    Some((label, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    fn facts(text: &str) -> Facts {
        let mut facts = Facts::default();
        for row in table::rows(text, ',', 100) {
            facts.take(&row, ',');
        }
        facts
    }

    #[test]
    fn labels_in_every_form() {
        for text in [
            "No. rekening : 1234567890\nKode Mata Uang : Rp\nPeriode : 01/09/2026 - 30/09/2026\nSaldo Awal : 1,000,000.00\nSaldo Akhir : -5.00",
            "\"No. rekening : 1234567890\"\n\"Mata Uang : IDR\"\n\"Periode : 01/09/2026 - 30/09/2026\",,\n\"Saldo Awal : 1,000,000.00\"\n\"Saldo Akhir : -5.00\",\"3\"",
            "No. Rekening,=,'1234567890\nMata Uang,=,IDR\nPeriode,=,01/09/2026 - 30/09/2026,\nSaldo Awal,=,1000000.00\nSaldo Akhir,=,-5.00",
            "No Rekening,:,'123-456-7890\nCurrency,:,idr\nPeriod,:,1 Sep 2026 - 30 Sep 2026\nStarting Balance,:,\"1,000,000.00\"\n,Ending Balance,,,-5.00",
        ] {
            let facts = facts(text);
            assert_eq!(facts.account.as_deref(), Some("1234567890"), "{text}");
            assert_eq!(facts.currency.as_deref(), Some("IDR"), "{text}");
            assert_eq!(facts.period, day::period("01/09/2026 - 30/09/2026"), "{text}");
            let stated = facts.stated(None).unwrap();
            assert_eq!(
                (stated.opening, stated.closing),
                (Some(1_000_000.into()), Some((-5).into())),
                "{text}"
            );
        }
    }

    #[test]
    fn a_balance_that_cannot_be_read_is_not_passed_over() {
        for value in ["", "n/a", "1.234", "1e400", "1,2,3"] {
            let fault = facts(&format!("Saldo Akhir,=,\"{value}\"")).stated(None).unwrap_err();
            assert_eq!(fault.reason, "invalid_balance", "{value:?}");
        }
        assert!(facts("Mutasi Kredit,=,?").stated(None).unwrap().credits.is_none());
        assert!(!Facts::default().take(&table::rows("Catatan : 5", ',', 1)[0], ','));
    }
}
