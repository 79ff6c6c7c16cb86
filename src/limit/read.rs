//! What the limits of some accounts look at: from the accounts' own rows, or from the limits themselves.

use super::rules::gauge::{Gauge, Meter};
use super::rules::spending::Spending;
use super::rules::{Moment, Period, Spend, counting};
use super::store;
use crate::account::rules::{Account, Side};
use crate::error::{Result, invalid};
use crate::ledger::{self, Ledger};
use crate::setting::rules::Setting;
use crate::spi::Session;
use crate::spi::calendar::{Day, Zone};
use crate::time;

/// An account that may spend in a call, by its row of the book.
pub struct Limited<'a> {
    pub row: usize,
    pub account_id: i64,
    pub address: &'a str,
    /// The side of a posting on which money leaves it.
    pub side: Side,
    pub currency: &'a str,
    pub scale: u32,
    pub spending: &'a str,
    pub has_holds: bool,
}

impl<'a> Limited<'a> {
    /// `None` for an account that limits do not look at.
    pub fn of(row: usize, account: &'a Account) -> Option<Self> {
        Some(Self {
            row,
            account_id: account.id,
            address: &account.address,
            side: outgoing(account.account_type.normal_side()),
            currency: &account.currency,
            scale: account.scale,
            spending: account.spending.as_deref()?,
            has_holds: !account.held.is_zero(),
        })
    }
}

/// The side of a posting that makes a balance smaller.
pub(super) fn outgoing(normal: Side) -> Side {
    match normal {
        Side::Debit => Side::Credit,
        Side::Credit => Side::Debit,
    }
}

/// What may be taken from the accounts' own rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// What is stored beside the counters, where that is enough.
    Rows,
    /// The limits themselves.
    Limits,
}

/// Everything that the limits of some accounts look at, at some moments; the first of these is now.
pub fn open(
    session: &Session,
    ledger: &Ledger,
    limited: &[Limited],
    moments: &[i64],
    from: From,
    look: bool,
) -> Result<Gauge> {
    if limited.is_empty() {
        return Ok(Gauge::default());
    }
    let zone = ledger::zone(session, ledger)?;
    let moments = moments.iter().map(|at| moment(zone, *at)).collect::<Result<Vec<Moment>>>()?;
    let now = moments[0].at;
    let mut stored = Vec::with_capacity(limited.len());
    for account in limited {
        stored.push(Spending::parse(account.spending)?);
    }
    let serves = |(account, stored): (&Limited, &Option<Spending>)| {
        !account.has_holds && stored.as_ref().is_some_and(|stored| stored.serves(now))
    };
    let is_enough = from == From::Rows && moments.len() == 1 && limited.iter().zip(&stored).all(serves);
    let found = if is_enough {
        None
    } else {
        let ids: Vec<i64> = limited.iter().map(|account| account.account_id).collect();
        let times: Vec<i64> = moments.iter().map(|moment| moment.at).collect();
        Some(store::read(session, ledger.id, &ids, &times, look)?)
    };
    let kinds = match (&found, &stored[0]) {
        (None, Some(stored)) => stored.kinds.clone(),
        (found, _) => kinds(session, ledger, found.as_ref().and_then(|found| found.kinds.as_deref()))?,
    };
    let mut gauge = Gauge::new(moments.clone(), kinds.clone());
    for (account, stored) in limited.iter().zip(&stored) {
        let mut meter = match (&found, stored) {
            (None, Some(stored)) => {
                let mut meter = Meter::new(account.address, account.currency, account.scale, Vec::new());
                meter.take_limits(stored, now);
                meter
            }
            (None, None) => continue,
            (Some(found), _) => read_meter(account, found, &moments, &kinds),
        };
        count(session, ledger, &mut meter, account, stored.as_ref(), &kinds, &moments, look);
        gauge.insert(account.row, meter);
    }
    Ok(gauge)
}

/// An account's limits and holds as they were just read.
fn read_meter(account: &Limited, found: &store::Found, moments: &[Moment], kinds: &[i16]) -> Meter {
    let holds = found
        .holds
        .iter()
        .filter(|held| held.account_id == account.account_id && kinds.contains(&held.kind_id));
    let holds = holds.map(|held| scaled(held.spend.clone(), account.scale)).collect();
    let mut meter = Meter::new(account.address, account.currency, account.scale, holds);
    for (place, moment) in moments.iter().enumerate() {
        let own = found
            .limits
            .iter()
            .filter(|(at, id, _)| *at == place && id.is_none_or(|id| id == account.account_id));
        let own = own.map(|(.., limit)| limit.clone()).collect();
        meter.set_limits(moment.at, counting(own, account.currency));
    }
    meter.set_until(found.until.unwrap_or(time::INFINITY));
    meter
}

fn scaled(mut spend: Spend, scale: u32) -> Spend {
    spend.amount.rescale(scale);
    spend
}

/// Gives a meter what was spent: from the stored counter, and where that does not know, from the transfers.
#[allow(clippy::too_many_arguments)]
fn count(
    session: &Session,
    ledger: &Ledger,
    meter: &mut Meter,
    account: &Limited,
    stored: Option<&Spending>,
    kinds: &[i16],
    moments: &[Moment],
    look: bool,
) {
    for (place, moment) in moments.iter().enumerate() {
        let missing = meter.take_stored(stored, kinds, moment);
        if missing.is_empty() {
            continue;
        }
        let mut periods: Vec<Period> = missing.iter().map(|period| moment.periods[*period]).collect();
        // Beside the periods of now: whether anything is dated after today, and so waits for its day.
        let is_now = place == 0;
        periods.extend(is_now.then_some(Period { start: moment.periods[0].end, end: time::INFINITY }));
        let spent = store::spent(session, ledger.id, account.account_id, account.side, &periods, kinds, look);
        for (place, period) in missing.iter().copied().enumerate() {
            let of_period = spent.iter().filter(|(number, _)| *number == place);
            let counted: Vec<Spend> =
                of_period.map(|(_, spend)| scaled(spend.clone(), account.scale)).collect();
            meter.take_counted(period, periods[place], &counted);
        }
        if is_now {
            meter.set_dated(spent.iter().any(|(number, _)| *number == missing.len()));
        }
    }
}

/// A moment as the ledger's clock and calendar show it.
fn moment(zone: Zone, at: i64) -> Result<Moment> {
    let beyond = || invalid("at", "lie within the calendar").with("at", time::to_text(at));
    let local = zone.local(at).ok_or_else(beyond)?;
    let day = local.day;
    let week = day.plus(-day.weekday());
    let period =
        |first: Day, next: Day| Some(Period { start: zone.midnight(first)?, end: zone.midnight(next)? });
    let periods =
        [(day, day.plus(1)), (week, week.plus(7)), local.month].map(|(first, next)| period(first, next));
    let [Some(day_of), Some(week_of), Some(month_of)] = periods else { return Err(beyond()) };
    Ok(Moment { at, weekday: day.weekday(), clock: local.clock, periods: [day_of, week_of, month_of] })
}

/// The kinds that limits count.
fn kinds(session: &Session, ledger: &Ledger, set: Option<&str>) -> Result<Vec<i16>> {
    let names = set.unwrap_or(Setting::LimitedKinds.definition().default);
    let mut kinds =
        names.split(", ").map(|name| ledger::kind_id(session, ledger, name)).collect::<Result<Vec<_>>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}
