//! Whole files of every table form, with invented data. What can be wrong with them is in `faults`.

mod faults;

use super::*;
use crate::bank::rules::when::When;
use crate::bank::rules::{BadLine, Direction, Item, Movement};

const BCA_BUSINESS: &str = "Informasi Rekening - Mutasi Rekening\r
\"No. rekening : 1234567890\"\r
Nama : PT CONTOH SEJAHTERA\r
Periode : 30/12/2025 - 03/01/2026\r
Kode Mata Uang : Rp\r
\r
\"Tanggal Transaksi\",\"Keterangan\",\"Cabang\",\"Jumlah\",\"Saldo\"\r
\"30/12\",\"TRSF E-BANKING CR 3012/FTSCY/WS95051       150123.00 ANDI, WIJAYA  \",\"0000\",\"150,123.00 CR\",\"1,150,123.00\"\r
\"31/12/2025\",\"BIAYA ADM\",\"0000\",\"15,000.00 DB\",\"1,135,123.00\"\r
\"01/01\",\"KR OTOMATIS\",\"0998\",\"2,000,000.00 CR\",\"3,135,123.00\"\r
\"PEND\",\"TRSF E-BANKING DB\",\"0000\",\"35,123.00 DB\",\"3,100,000.00\"\r
\"Saldo Awal : 1,000,000.00\"\r
\"Mutasi Debet : 50,123.00\",\"2\"\r
\"Mutasi Kredit : 2,150,123.00\",\"2\"\r
\"Saldo Akhir : 3,100,000.00\"\r
";

const BCA_PERSONAL: &str = "No. Rekening,=,'1234567890
Nama,=,BUDI SANTOSO
Mata Uang,=,IDR
Periode,=,01/09/2026 - 30/09/2026
Tanggal,Keterangan,Cabang,Jumlah,,Saldo
'05/09,'TRSF E-BANKING DB 0509/FTSCY/WS95051,'0000,150000.00,DB,850000.00
'10/09,'SETORAN TUNAI,'0123,2000000.00,CR,2850000.00
Saldo Awal,=,1000000.00
Kredit,=,2000000.00
Debet,=,150000.00
Saldo Akhir,=,2850000.00
";

const MANDIRI: &str = "AccountNo;Ccy;PostDate;Remarks;AdditionalDesc;Credit Amount;Debit Amount;Close Balance
1060012345678;IDR;15 May 2026 04:13:08;INVOICE 77      ;MCM InhouseTrf DARI ANDI;1000123.00;0.00;5000123.00
1060012345678;IDR;16 Mei 2026 00:00:00;Biaya;Biaya;0.00;2500.00;4997623.00
";

const MANDIRI_OTHER: &str =
    "Account No,Date,Val. Date,Transaction Code,Description,Description,Reference No.,Debit,Credit
0060012345678,01/01/26,01/01/26,6902,\"DR 0029511 KR 0060012 \",\"71831/CONTOH/BKS        \",,\".00\",\"453,684.00\"
0060012345678,22/01/26,22/01/26,7820,MCM InhouseTrf, Transfer Fee,G0750,\"41,300.00\",\".00\"
";

const BRI: &str = "ID,NOREK,TGL_TRAN,TGL_EFEKTIF,JAM_TRAN,SEQ,DESK_TRAN,SALDO_AWAL_MUTASI,MUTASI_DEBET,MUTASI_KREDIT,SALDO_AKHIR_MUTASI,GLSIGN,REMARK_CUSTOM
\"2\",\"588010370815\",\"2026-07-10 23:44:44\",\"2026-07-10 23:44:44\",\"234444\",\"14\",\"NBMB TO X\",\"7173313.00\",\"70000.00\",\"0.00\",\"7103313.00\",\"Db\",\"\"
\"1\",\"588010370815\",\"2026-07-10 08:00:00\",\"2026-07-10 08:00:00\",\"080000\",\"13\",\"QRIS 9360\",\"7073313.00\",\"0.00\",\"100000.00\",\"7173313.00\",\"Cr\",\"Dari Contoh\"
";

const BRI_OTHER: &str = "Laporan Mutasi Rekening
No. Rekening : 0000-01-000123-50-9

Tanggal Transaksi,Uraian Transaksi,Teller,Debet,Kredit,Saldo
02/08/26,SETORAN,0000123,\"0,00\",\"1.500.000,00\",\"2.500.000,00\"
03/08/26,TARIKAN,0000123,\"500.000,00\",\"0,00\",\"2.000.000,00\"
";

