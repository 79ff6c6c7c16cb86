//! What can be wrong with a table, what may differ without harm, and what must never be the result of either.

use super::*;

/// One row of a table whose other rows settle nothing.
fn reason(row: &str) -> Option<&'static str> {
    let text = format!("date,description,amount,type,balance\n{row}\n2026-11-22,sound,5000,CR,\n");
    let read = statement(Format::Csv, &text);
    let sound = movements(&read).iter().filter(|movement| movement.description == "sound").count();
    assert_eq!((read.lines.len(), sound), (2, 1), "{row}: no other line is lost");
    read.lines[0].as_ref().err().map(|bad| {
        assert!(bad.message.starts_with("line 2: ") && bad.message.len() < 300, "{}", bad.message);
        bad.reason
    })
}

#[test]
fn bad_rows_lose_no_other() {
    for (row, expected) in [
        ("2026-11-21,ok,10000,CR,", None),
        ("2026-02-30,x,10000,CR,", Some("invalid_date")),
        ("31/04/2026,x,10000,CR,", Some("invalid_date")),
        (",x,10000,CR,", Some("invalid_date")),
        ("2026-11-21,x,0,CR,", Some("invalid_amount")),
        ("2026-11-21,x,0.00,CR,", Some("invalid_amount")),
        ("2026-11-21,x,-10000,CR,", Some("invalid_amount")),
        ("2026-11-21,x,10000.125,CR,", Some("invalid_amount")),
        ("2026-11-21,x,1e400,CR,", Some("invalid_amount")),
        ("2026-11-21,x,99999999999999999999999999999999,CR,", Some("invalid_amount")),
        ("2026-11-21,x,,CR,", Some("invalid_amount")),
        ("2026-11-21,x,sepuluh ribu,CR,", Some("invalid_amount")),
        ("2026-11-21,x,💸,CR,", Some("invalid_amount")),
        ("2026-11-21,x,10K,CR,", Some("invalid_amount")),
        ("2026-11-21,x,1.234,CR,", Some("ambiguous_amount")),
        ("2026-11-21,x,\"150,000\",CR,", Some("ambiguous_amount")),
        ("2026-11-21,x,10000,CR,1.234", Some("ambiguous_amount")),
        ("2026-11-21,x,10000,CR,abc", Some("invalid_balance")),
        ("2026-11-21,x,10000,,", Some("invalid_direction")),
        ("2026-11-21,x,10000,masuk,", Some("invalid_direction")),
        ("2026-11-21,x,10000 DB,CR,", Some("invalid_direction")),
        ("2026-11-21,x,10000", Some("too_few_fields")),
        ("2026-11-21", Some("too_few_fields")),
        ("2026-11-21,x,10,000,CR,,1", Some("too_many_fields")),
        ("2026-11-21,\"x,10000,CR,", Some("malformed_quotes")),
        ("\u{0}\u{1}PK\u{3}\u{4}\u{fffd}\u{fffd}", Some("too_few_fields")),
    ] {
        assert_eq!(reason(row), expected, "{row:?}");
    }
    let long = format!("2026-11-21,{},10000,CR,", "x".repeat(70_000));
    assert_eq!(reason(&long), Some("line_too_long"));
    let both = statement(Format::Csv, "date,description,debit,credit\n2026-11-21,x,5,5\n2026-11-21,x,0,\n");
    let reasons: Vec<&str> = bad_lines(&both).iter().map(|bad| bad.reason).collect();
    assert_eq!(reasons, ["invalid_direction", "invalid_amount"]);
}

#[test]
fn one_cell_settles_how_a_file_writes_its_amounts() {
    let amounts = |rows: &str| {
        let read = statement(Format::Csv, &format!("date,description,type,amount\n{rows}"));
        read.lines
            .iter()
            .map(|line| match line {
                Ok(Item::Movement(movement)) => movement.amount.to_string(),
                other => other.as_ref().unwrap_err().reason.to_owned(),
            })
            .collect::<Vec<_>>()
    };
    let day = "2026-11-21,x,CR,";
    assert_eq!(amounts(&format!("{day}1.234\n{day}1.234.567\n")), ["1234", "1234567"]);
    assert_eq!(amounts(&format!("{day}1.234\n{day}\"12,50\"\n")), ["1234", "12.50"]);
    assert_eq!(amounts(&format!("{day}1.234\n{day}12.50\n")), ["invalid_amount", "12.50"]);
    assert_eq!(amounts(&format!("{day}1.234\n{day}500\n")), ["ambiguous_amount", "500"]);
    assert_eq!(
        amounts(&format!("{day}1.234\n{day}12.50\n{day}\"12,50\"\n")),
        ["ambiguous_amount", "12.50", "12.50"],
        "a file that writes both ways settles nothing"
    );
}

