//! The files that a bank would write the movements of an account to.

use crate::account::{Account, Written};
use crate::bank::statement::rules::Format;
use jiff::civil::Date;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

/// How a file writes its amounts.
#[derive(Clone, Copy)]
struct Style {
    group: &'static str,
    point: &'static str,
    decimals: bool,
}

impl Style {
    fn random(rng: &mut impl Rng, account: &Account) -> Self {
        let (group, point) =
            *[(",", "."), (".", ","), ("", "."), ("", ",")].choose(rng).unwrap_or(&("", "."));
        Self { group, point, decimals: !account.whole || rng.random() }
    }

    const BANKS: Style = Style { group: ",", point: ".", decimals: true };

    fn write(self, cents: i64) -> String {
        let digits = (cents.unsigned_abs() / 100).to_string();
        let mut text = String::new();
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push_str(self.group);
            }
            text.push(digit);
        }
        if self.decimals {
            text.push_str(&format!("{}{:02}", self.point, cents.unsigned_abs() % 100));
        }
        if cents < 0 { format!("-{text}") } else { text }
    }
}

/// A file, and the choices that it was written with.
pub struct File {
    pub format: Format,
    pub content: String,
    /// Whether all of its amounts may be groups of three digits without decimals.
    pub may_be_ambiguous: bool,
    shape: Shape,
}

/// What makes two files of one bank look alike.
#[derive(Clone)]
struct Shape {
    style: Style,
    /// Which of the forms of the format.
    form: u32,
    delimiter: char,
    columns: Vec<usize>,
    with_balance: bool,
    line_end: &'static str,
}

impl File {
    pub fn random(rng: &mut impl Rng, account: &Account) -> Self {
        let format = *Format::ALL.choose(rng).unwrap_or(&Format::Csv);
        Self::of(rng, account, format)
    }

    pub fn of(rng: &mut impl Rng, account: &Account, format: Format) -> Self {
        let mut columns: Vec<usize> = (0..5).collect();
        columns.shuffle(rng);
        let shape = Shape {
            style: if format == Format::Csv { Style::random(rng, account) } else { Style::BANKS },
            form: rng.random(),
            delimiter: *[',', ';', '\t'].choose(rng).unwrap_or(&','),
            columns,
            with_balance: rng.random(),
            line_end: if rng.random() { "\n" } else { "\r\n" },
        };
        Self::write(rng, account, format, shape)
    }

    /// Another export of the same form.
    pub fn like(&self, rng: &mut impl Rng, account: &Account) -> Self {
        Self::write(rng, account, self.format, self.shape.clone())
    }

    fn write(rng: &mut impl Rng, account: &Account, format: Format, shape: Shape) -> Self {
        let rows = match format {
            Format::Bca => bca(&shape, account),
            Format::Mandiri => mandiri(&shape, account),
            Format::Bri => bri(&shape, account),
            Format::Bni => bni(&shape, account),
            Format::Csv => generic(rng, &shape, account),
            Format::Mt940 => mt940(&shape, account),
        };
        let mut content = rows.join(shape.line_end);
        if rng.random_ratio(7, 8) {
            content.push_str(shape.line_end);
        }
        if rng.random_ratio(1, 8) {
            content.insert(0, '\u{feff}');
        }
        let may_be_ambiguous =
            format == Format::Csv && !shape.style.decimals && !shape.style.group.is_empty();
        Self { format, content, may_be_ambiguous, shape }
    }
}

