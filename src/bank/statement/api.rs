//! SQL face of statements.

use super::rules::Format;
use super::{Import, import};
use crate::bank::account;
use crate::error::missing;
use crate::ledger;
use crate::report;
use crate::spi::face::{Composite, composite_result};
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// What an import came to, in words.
struct StatementImport(Import);

composite_result!(StatementImport, "wallet_ledger.statement_import");

impl Composite for StatementImport {
    const NAME: &'static CStr = c"statement_import";

    fn into_values(self) -> Vec<Argument> {
        let import = &self.0;
        let counts = import.counts;
        vec![
            import.id.into(),
            counts.lines.into(),
            counts.matched.into(),
            counts.suspense.into(),
            counts.review.into(),
            counts.duplicate.into(),
            counts.ignored.into(),
            counts.rejected.into(),
            import.opening_balance.into(),
            import.closing_balance.into(),
            import.from_day.into(),
            import.until_day.into(),
            (&import.lines).into(),
            import.replayed.into(),
        ]
    }
}

/// Imports a bank's statement: each line is matched and posted as a webhook's line would be, and what a
/// webhook has reported before is recognised.
///
/// * `bank_account`: a registered one. A file that names another number or currency is refused.
/// * `format`: csv:bca, csv:mandiri, csv:bri, csv:bni, csv (any table with a header of known names) or mt940.
/// * `content`: the file as the bank gives it, up to 8 MiB and 100,000 lines.
///
/// Returns counts, the balances and the period that the file states, and one outcome per line. A file that
/// cannot be read as a whole, or whose balances do not follow from its lines, is refused and nothing of it is
/// imported; a single line that is not understood is reported as rejected, and the others go on. The same
/// content again gets the first answer, marked replayed; files that overlap are no matter, whole days
/// given. Errors: missing_argument, invalid_argument, invalid_address, bank_account_not_found,
/// invalid_statement (the detail's `reason` is a token), try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn import_statement(
    bank_account: Option<&str>,
    format: Option<&str>,
    content: Option<&str>,
    ledger: default!(Option<&str>, "NULL"),
) -> StatementImport {
    report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let bank_account = bank_account.ok_or_else(|| missing("bank_account"))?;
        let format = Format::from_name(format.ok_or_else(|| missing("format"))?)?;
        let content = content.ok_or_else(|| missing("content"))?;
        let bank = account::find(&session, &ledger, bank_account)?;
        import(&session, &ledger, &bank, format, content).map(StatementImport)
    })
}