#[test]
fn a_file_that_was_cut_gives_no_half_amounts() {
    let cut = |text: &str| {
        let read = statement(Format::Csv, text);
        read.lines.last().map(|line| line.as_ref().err().map(|bad| bad.reason))
    };
    let head = "date,description,type,amount\n2026-11-21,x,CR,500\n";
    assert_eq!(cut(&format!("{head}2026-11-21,x,CR,15000000\n")), Some(None));
    assert_eq!(cut(&format!("{head}2026-11-21,x,CR,15000000")), Some(Some("truncated_line")));
    assert_eq!(cut(&format!("{head}2026-11-21,x,CR,\"15000000\"")), Some(None));
    assert_eq!(cut(&format!("{head}2026-11-21,x,CR,15000000.00")), Some(None));
    // As `1.234.567` begins; beside a `10.50` it is whole.
    assert_eq!(cut(&format!("{head}2026-11-21,x,CR,1.23")), Some(Some("truncated_line")));
    assert_eq!(cut(&format!("{head}2026-11-21,x,CR,10.50\n2026-11-21,x,CR,1.23")), Some(None));
    assert_eq!(
        cut(&format!("{head}2026-11-21,x,CR,\"10,50\"\n2026-11-21,x,CR,1.23")),
        Some(Some("truncated_line"))
    );
    assert_eq!(cut("description,type,amount,date\nx,CR,500,21/11/20"), Some(Some("truncated_line")));
    assert_eq!(cut("description,type,amount,date\nx,CR,500,21/11/2026"), Some(None));
    for text in [BCA_BUSINESS, BCA_PERSONAL] {
        let whole = statement(Format::Bca, text);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let Ok(read) = parse(Format::Bca, &text[..end]) else { continue };
            for movement in movements(&read) {
                let same = |m: &&Movement| {
                    (m.when, m.direction, m.amount) == (movement.when, movement.direction, movement.amount)
                };
                assert!(movements(&whole).iter().any(same), "{movement:?} from {:?}", &text[..end]);
            }
        }
    }
}

#[test]
fn balances_that_do_not_follow_refuse_the_file() {
    for (text, format, from, to) in [
        (BCA_BUSINESS, Format::Bca, "15,000.00 DB", "15,000.00 CR"),
        (BCA_BUSINESS, Format::Bca, "Saldo Akhir : 3,100,000.00", "Saldo Akhir : 3,100,000.01"),
        (BCA_BUSINESS, Format::Bca, "Saldo Awal : 1,000,000.00", "Saldo Awal : 1,000.00"),
        (BCA_BUSINESS, Format::Bca, "Mutasi Kredit : 2,150,123.00", "Mutasi Kredit : 2,150,124.00"),
        (BCA_PERSONAL, Format::Bca, "2000000.00,CR", "200000.00,CR"),
        (MANDIRI, Format::Mandiri, "2500.00;", "250.00;"),
        (BRI, Format::Bri, "\"70000.00\"", "\"7000.00\""),
        (BRI_OTHER, Format::Bri, "\"500.000,00\"", "\"50.000,00\""),
    ] {
        assert!(text.contains(from), "{from}");
        let fault = parse(format, &text.replace(from, to)).unwrap_err();
        assert_eq!(fault.reason, "unbalanced", "{from} -> {to}: {}", fault.message);
    }
    let fault = parse(Format::Mandiri, &MANDIRI.replace("2500.00;", "250.00;")).unwrap_err();
    assert!(fault.message.starts_with("line 3: "), "{}", fault.message);
    // The balance of a line is known even where its amount is not.
    let unread = BRI_OTHER.replace("1.500.000,00", "?");
    assert_eq!(bad_lines(&statement(Format::Bri, &unread)).len(), 1);
    let fault = parse(Format::Bri, &unread.replace("\"500.000,00\"", "\"50.000,00\"")).unwrap_err();
    assert!(fault.message.starts_with("line 6: "), "{}", fault.message);
    // A line that vanished, and one that came twice.
    let lines: Vec<&str> = BCA_BUSINESS.split_inclusive('\n').collect();
    let without = |index: usize| {
        lines.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, l)| *l).collect::<String>()
    };
    assert_eq!(parse(Format::Bca, &without(8)).unwrap_err().reason, "unbalanced");
    let twice = BCA_BUSINESS.replace(lines[8], &lines[8].repeat(2));
    assert_eq!(parse(Format::Bca, &twice).unwrap_err().reason, "unbalanced");
}