const BNI: &str = "Post Date,Value Date,Branch,Journal No.,Description,Debit,Credit,
21/11/26 10.15.30,21/11/26,0998,7001,TRANSFER DARI | Bpk ANDI,,\"300,123.00\",
21/11/26 12.30.00,21/11/26,0998,7002,TARIK TUNAI,\"125,000.00\",,
";

const BNI_OTHER: &str =
    "Posting Date,Effective Date,Branch,Journal,Transaction Description,Amount,DB/CR,Balance
21/11/2026,21/11/2026,0998,7001,SETOR,\"300,123.00\",K,\"1,300,123.00\"
21/11/2026,21/11/2026,0998,7002,TARIK,\"125,000.00\",D,\"1,175,123.00\"
";

fn statement(format: Format, text: &str) -> Statement {
    parse(format, text).unwrap_or_else(|fault| panic!("{fault:?}\n{text}"))
}

fn movements(statement: &Statement) -> Vec<&Movement> {
    let movement = |line| match line {
        &Ok(Item::Movement(ref movement)) => Some(movement),
        _ => None,
    };
    statement.lines.iter().filter_map(movement).collect()
}

/// Date and time, direction, amount and balance of each movement.
fn told(statement: &Statement) -> Vec<(When, Direction, String, Option<String>)> {
    let text = |amount: Decimal| amount.to_string();
    let told = |m: &&Movement| (m.when, m.direction, text(m.amount), m.balance.map(text));
    movements(statement).iter().map(told).collect()
}

fn bad_lines(statement: &Statement) -> Vec<&BadLine> {
    statement.lines.iter().filter_map(|line| line.as_ref().err()).collect()
}

fn on(text: &str) -> When {
    When::parse(text).unwrap()
}