fn bca(shape: &Shape, account: &Account) -> Vec<String> {
    let style = shape.style;
    let (first, last) = period(account);
    let dated = shape.form & 1 == 0;
    let date =
        |date: Date| if dated { date.strftime("%d/%m/%Y") } else { date.strftime("'%d/%m") }.to_string();
    let mut rows = vec![
        "No. rekening : 1234567890".to_owned(),
        format!("Periode : {} - {}", first.strftime("%d/%m/%Y"), last.strftime("%d/%m/%Y")),
        "Kode Mata Uang : Rp".to_owned(),
        String::new(),
    ];
    let personal = shape.form & 2 == 0;
    rows.push(
        if personal {
            "Tanggal,Keterangan,Cabang,Jumlah,,Saldo"
        } else {
            "Tanggal Transaksi,Keterangan,Cabang,Jumlah,Saldo"
        }
        .to_owned(),
    );
    for line in &account.lines {
        let mark = if line.credit { "CR" } else { "DB" };
        let amount = style.write(line.cents);
        let amount = if personal { format!("\"{amount}\",{mark}") } else { format!("\"{amount} {mark}\"") };
        let text = quoted(&line.text, ',', true);
        rows.push(format!("{},{text},'0000,{amount},\"{}\"", date(line.date), style.write(line.balance)));
    }
    let sum = |credit: bool| {
        let cents: i64 =
            account.lines.iter().filter(|line| line.credit == credit).map(|line| line.cents).sum();
        style.write(cents)
    };
    rows.push(format!("\"Saldo Awal : {}\"", style.write(account.opening_cents)));
    rows.push(format!("\"Mutasi Kredit : {}\"", sum(true)));
    rows.push(format!("\"Mutasi Debet : {}\"", sum(false)));
    rows.push(format!("\"Saldo Akhir : {}\"", style.write(account.closing_cents())));
    rows
}

fn mandiri(shape: &Shape, account: &Account) -> Vec<String> {
    let plain = Style { group: "", ..shape.style };
    let mut rows = vec![
        "AccountNo;Ccy;PostDate;Remarks;AdditionalDesc;Credit Amount;Debit Amount;Close Balance".to_owned(),
    ];
    for line in &account.lines {
        let (credit, debit) = if line.credit { (line.cents, 0) } else { (0, line.cents) };
        rows.push(format!(
            "1060012345678;IDR;{} {};{};;{};{};{}",
            line.date.strftime("%d %B %Y"),
            clock(line, ':'),
            quoted(&line.text, ';', false),
            plain.write(credit),
            plain.write(debit),
            plain.write(line.balance),
        ));
    }
    rows
}

fn bri(shape: &Shape, account: &Account) -> Vec<String> {
    let plain = Style { group: "", ..shape.style };
    let mut rows = vec![
        "ID,NOREK,TGL_TRAN,DESK_TRAN,SALDO_AWAL_MUTASI,MUTASI_DEBET,MUTASI_KREDIT,SALDO_AKHIR_MUTASI,GLSIGN"
            .to_owned(),
    ];
    for (index, line) in account.lines.iter().enumerate() {
        let (credit, debit) = if line.credit { (line.cents, 0) } else { (0, line.cents) };
        rows.push(format!(
            "\"{index}\",\"588010370815\",\"{} {}\",{},\"0.00\",\"{}\",\"{}\",\"{}\",\"Cr\"",
            line.date,
            clock(line, ':'),
            quoted(&line.text, ',', true),
            plain.write(debit),
            plain.write(credit),
            plain.write(line.balance),
        ));
    }
    rows
}

fn bni(shape: &Shape, account: &Account) -> Vec<String> {
    let mut rows = vec!["Post Date,Value Date,Branch,Journal No.,Description,Debit,Credit,".to_owned()];
    for line in &account.lines {
        let amount = quoted(&shape.style.write(line.cents), ',', false);
        rows.push(format!(
            "{} {},{},0998,7001,{},{}",
            line.date.strftime("%d/%m/%y"),
            clock(line, '.'),
            line.date.strftime("%d/%m/%y"),
            quoted(&line.text, ',', false),
            if line.credit { format!(",{amount},") } else { format!("{amount},,") },
        ));
    }
    rows
}