#[test]
fn files_that_are_none() {
    let reason = |format, text: &str| parse(format, text).unwrap_err().reason;
    for format in Format::ALL {
        for empty in ["", " \r\n\t", "\u{feff}", "\u{feff}\n"] {
            assert_eq!(reason(format, empty), "empty_content");
        }
        assert_eq!(reason(format, &" ".repeat(CONTENT_BYTES_MAX + 1)), "content_too_large");
        let expected = if format == Format::Mt940 { "not_mt940" } else { "missing_columns" };
        for junk in [
            "💸",
            "\u{0}\u{1}\u{2}",
            "%PDF-1.7\n%âãÏÓ",
            "<html></html>",
            "date,description\n",
            "\"",
            ",,,,\n;;;",
        ] {
            assert_eq!(reason(format, junk), expected, "{junk:?}");
        }
    }
    for (index, text) in [BCA_BUSINESS, MANDIRI, BRI, BNI].iter().enumerate() {
        for (other, format) in [Format::Bca, Format::Mandiri, Format::Bri, Format::Bni].iter().enumerate() {
            assert_eq!(parse(*format, text).is_ok(), index == other, "{format:?}\n{text}");
        }
    }
    assert_eq!(reason(Format::Csv, "date,description,amount,amount\n"), "duplicate_column");
    assert_eq!(
        reason(Format::Mandiri, &MANDIRI.replacen("1060012345678", "1060012345679", 1)),
        "mixed_accounts"
    );
    assert_eq!(reason(Format::Mandiri, &MANDIRI.replacen("IDR", "USD", 1)), "mixed_currencies");
    assert_eq!(
        reason(Format::Bca, &BCA_PERSONAL.replace("Akhir,=,2850000.00", "Akhir,=,x")),
        "invalid_balance"
    );
    let message = parse(Format::Csv, "date,amount,type\n").unwrap_err().message;
    assert!(message.contains("no description") && !message.contains("no date"), "{message}");
}

#[test]
fn as_many_lines_as_there_may_be() {
    let head = "date,description,debit,credit\n";
    let most = format!("{head}{}", "2026-11-21,x,,5\n".repeat(LINES_MAX));
    assert_eq!(statement(Format::Csv, &most).lines.len(), LINES_MAX);
    let over = format!("{most}2026-11-21,x,,5\n");
    assert_eq!(parse(Format::Csv, &over).unwrap_err().reason, "too_many_lines");
    assert_eq!(
        parse(Format::Csv, &format!("{head}{}", "x\n".repeat(4_000_000))).unwrap_err().reason,
        "too_many_lines"
    );
}

#[test]
fn ids_are_the_same_in_every_export_of_the_same_line() {
    let ids = |text: &str| -> Vec<String> {
        movements(&statement(Format::Csv, text)).iter().map(|movement| movement.id.clone()).collect()
    };
    let row = |day: u32, what: &str, amount: &str| format!("2026-11-{day:02},{what},{amount},CR\n");
    let rows: Vec<String> = (1..=9)
        .flat_map(|day| {
            [row(day, "TRF BUDI", "50000"), row(day, "TRF BUDI", "50000"), row(day, "TRF ANI", "7000.50")]
        })
        .collect();
    let head = "date,description,amount,type\n";
    let whole = ids(&format!("{head}{}", rows.concat()));
    let distinct: std::collections::HashSet<&String> = whole.iter().collect();
    assert_eq!((whole.len(), distinct.len()), (27, 27), "payments that look alike stay apart");
    assert_eq!(ids(&format!("{head}{}", rows[..18].concat())), whole[..18], "the first six days");
    assert_eq!(ids(&format!("{head}{}", rows[9..].concat())), whole[9..], "the last six days");
    assert_eq!(ids(&format!("{head}{}", rows[..17].concat())), whole[..17], "a day that was not over yet");
    let mut newest_first = ids(&format!("{head}{}", rows.iter().rev().cloned().collect::<String>()));
    let mut sorted = whole.clone();
    newest_first.sort();
    sorted.sort();
    assert_eq!(newest_first, sorted, "the other way round");
    let other = format!("tanggal;jenis;keterangan;jumlah\n{}", rows.concat())
        .replace(",TRF", ";kredit;TRF")
        .replace(",CR", "")
        .replace("50000", "50.000,00")
        .replace("7000.50", "7.000,50")
        .replace("BUDI,", "BUDI;")
        .replace("ANI,", "ANI;");
    assert_eq!(ids(&other), whole, "and written otherwise");
}

#[test]
fn names_of_formats() {
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.name()), Ok(format));
    }
    for name in ["", "CSV", "csv:", "csv:dbs", "camt.053", "💸"] {
        let error = Format::from_name(name).unwrap_err();
        assert_eq!(error.token(), "invalid_argument");
        assert_eq!(
            (&error.detail()["argument"], &error.detail()["format"]),
            (&"format".into(), &name.into())
        );
        for format in Format::ALL {
            assert!(error.message.contains(format.name()), "{}", error.message);
        }
    }
}
