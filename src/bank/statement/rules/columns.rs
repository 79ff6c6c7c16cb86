//! Which column of a table is what, by the names in its header, whatever their order.
//!
//! The banks publish no description of their exports. What is public are files and readers of files that
//! their customers wrote, so each form is tolerant and goes by names alone. Corroborated by several such
//! sources: KlikBCA (both forms), Mandiri's `AccountNo;Ccy;PostDate;…` and `Account No,Date,Val. Date,…`, BRI's
//! `NOREK,TGL_TRAN,…`, BNI's `Post Date,Value Date,Branch,Journal No.,…`. By one source or none, and so not
//! verified: BRI's `Tanggal Transaksi,Uraian Transaksi,Teller,…`, BNI's forms with an amount and a type, and
//! every English name of a form that has Indonesian ones.

use super::Format;

/// The known names of each column, the preferred ones first. All columns that describe are used together.
struct Names {
    date: &'static [&'static str],
    description: &'static [&'static str],
    amount: &'static [&'static str],
    direction: &'static [&'static str],
    debit: &'static [&'static str],
    credit: &'static [&'static str],
    balance: &'static [&'static str],
    reference: &'static [&'static str],
    account: &'static [&'static str],
    currency: &'static [&'static str],
}

/// KlikBCA: the amount has `CR` or `DB` behind it, or in the column without a name that follows.
const BCA: Names = Names {
    date: &["tanggal transaksi", "tanggal", "transaction date", "date"],
    description: &["keterangan", "description"],
    amount: &["jumlah", "mutasi", "amount"],
    direction: &[],
    debit: &[],
    credit: &[],
    balance: &["saldo", "balance"],
    reference: &[],
    account: &[],
    currency: &[],
};

const MANDIRI: Names = Names {
    date: &["postdate", "date", "tanggal"],
    description: &["remarks", "additionaldesc", "additional desc", "description", "keterangan"],
    amount: &[],
    direction: &[],
    debit: &["debit amount", "debit"],
    credit: &["credit amount", "credit", "kredit"],
    balance: &["close balance", "balance", "saldo"],
    reference: &["reference no", "reference"],
    account: &["accountno", "account no"],
    currency: &["ccy", "currency"],
};

const BRI: Names = Names {
    date: &["tgl tran", "tgl transaksi", "tanggal transaksi", "tanggal"],
    description: &["desk tran", "deskripsi", "uraian transaksi", "remark custom"],
    amount: &[],
    direction: &[],
    debit: &["mutasi debet", "mutasi debit", "debet", "debit"],
    credit: &["mutasi kredit", "kredit"],
    balance: &["saldo akhir mutasi", "saldo akhir", "saldo"],
    reference: &[],
    account: &["norek", "no rekening"],
    currency: &["mata uang"],
};

const BNI: Names = Names {
    date: &["post date", "posting date", "tanggal transaksi", "tanggal"],
    description: &["description", "transaction description", "uraian transaksi", "keterangan"],
    amount: &["amount", "nominal"],
    direction: &["db/cr", "tipe"],
    debit: &["debit", "debet"],
    credit: &["credit", "kredit"],
    balance: &["balance", "saldo"],
    reference: &["journal no", "journal"],
    account: &["account no"],
    currency: &["currency", "ccy"],
};

const GENERIC: Names = Names {
    date: &["date", "tanggal", "transaction date", "tanggal transaksi", "tgl"],
    description: &["description", "keterangan", "uraian", "deskripsi"],
    amount: &["amount", "jumlah", "nominal"],
    direction: &["type", "jenis", "tipe", "db/cr", "cr/db", "d/k", "dk"],
    debit: &["debit", "debet"],
    credit: &["credit", "kredit"],
    balance: &["balance", "saldo"],
    reference: &["id", "reference", "referensi", "ref", "no referensi", "reference no"],
    account: &["account number", "account no", "no rekening", "rekening"],
    currency: &["currency", "mata uang"],
};

