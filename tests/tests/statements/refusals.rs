//! What is refused as a whole, with a clear error, and leaves nothing behind.

use crate::files::{self, booked, csv, day, import, mt940, outcomes, try_import};
use wallet_ledger_tests::bank::{BCA, BCA_NUMBER, assert_bank_sound, bank_books, intent, quoted};
use wallet_ledger_tests::*;

/// Whoever imports can do it again when the account takes postings: a line must not be lost to an answer that
/// says it was refused.
#[tokio::test]
async fn an_account_that_takes_no_postings_takes_no_statement() {
    let (_db, client) = bank_books("frozen").await;
    let file = csv(&[booked(-1, "A", 5_000), booked(-1, "B", -700)]);
    for account in [BCA.to_owned(), format!("{BCA}:suspense"), format!("{BCA}:outgoing")] {
        call(&client, &format!("freeze_account('{account}', 'audit')")).await;
        let before = contents(&client).await;
        let error = assert_error(try_import(&client, "csv", &file).await, "account_frozen", "PT422");
        assert_eq!(error.detail["bank_account"], BCA);
        assert_eq!(before, contents(&client).await);
        call(&client, &format!("unfreeze_account('{account}', 'done')")).await;
    }
    // A payer's account that is frozen is another matter: the money waits.
    let paid = intent(&client, 50_000, "").await;
    let total: i64 = paid["total"].split('.').next().unwrap().parse().unwrap();
    call(&client, "freeze_account('wallets:u', 'audit')").await;
    let file = format!("{file}{},C,{total},CR\n", day(0));
    assert_eq!(outcomes(&import(&client, "csv", &file).await), ["suspense", "ignored", "review"]);
    assert_bank_sound(&client).await;
}

#[tokio::test]
async fn what_is_no_statement_is_refused_and_writes_nothing() {
    let (_db, client) = bank_books("no_statement").await;
    let good = csv(&[booked(-1, "A", 5_000)]);
    let before = contents(&client).await;
    let unbalanced =
        files::csv_with_balances(0, &[booked(-2, "A", 5), booked(-1, "B", 6)]).replace(",11", ",12");
    let foreign = format!("No. Rekening : 999988887777\n{good}");
    let dollars = format!("Mata Uang : USD\n{good}");
    let nested = "[".repeat(100_000);
    let large = "x,".repeat(2_500_000);
    let too_large = "x\n".repeat(4_500_000);
    let message = mt940(0, &[booked(-1, "A", 5)]);
    for (format, content, reason) in [
        ("csv", "", "empty_content"),
        ("mt940", " \r\n\t", "empty_content"),
        ("csv", "💸", "missing_columns"),
        ("csv:bca", "not,a,statement\n1,2,3\n", "missing_columns"),
        ("csv", nested.as_str(), "missing_columns"),
        ("mt940", nested.as_str(), "not_mt940"),
        ("csv", large.as_str(), "missing_columns"),
        ("csv", too_large.as_str(), "content_too_large"),
        ("mt940", good.as_str(), "not_mt940"),
        ("csv", message.as_str(), "missing_columns"),
        ("csv", unbalanced.as_str(), "unbalanced"),
        ("csv", foreign.as_str(), "account_mismatch"),
        ("csv", dollars.as_str(), "currency_mismatch"),
        ("mt940", &message.replace("IDR", "USD"), "currency_mismatch"),
        ("mt940", &message.replace(BCA_NUMBER, "55556666"), "account_mismatch"),
        ("mt940", message.split(":62F:").next().unwrap(), "missing_balance"),
    ] {
        let error = assert_error(try_import(&client, format, content).await, "invalid_statement", "PT422");
        assert_eq!(error.detail["reason"], reason, "{format}: {error:?}");
        assert_eq!(error.detail["bank_account"], BCA);
    }
    let content = quoted(&good);
    for (call, token, sqlstate) in [
        (format!("import_statement(NULL, 'csv', {content})"), "missing_argument", "PT400"),
        (format!("import_statement('{BCA}', NULL, {content})"), "missing_argument", "PT400"),
        (format!("import_statement('{BCA}', 'csv', NULL)"), "missing_argument", "PT400"),
        (format!("import_statement('{BCA}', 'pdf', {content})"), "invalid_argument", "PT400"),
        (format!("import_statement('{BCA}', '', {content})"), "invalid_argument", "PT400"),
        (format!("import_statement('{BCA}', '💸', {content})"), "invalid_argument", "PT400"),
        (format!("import_statement('bank', 'csv', {content})"), "bank_account_not_found", "PT404"),
        (format!("import_statement('a b', 'csv', {content})"), "invalid_address", "PT400"),
        (format!("import_statement('{BCA}', 'csv', {content}, 'none')"), "ledger_not_found", "PT404"),
    ] {
        let error = assert_error(try_call(&client, &call).await, token, sqlstate);
        assert!(error.message.len() > 10, "{call}: {error:?}");
    }
    assert_eq!(before, contents(&client).await);
    // A spreadsheet takes leading zeros away; and the file that was refused is good with the right number.
    let padded = format!("No. Rekening : 00{BCA_NUMBER}\n{good}");
    assert_eq!(&import(&client, "csv", &padded).await["suspense_count"], "1");
    assert_bank_sound(&client).await;
}
