//! SQL face of settings.

use super::rules::timeline::{Change, Wanted};
use super::rules::{Setting, check_reason};
use super::{list, set};
use crate::error::missing;
use crate::ledger::{self, Ledger};
use crate::limit;
use crate::report;
use crate::spi::face::{Composite, Timestamp, composite_result};
use crate::spi::table::Table;
use crate::spi::{Argument, Session};
use pgrx::prelude::*;
use std::ffi::CStr;

/// A setting in words.
pub struct SettingRow {
    ledger: String,
    setting: Setting,
    /// NULL where the default counts.
    change: Option<Change>,
}

composite_result!(SettingRow, "wallet_ledger.setting_row");

impl SettingRow {
    fn new(ledger: &Ledger, setting: Setting, change: Option<Change>) -> Self {
        Self { ledger: ledger.name.clone(), setting, change }
    }
}

impl Composite for SettingRow {
    const NAME: &'static CStr = c"setting_row";

    fn into_values(self) -> Vec<Argument> {
        let definition = self.setting.definition();
        let change = self.change.as_ref();
        vec![
            (&self.ledger).into(),
            definition.name.into(),
            change.map_or(definition.default, |change| &change.value).into(),
            definition.default.into(),
            definition.form.unit().into(),
            definition.meaning.into(),
            change.map(|change| change.effective_from).into(),
            change.map(|change| change.set_by.as_str()).into(),
            change.and_then(|change| change.reason.as_deref()).into(),
            change.map(|change| change.created_at).into(),
        ]
    }
}

/// Changes a setting of a ledger, from a moment on. What was done under the old value stays as it is.
///
/// * `setting`: its name; `list_settings()` shows all.
/// * `value`: as text: an amount such as `10000`, a length of time such as `48 hours` or `PT48H` (a day is
///   24 hours), a whole number, a word, or an account address.
/// * `effective_from`: from when on it counts, not in the past; NULL is now.
/// * `reason`: for the history, 1 to 255 bytes.
/// * `ledger`: the session's ledger by default.
///
/// Returns the setting as it counts from that moment. The same value from the same moment again changes
/// nothing and returns what is there, and so does the value that counts now. A change dated ahead is
/// replaced by another one for the same moment. Who changed what is kept: see the view `settings`. Writes the event
/// `setting.changed`. Errors: missing_argument, invalid_argument, ledger_not_found, try_again.
#[pg_extern(security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_setting(
    setting: Option<&str>,
    value: Option<&str>,
    effective_from: default!(Option<Timestamp>, "NULL"),
    reason: default!(Option<&str>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> SettingRow {
    report::run(|| {
        let session = Session::connect();
        let setting = Setting::from_name(setting.ok_or_else(|| missing("setting"))?)?;
        let value = setting.parse(value.ok_or_else(|| missing("value"))?)?;
        check_reason(reason)?;
        let ledger = ledger::resolve(&session, ledger)?;
        let wanted = Wanted {
            setting,
            value,
            effective_from: effective_from.map(|at| at.0),
            set_by: ledger::settings::actor(),
            reason: reason.map(str::to_owned),
        };
        let change = set(&session, &ledger, wanted)?;
        if setting == Setting::LimitedKinds {
            limit::forget(&session, &ledger, limit::Concerned::All)?;
        }
        Ok(SettingRow::new(&ledger, setting, Some(change)))
    })
}

/// Every setting of a ledger with the value that counts at a moment.
///
/// * `at`: the moment, past or to come; NULL is now.
/// * `ledger`: the session's ledger by default.
///
/// Returns one row per setting: value, default, unit (amount, interval, count, word, account or kinds), meaning, and
/// since when it counts, by whom and why; these are NULL where the default counts. A moment to come tells
/// what is known today. Errors: ledger_required, ledger_not_found.
#[pg_extern(security_definer, stable)]
#[search_path(pg_catalog, pg_temp)]
fn list_settings(
    at: default!(Option<Timestamp>, "NULL"),
    ledger: default!(Option<&str>, "NULL"),
) -> Table<SettingRow> {
    let rows = report::run(|| {
        let session = Session::connect();
        let ledger = ledger::resolve(&session, ledger)?;
        let at = at.map_or_else(ledger::now, |at| at.0);
        let row = |(setting, change)| SettingRow::new(&ledger, setting, change);
        Ok(list(&session, &ledger, at).into_iter().map(row).collect())
    });
    Table(rows)
}