/// Where the columns are.
#[derive(Debug, PartialEq, Eq)]
pub struct Columns {
    pub date: usize,
    pub descriptions: Vec<usize>,
    pub money: Money,
    pub balance: Option<usize>,
    pub reference: Option<usize>,
    pub account: Option<usize>,
    pub currency: Option<usize>,
    /// A record with fewer cells lacks something, and one with more has a delimiter too many.
    pub cells_min: usize,
    pub cells_max: usize,
}

/// How a table says what moved.
#[derive(Debug, PartialEq, Eq)]
pub enum Money {
    /// One column, and perhaps one that says which way; otherwise the amount itself says it.
    Signed { amount: usize, direction: Option<usize> },
    /// A column for each way.
    Split { debit: usize, credit: usize },
}

/// Why a record is not the header.
#[derive(Debug, PartialEq, Eq)]
pub enum NoHeader {
    Lacks(Vec<&'static str>),
    Twice(&'static str),
}

/// The columns of a header, or what it lacks.
pub fn find(format: Format, header: &[String]) -> Result<Columns, NoHeader> {
    let names = match format {
        Format::Bca => &BCA,
        Format::Mandiri => &MANDIRI,
        Format::Bri => &BRI,
        Format::Bni => &BNI,
        Format::Csv | Format::Mt940 => &GENERIC,
    };
    let one = |names: &'static [&'static str]| one(names, header);
    let date = one(names.date)?;
    let descriptions: Vec<usize> =
        (0..header.len()).filter(|index| names.description.contains(&header[*index].as_str())).collect();
    let amount = one(names.amount)?;
    let direction = one(names.direction)?;
    let split = (one(names.debit)?, one(names.credit)?);
    let width = header.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    let mut balance = one(names.balance)?;
    let mut cells_max = header.len();

    let money = match (split, amount) {
        ((Some(debit), Some(credit)), _) => Some(Money::Split { debit, credit }),
        (_, Some(amount)) => {
            let unnamed = Some(amount + 1).filter(|next| *next < width && header[*next].is_empty());
            Some(Money::Signed { amount, direction: direction.or(unnamed) })
        }
        _ => None,
    };
    let needed = [
        (date.is_none(), "date"),
        (descriptions.is_empty(), "description"),
        (money.is_none(), "amount, or debit and credit"),
    ];
    let (Some(date), Some(money), false) = (date, money, descriptions.is_empty()) else {
        return Err(NoHeader::Lacks(
            needed.iter().filter(|(lacks, _)| *lacks).map(|(_, name)| *name).collect(),
        ));
    };
    let (reference, account, currency) = (one(names.reference)?, one(names.account)?, one(names.currency)?);
    let (first, second) = match money {
        Money::Signed { amount, direction } => (Some(amount), direction),
        Money::Split { debit, credit } => (Some(debit), Some(credit)),
    };
    let cells_min = [Some(date), first, second, balance, reference, account, currency]
        .into_iter()
        .flatten()
        .chain(descriptions.iter().copied())
        .max()
        .map_or(0, |last| last + 1);
    // Some files of KlikBCA name no column for the balance and yet have it, behind the amount.
    if format == Format::Bca && balance.is_none() && first == Some(width.saturating_sub(1)) {
        balance = Some(width);
        cells_max = cells_max.max(width + 1);
    }
    Ok(Columns { date, descriptions, money, balance, reference, account, currency, cells_min, cells_max })
}

/// A header's name as the lists above have it.
pub fn normal(name: &str) -> String {
    let around = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\u{feff}');
    let name = name.trim_matches(around).to_lowercase();
    let words = name.split(|c: char| c.is_whitespace() || c == '_').map(|word| word.trim_matches('.'));
    let mut normal = String::with_capacity(name.len());
    for word in words.filter(|word| !matches!(*word, "" | "(idr)" | "(rp)" | "(rp.)")) {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    normal
}

/// The column that has the first of these names that the header has at all. One name twice is no answer.
fn one(names: &'static [&'static str], header: &[String]) -> Result<Option<usize>, NoHeader> {
    for name in names {
        let mut found = (0..header.len()).filter(|index| header[*index] == *name);
        if let Some(index) = found.next() {
            return if found.next().is_some() { Err(NoHeader::Twice(name)) } else { Ok(Some(index)) };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(format: Format, header: &str) -> Result<Columns, NoHeader> {
        let delimiter = if header.contains(';') { ';' } else { ',' };
        find(format, &header.split(delimiter).map(normal).collect::<Vec<_>>())
    }

    #[test]
    fn the_headers_of_the_banks() {
        use Money::{Signed, Split};
        let cases = [
            (
                Format::Bca,
                "Tanggal Transaksi,Keterangan,Cabang,Jumlah,Saldo",
                Signed { amount: 3, direction: None },
                5,
            ),
            (
                Format::Bca,
                "Tanggal,Keterangan,Cabang, Jumlah ,,Saldo",
                Signed { amount: 3, direction: Some(4) },
                6,
            ),
            (
                Format::Bca,
                "Date,Description,Branch,Amount,,Balance",
                Signed { amount: 3, direction: Some(4) },
                6,
            ),
            (
                Format::Mandiri,
                "AccountNo;Ccy;PostDate;Remarks;AdditionalDesc;Credit Amount;Debit Amount;Close Balance",
                Split { debit: 6, credit: 5 },
                8,
            ),
            (
                Format::Mandiri,
                "Account No,Date,Val. Date,Transaction Code,Description,Description,Reference No.,Debit,Credit",
                Split { debit: 7, credit: 8 },
                9,
            ),
            (
                Format::Bri,
                "ID,NOREK,TGL_TRAN,TGL_EFEKTIF,JAM_TRAN,SEQ,DESK_TRAN,SALDO_AWAL_MUTASI,MUTASI_DEBET,MUTASI_KREDIT,\
                 SALDO_AKHIR_MUTASI,GLSIGN",
                Split { debit: 8, credit: 9 },
                11,
            ),
            (
                Format::Bni,
                "Post Date,Value Date,Branch,Journal No.,Description,Debit,Credit,",
                Split { debit: 5, credit: 6 },
                7,
            ),
            (
                Format::Csv,
                "Saldo;Jenis;Jumlah (Rp);KETERANGAN;Tanggal",
                Signed { amount: 2, direction: Some(1) },
                5,
            ),
            (Format::Csv, "id,date,description,debit,credit", Split { debit: 3, credit: 4 }, 5),
        ];
        for (format, header, money, cells_min) in cases {
            let columns = found(format, header).unwrap_or_else(|error| panic!("{header}: {error:?}"));
            assert_eq!((columns.money, columns.cells_min), (money, cells_min), "{header}");
        }
        let two = found(Format::Mandiri, "Account No,Date,Description,Description,Debit,Credit").unwrap();
        assert_eq!(two.descriptions, [2, 3]);
        let unnamed = found(Format::Bca, "Tanggal Transaksi,Keterangan,Cabang,Jumlah").unwrap();
        assert_eq!((unnamed.balance, unnamed.cells_min, unnamed.cells_max), (Some(4), 4, 5));
    }

    #[test]
    fn what_is_no_header() {
        assert_eq!(found(Format::Csv, "date,amount,type"), Err(NoHeader::Lacks(vec!["description"])));
        assert_eq!(
            found(Format::Csv, "tanggal,keterangan,debet"),
            Err(NoHeader::Lacks(vec!["amount, or debit and credit"]))
        );
        assert_eq!(found(Format::Csv, "date,description,amount,amount"), Err(NoHeader::Twice("amount")));
        assert!(found(Format::Bri, "Date,Description,Debit,Credit").is_err(), "another bank's");
        assert!(found(Format::Csv, "💸").is_err());
    }
}
