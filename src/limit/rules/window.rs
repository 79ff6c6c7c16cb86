//! Times of the week in which may be spent, by the ledger's clock.

use crate::error::{LedgerError, Result, invalid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Microseconds of a minute; days and weeks are in minutes.
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// Most windows of a limit: several for each day.
const WINDOWS_MAX: usize = 50;

/// One window on each of its days. It begins with `from` and ends before `to`; where `to` is not later it
/// lasts over midnight, and its day is the one on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Window {
    /// Days since Monday, in order.
    days: Vec<usize>,
    /// Minutes since midnight.
    from: i64,
    to: i64,
}

/// The windows of a limit. None of them overlaps another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// As they were asked for; where only the decision is wanted they are not there.
    #[serde(skip)]
    windows: Vec<Window>,
    /// From and to in minutes since Monday's midnight, in order; the last may end after the week.
    spans: Vec<(i64, i64)>,
}

impl Windows {
    /// Reads `[{"days": ["mon", …], "from": "07:00", "to": "15:00"}]`; without days it is every day.
    pub fn parse(value: &Value) -> Result<Self> {
        let must = "be an array such as [{\"days\": [\"mon\"], \"from\": \"07:00\", \"to\": \"15:00\"}]";
        let entries = value.as_array().ok_or_else(|| invalid("windows", must))?;
        if entries.is_empty() {
            return Err(invalid("windows", "have a window: an empty list would allow nothing, ever")
                .with("reason", "empty"));
        }
        if entries.len() > WINDOWS_MAX {
            return Err(invalid("windows", &format!("have at most {WINDOWS_MAX} windows")));
        }
        let windows = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| window(entry, index))
            .collect::<Result<Vec<_>>>()?;
        let spans = spans(&windows)?;
        Ok(Self { windows, spans })
    }

    /// The one way to write them: equal windows are equal JSON.
    pub fn to_json(&self) -> Value {
        let written = |window: &Window| {
            let days: Vec<&str> = window.days.iter().map(|day| DAYS[*day]).collect();
            json!({ "days": days, "from": clock(window.from), "to": clock(window.to) })
        };
        Value::Array(self.windows.iter().map(written).collect())
    }

    /// Whether a moment lies in a window. A window of minutes has a moment that its minute has.
    pub fn contains(&self, weekday: i64, clock: i64) -> bool {
        let now = weekday * DAY + clock.div_euclid(MINUTE);
        // What began on Sunday may last into Monday.
        self.spans
            .iter()
            .any(|(from, to)| (*from <= now && now < *to) || (*from <= now + WEEK && now + WEEK < *to))
    }

    /// When the next window opens: in how many days, and at which microsecond of that day's clock.
    pub fn opening(&self, weekday: i64, clock: i64) -> (i64, i64) {
        let now = weekday * DAY + clock.div_euclid(MINUTE);
        let next = self.spans.iter().map(|(from, _)| if *from > now { *from } else { *from + WEEK }).min();
        let next = next.unwrap_or(now + WEEK);
        (next / DAY - weekday, next % DAY * MINUTE)
    }
}

fn window(entry: &Value, index: usize) -> Result<Window> {
    let at = |error: LedgerError| error.at_item(index);
    let fields = entry.as_object().ok_or_else(|| at(invalid("windows", "hold objects only")))?;
    if let Some(unknown) = fields.keys().find(|key| !["days", "from", "to"].contains(&key.as_str())) {
        return Err(at(invalid("windows", "have only the keys days, from and to").with("field", unknown)));
    }
    let time = |name: &str, most: i64| -> Result<i64> {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or_default();
        minutes(text).filter(|minutes| *minutes <= most).ok_or_else(|| {
            at(invalid("windows", &format!("say \"{name}\" as HH:MM, such as 07:00")).with("value", text))
        })
    };
    let (from, to) = (time("from", DAY - 1)?, time("to", DAY)?);
    if from == to {
        return Err(at(invalid("windows", "not end when they begin: a whole day is 00:00 to 24:00")
            .with("reason", "empty")));
    }
    Ok(Window { days: days(fields.get("days")).map_err(at)?, from, to })
}

fn days(value: Option<&Value>) -> Result<Vec<usize>> {
    let Some(value) = value else { return Ok((0..DAYS.len()).collect()) };
    let must = format!("name days as {}", DAYS.join(", "));
    let names =
        value.as_array().filter(|names| !names.is_empty()).ok_or_else(|| invalid("windows", &must))?;
    let mut days = Vec::with_capacity(names.len());
    for name in names {
        let known = name.as_str().and_then(|name| DAYS.iter().position(|day| *day == name));
        let day = known.ok_or_else(|| invalid("windows", &must).with("value", name))?;
        if days.contains(&day) {
            return Err(invalid("windows", "name a day once").with("value", name));
        }
        days.push(day);
    }
    days.sort_unstable();
    Ok(days)
}

/// `07:00` in minutes since midnight.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<i64>().ok() } else { None }
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    Some(hours * 60 + minutes)
}

fn clock(minutes: i64) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The windows as spans of the week; two that overlap are refused.
fn spans(windows: &[Window]) -> Result<Vec<(i64, i64)>> {
    let mut spans: Vec<(i64, i64, usize)> = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        for day in &window.days {
            let midnight = i64::try_from(*day).unwrap_or_default() * DAY;
            let next_day = if window.to > window.from { 0 } else { DAY };
            spans.push((midnight + window.from, midnight + window.to + next_day, index));
        }
    }
    spans.sort_unstable();
    let last_of_week = spans.last().map_or(0, |(_, to, _)| to - WEEK);
    let first_again = spans.first().map_or(i64::MAX, |(from, ..)| *from);
    let overlap = spans.windows(2).find(|pair| pair[1].0 < pair[0].1).map(|pair| pair[1].2);
    let overlap = overlap.or_else(|| (last_of_week > first_again).then_some(spans[0].2));
    if let Some(index) = overlap {
        return Err(invalid("windows", "not overlap: one moment is in one window")
            .with("reason", "overlap")
            .at_item(index));
    }
    Ok(spans.into_iter().map(|(from, to, _)| (from, to)).collect())
}