/// The generic table: the columns in any order, under any of their names.
fn generic(rng: &mut impl Rng, shape: &Shape, account: &Account) -> Vec<String> {
    const NAMES: [[&str; 3]; 5] = [
        ["Date", "TANGGAL", "Tanggal Transaksi"],
        ["description", "Keterangan", "Uraian"],
        ["Amount", "jumlah", "Nominal"],
        ["Type", "jenis", "DB/CR"],
        ["Balance", "saldo", "Saldo (Rp)"],
    ];
    const MARKS: [(&str, &str); 5] =
        [("CR", "DB"), ("K", "D"), ("Kredit", "Debet"), ("credit", "debit"), ("Cr", "Dr")];
    let (split, in_amount) = (shape.form.is_multiple_of(3), shape.form % 3 == 1);
    let wanted = |column: &&usize| match **column {
        3 => !in_amount,
        4 => shape.with_balance,
        _ => true,
    };
    let columns: Vec<usize> = shape.columns.iter().filter(wanted).copied().collect();
    let row = |cells: Vec<String>| {
        let cells: Vec<String> =
            cells.iter().map(|cell| quoted(cell, shape.delimiter, shape.form & 64 == 0)).collect();
        cells.join(&shape.delimiter.to_string())
    };
    let names = |column: &usize| match (split, *column) {
        (true, 2) => "Debet".to_owned(),
        (true, 3) => "Kredit".to_owned(),
        (_, column) => NAMES[column].choose(rng).unwrap_or(&"").to_string(),
    };
    let mut rows = vec![row(columns.iter().map(names).collect())];
    let marks = MARKS[shape.form as usize / 128 % MARKS.len()];
    for line in &account.lines {
        let amount = shape.style.write(line.cents);
        let cell = |column: &usize| match (split, *column) {
            (_, 0) => dated(line, shape.form / 3 % 6),
            (_, 1) => line.text.clone(),
            (true, 2) => {
                if line.credit {
                    String::new()
                } else {
                    amount.clone()
                }
            }
            (true, 3) => {
                if line.credit {
                    amount.clone()
                } else {
                    "-".to_owned()
                }
            }
            (_, 2) if in_amount => format!("{amount} {}", if line.credit { "CR" } else { "DB" }),
            (_, 2) => amount.clone(),
            (_, 3) => if line.credit { marks.0 } else { marks.1 }.to_owned(),
            _ => shape.style.write(line.balance),
        };
        rows.push(row(columns.iter().map(cell).collect()));
    }
    rows
}

/// One message for each day.
fn mt940(shape: &Shape, account: &Account) -> Vec<String> {
    let balance = |tag: &str, cents: i64, date: Date| {
        let mark = if cents < 0 { 'D' } else { 'C' };
        let cents = cents.unsigned_abs();
        format!(":{tag}:{mark}{}IDR{},{:02}", date.strftime("%y%m%d"), cents / 100, cents % 100)
    };
    let mut rows = Vec::new();
    let mut before = account.opening_cents;
    for (index, lines) in account.lines.chunk_by(|one, next| one.date == next.date).enumerate() {
        let Some(last) = lines.last() else { continue };
        rows.extend([
            format!(":20:STMT{index}"),
            ":25:BANKIDJA/1234567890".to_owned(),
            format!(":28C:{index}/1"),
        ]);
        rows.push(balance("60F", before, lines[0].date));
        for line in lines {
            // Taken back, a credit is a debit.
            let mark = match (line.credit, shape.form & 1 == 0) {
                (true, true) => "C",
                (true, false) => "RD",
                (false, true) => "DR",
                (false, false) => "RC",
            };
            let (day, cents) = (line.date.strftime("%y%m%d"), line.cents);
            let entry =
                if shape.form & 2 == 0 { line.date.strftime("%m%d").to_string() } else { String::new() };
            rows.push(format!(":61:{day}{entry}{mark}{},{:02}NTRFNONREF", cents / 100, cents % 100));
            let words: Vec<&str> = line.text.split(' ').collect();
            let wrapped: Vec<String> = words.chunks(3).map(|words| words.join(" ")).collect();
            rows.push(format!(":86:{}", wrapped.join(shape.line_end)));
        }
        rows.push(balance("62F", last.balance, last.date));
        before = last.balance;
    }
    rows
}

fn period(account: &Account) -> (Date, Date) {
    let date = |line: Option<&Written>| line.map_or(Date::constant(2026, 1, 1), |line| line.date);
    (date(account.lines.first()), date(account.lines.last()))
}

fn dated(line: &Written, form: u32) -> String {
    let date = line.date;
    match form {
        0 => date.to_string(),
        1 => format!("{date} {}", clock(line, ':')),
        2 => date.strftime("%d/%m/%Y").to_string(),
        3 => date.strftime("%d/%m/%y").to_string(),
        4 => date.strftime("%d-%b-%Y").to_string(),
        _ => format!("{} {}", date.strftime("%d %B %Y"), clock(line, '.')),
    }
}

fn clock(line: &Written, sign: char) -> String {
    let (hour, minute, second) = line.time;
    format!("{hour:02}{sign}{minute:02}{sign}{second:02}")
}

fn quoted(cell: &str, delimiter: char, always: bool) -> String {
    let must = cell.starts_with('"') || cell.contains([delimiter, '\n', '\r']);
    if always || must { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