fn balance(day: &str, amount: &str) -> Option<Balance> {
    Some(Balance { day: on(day).day, amount: amount.parse().unwrap() })
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

use Direction::{Credit, Debit};

#[test]
fn klikbca_business() {
    let read = statement(Format::Bca, BCA_BUSINESS);
    assert_eq!(
        told(&read),
        [
            (on("2025-12-30"), Credit, "150123.00".to_owned(), some("1150123.00")),
            (on("2025-12-31"), Debit, "15000.00".to_owned(), some("1135123.00")),
            (on("2026-01-01"), Credit, "2000000.00".to_owned(), some("3135123.00")),
        ]
    );
    assert_eq!(read.lines[3], Ok(Item::Other { id: None, reason: "pending" }));
    assert_eq!(read.lines.len(), 4);
    assert_eq!(
        movements(&read)[0].description,
        "TRSF E-BANKING CR 3012/FTSCY/WS95051 150123.00 ANDI, WIJAYA"
    );
    assert_eq!(movements(&read)[0].account_number, some("1234567890"));
    assert_eq!((read.account_number.as_deref(), read.currency.as_deref()), (Some("1234567890"), Some("IDR")));
    // The file's closing balance has the pending line in it; the statement's has not.
    assert_eq!(read.opening, balance("2025-12-30", "1000000"));
    assert_eq!(read.closing, balance("2026-01-01", "3135123"));
    assert_eq!((read.from_day, read.until_day), (Some(on("2025-12-30").day), Some(on("2026-01-03").day)));
}

#[test]
fn klikbca_personal() {
    let read = statement(Format::Bca, BCA_PERSONAL);
    assert_eq!(
        told(&read),
        [
            (on("2026-09-05"), Debit, "150000.00".to_owned(), some("850000.00")),
            (on("2026-09-10"), Credit, "2000000.00".to_owned(), some("2850000.00")),
        ]
    );
    assert_eq!(movements(&read)[0].description, "TRSF E-BANKING DB 0509/FTSCY/WS95051");
    let without_period = BCA_PERSONAL.replace("Periode,=,01/09/2026 - 30/09/2026\n", "");
    let read = statement(Format::Bca, &without_period);
    let bad = bad_lines(&read);
    assert_eq!((bad.len(), bad[0].reason), (2, "invalid_date"));
    assert!(
        bad[0].message.starts_with("line 5: ") && bad[0].message.contains("Periode"),
        "{}",
        bad[0].message
    );
    assert!(parse(Format::Bca, &without_period.replace("2850000.00\n", "2850000.01\n")).is_err());
}

#[test]
fn klikbca_without_a_name_for_the_balance() {
    let text = "\"Tanggal Transaksi\",\"Keterangan\",\"Cabang\",\"Jumlah\"\n\
                01/01/2026,\"A\",\"0000\",\"287,490.00 DB\",\"120,604,675.40\"\n\
                02/01/2026,\"B\",\"0000\",\"799,700.00 CR\"\n";
    let read = statement(Format::Bca, text);
    assert_eq!(told(&read)[0].3, some("120604675.40"));
    assert_eq!((told(&read).len(), read.closing), (2, balance("2026-01-02", "121404375.40")));
}

#[test]
fn mandiri() {
    let read = statement(Format::Mandiri, MANDIRI);
    assert_eq!(
        told(&read),
        [
            (on("2026-05-15 04:13:08"), Credit, "1000123.00".to_owned(), some("5000123.00")),
            (on("2026-05-16"), Debit, "2500.00".to_owned(), some("4997623.00")),
        ]
    );
    assert_eq!(movements(&read)[0].description, "INVOICE 77 MCM InhouseTrf DARI ANDI");
    assert_eq!(movements(&read)[1].description, "Biaya");
    assert_eq!(
        (read.account_number.as_deref(), read.currency.as_deref()),
        (Some("1060012345678"), Some("IDR"))
    );
    assert_eq!(read.opening, balance("2026-05-15", "4000000"));

    let read = statement(Format::Mandiri, MANDIRI_OTHER);
    assert_eq!(
        told(&read),
        [
            (on("2026-01-01"), Credit, "453684.00".to_owned(), None),
            (on("2026-01-22"), Debit, "41300.00".to_owned(), None),
        ]
    );
    assert_eq!((read.opening, read.closing), (None, None));
}

#[test]
fn bri() {
    let read = statement(Format::Bri, BRI);
    assert_eq!(
        told(&read),
        [
            (on("2026-07-10 23:44:44"), Debit, "70000.00".to_owned(), some("7103313.00")),
            (on("2026-07-10 08:00:00"), Credit, "100000.00".to_owned(), some("7173313.00")),
        ]
    );
    assert_eq!(movements(&read)[1].description, "QRIS 9360 Dari Contoh");
    // Newest first.
    assert_eq!(read.opening, balance("2026-07-10", "7073313"));
    assert_eq!(read.closing, balance("2026-07-10", "7103313"));

    let read = statement(Format::Bri, BRI_OTHER);
    assert_eq!(told(&read)[0], (on("2026-08-02"), Credit, "1500000.00".to_owned(), some("2500000.00")));
    assert_eq!(read.account_number.as_deref(), Some("000001000123509"));
}

#[test]
fn bni() {
    let read = statement(Format::Bni, BNI);
    assert_eq!(
        told(&read),
        [
            (on("2026-11-21 10:15:30"), Credit, "300123.00".to_owned(), None),
            (on("2026-11-21 12:30:00"), Debit, "125000.00".to_owned(), None),
        ]
    );
    let read = statement(Format::Bni, BNI_OTHER);
    assert_eq!(told(&read)[1], (on("2026-11-21"), Debit, "125000.00".to_owned(), some("1175123.00")));
}

#[test]
fn the_generic_table() {
    for text in [
        "\u{feff}Date,Description,Amount,Type\r\n2026-11-21,Kopi ☕💸,\"15,000.00\",CR\r\n",
        "JENIS;Jumlah;Keterangan;Tanggal\nkredit;15.000,00;Kopi ☕💸;21/11/2026",
        "tanggal\tketerangan\tdebet\tkredit\n21-Nov-2026\tKopi ☕💸\t-\tRp 15.000,00\n",
        "Saldo,Date,Description,Debit,Credit,Id\n20000.50,21/11/26,\"Kopi\n ☕💸\",,15000.00,7",
        "date,description,amount\n2026-11-21,Kopi ☕💸,15000.00 Cr",
    ] {
        let read = statement(Format::Csv, text);
        let all = told(&read);
        assert_eq!(all.len(), 1, "{text}\n{read:?}");
        assert_eq!((all[0].0, all[0].1, all[0].2.as_str()), (on("2026-11-21"), Credit, "15000.00"), "{text}");
        assert_eq!(movements(&read)[0].description, "Kopi ☕💸");
    }
    let empty = statement(Format::Csv, "date,description,amount,type\n");
    assert_eq!(empty, Statement::default());
}
