//! What the limits of some accounts look at: from the accounts' own rows, or from the limits themselves.

use super::rules::gauge::Gauge;
use super::rules::meter::Meter;
use super::rules::spending::Spending;
use super::rules::timeline::{Timeline, at_moments};
use super::rules::{Moment, Period, Spend};
use super::store::{self, Found, Held};
use crate::account::rules::{Account, Side};
use crate::error::{Result, invalid};
use crate::ledger::{self, Ledger};
use crate::setting::rules::Setting;
use crate::spi::Session;
use crate::spi::calendar::{Day, Zone};
use crate::time;
use std::collections::{HashMap, HashSet};

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
    /// When it spends, beside now.
    pub moments: Vec<i64>,
}

impl<'a> Limited<'a> {
    /// `None` for an account that limits do not look at.
    pub fn of(row: usize, account: &'a Account, moments: Vec<i64>) -> Option<Self> {
        Some(Self {
            row,
            account_id: account.id,
            address: &account.address,
            side: outgoing(account.account_type.normal_side()),
            currency: &account.currency,
            scale: account.scale,
            spending: account.spending.as_deref()?,
            has_holds: !account.held.is_zero(),
            moments,
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
pub enum Source {
    /// What is stored beside the counters, where that is enough.
    Rows,
    /// The limits themselves.
    Limits,
}

/// Everything that the limits of some accounts look at, now and at the moments of each.
pub fn open(
    session: &Session,
    ledger: &Ledger,
    limited: &[Limited],
    now: i64,
    source: Source,
    look: bool,
) -> Result<Gauge> {
    if limited.is_empty() {
        return Ok(Gauge::default());
    }
    let zone = ledger::zone(session, ledger)?;
    let mut moments = HashMap::from([(now, moment(zone, now)?)]);
    for at in limited.iter().flat_map(|account| &account.moments) {
        if !moments.contains_key(at) {
            moments.insert(*at, moment(zone, *at)?);
        }
    }
    let mut stored = Vec::with_capacity(limited.len());
    for account in limited {
        stored.push(Spending::parse(account.spending)?);
    }
    let serves = |(account, stored): (&Limited, &Option<Spending>)| {
        !account.has_holds && stored.as_ref().is_some_and(|stored| stored.serves(now))
    };
    let is_enough = source == Source::Rows && moments.len() == 1 && limited.iter().zip(&stored).all(serves);
    let found = if is_enough {
        None
    } else {
        let ids: Vec<i64> = limited.iter().map(|account| account.account_id).collect();
        let span = moments.keys().fold((now, now), |(first, last), at| (first.min(*at), last.max(*at)));
        Some(Book::new(store::read(session, ledger.id, &ids, now, span, look)?))
    };
    let kinds = match (&found, &stored[0]) {
        (None, Some(stored)) => stored.kinds.clone(),
        (found, _) => kinds(session, ledger, found.as_ref().and_then(|found| found.kinds.as_deref()))?,
    };
    let mut gauge = Gauge::new(now, moments, kinds.clone());
    for (account, stored) in limited.iter().zip(&stored) {
        let mut meter = match (&found, stored) {
            (None, Some(stored)) => {
                let mut meter = Meter::new(account.address, account.currency, account.scale, Vec::new());
                meter.take_limits(stored);
                meter
            }
            (None, None) => continue,
            (Some(found), _) => found.meter(account, now, &kinds),
        };
        let moments = gauge.moments_of(&account.moments);
        count(session, ledger, &mut meter, account, stored.as_ref(), &kinds, &moments, look)?;
        gauge.insert(account.row, meter);
    }
    Ok(gauge)
}

/// The limits and holds of a call's accounts as they were just read.
struct Book {
    kinds: Option<String>,
    until: i64,
    own: HashMap<i64, Timeline>,
    /// The organisation's.
    default: Timeline,
    members: HashSet<i64>,
    holds: HashMap<i64, Vec<Held>>,
}

impl Book {
    fn new(mut found: Found) -> Self {
        let default = Timeline::new(found.limits.remove(&None).unwrap_or_default());
        let own = found.limits.into_iter().filter_map(|(id, changes)| Some((id?, Timeline::new(changes))));
        Self {
            kinds: found.kinds,
            until: found.until.unwrap_or(time::INFINITY),
            own: own.collect(),
            default,
            members: found.members,
            holds: found.holds,
        }
    }

    fn meter(&self, account: &Limited, now: i64, kinds: &[i16]) -> Meter {
        let held = self.holds.get(&account.account_id).into_iter().flatten();
        let held = held.filter(|held| kinds.contains(&held.kind_id));
        let held = held.map(|held| scaled(held.spend.clone(), account.scale)).collect();
        let mut meter = Meter::new(account.address, account.currency, account.scale, held);
        let none = Timeline::default();
        let own = self.own.get(&account.account_id).unwrap_or(&none);
        let default = if self.members.contains(&account.account_id) { &self.default } else { &none };
        let moments = std::iter::once(now).chain(account.moments.iter().copied());
        meter.set_limits(at_moments(own, default, account.currency, moments));
        meter.set_until(self.until);
        meter
    }
}

fn scaled(mut spend: Spend, scale: u32) -> Spend {
    spend.amount.rescale(scale);
    spend
}

/// Gives a meter what was spent: from the stored counter, and where that does not know, from the transfers. The
/// first of the moments is now.
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
) -> Result<()> {
    let missing = meter.take_stored(stored, kinds, moments);
    if missing.is_empty() {
        return Ok(());
    }
    let now = &moments[0];
    let mut periods: Vec<Period> = missing.iter().map(|(_, period)| *period).collect();
    // Beside the periods of now: whether anything is dated after today, and so waits for its day.
    let is_now = missing.iter().any(|(number, period)| now.periods[*number] == *period);
    periods.extend(is_now.then_some(Period { start: now.periods[0].end, end: time::INFINITY }));
    let spent = store::spent(session, ledger.id, account.account_id, account.side, &periods, kinds, look)?;
    let mut spent = spent.into_iter();
    for (number, period) in missing {
        let of_period = spent.next().into_iter().flatten();
        let counted: Vec<Spend> = of_period.map(|spend| scaled(spend, account.scale)).collect();
        meter.take_counted(number, period, &counted)?;
    }
    if let Some(dated) = spent.next() {
        meter.set_dated(!dated.is_empty());
    }
    Ok(())
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
