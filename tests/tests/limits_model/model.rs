//! Another opinion about gross spending: a list of what was spent and held, added up anew for every question, with
//! the calendar of Jakarta as plain arithmetic. It shares nothing with the extension.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use wallet_ledger_tests::*;

/// In microseconds.
pub const DAY: i64 = 86_400_000_000;
const JAKARTA: i64 = 7 * 3_600_000_000;

/// What PostgreSQL prints, in microseconds since 1970.
pub fn micros(text: &str) -> i64 {
    DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").expect(text).timestamp_micros()
}

pub fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Whole rupiah of `12.00`.
pub fn rupiah(text: &str) -> i64 {
    let (whole, sen) = text.split_once('.').expect(text);
    assert_eq!(sen, "00", "{text}");
    whole.parse().expect(text)
}

fn local(at: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(at + JAKARTA).expect("a time of this century").naive_utc()
}

/// The day, the week and the month that a moment lies in, by their first days.
fn periods(at: i64) -> [NaiveDate; 3] {
    let day = local(at).date();
    let week = day - Duration::days(day.weekday().num_days_from_monday().into());
    [day, week, day.with_day(1).expect("every month has a first")]
}

/// A spending that is asked about.
#[derive(Clone, Debug)]
pub struct Asked {
    pub amount: i64,
    pub merchant: &'static str,
    pub category: Option<&'static str>,
    pub method: Option<&'static str>,
    /// `None` is now.
    pub at: Option<i64>,
}

impl Asked {
    pub fn metadata(&self) -> String {
        let mut fields = serde_json::Map::new();
        fields.extend(self.category.map(|category| ("category".to_owned(), json!(category))));
        fields.extend(self.method.map(|method| ("method".to_owned(), json!(method))));
        Value::Object(fields).to_string()
    }

    fn time(at: i64) -> String {
        DateTime::from_timestamp_micros(at).expect("this century").to_rfc3339()
    }

    pub fn effective_at(&self) -> String {
        self.at.map_or(String::new(), |at| format!(", effective_at => '{}'", Self::time(at)))
    }

    pub fn arguments(&self) -> String {
        let mut more = format!(", '{}'", self.merchant);
        for (name, value) in [("category", self.category), ("method", self.method)] {
            more += &value.map_or(String::new(), |value| format!(", {name} => '{value}'"));
        }
        more + &self.at.map_or(String::new(), |at| format!(", at => '{}'", Self::time(at)))
    }
}

/// A limit of one of two names.
#[derive(Clone, Debug, Default)]
pub struct Limit {
    name: &'static str,
    method: Option<&'static str>,
    per_transaction: Option<i64>,
    periods: [Option<i64>; 3],
    /// Hours in which may be spent.
    hours: Option<(u32, u32)>,
    denied: Option<&'static str>,
    kiosk_daily: Option<i64>,
    food_weekly: Option<i64>,
}

impl Limit {
    pub fn random(random: &mut ChaCha8Rng) -> Self {
        let maybe = |random: &mut ChaCha8Rng, chance: f64, most: i64| {
            random.random_bool(chance).then(|| random.random_range(0..most))
        };
        let method = if random.random_bool(0.2) { Some("pin") } else { None };
        let lists = method.is_none();
        Limit {
            name: if random.random_bool(0.5) { "default" } else { "own" },
            method,
            per_transaction: maybe(random, 0.3, 120),
            periods: [maybe(random, 0.6, 600), maybe(random, 0.5, 2000), maybe(random, 0.4, 6000)],
            hours: random
                .random_bool(0.1)
                .then(|| (random.random_range(0..12), random.random_range(12..=23))),
            denied: random.random_bool(0.1).then_some("books"),
            kiosk_daily: maybe(random, 0.3, 200).filter(|_| lists),
            food_weekly: maybe(random, 0.3, 800).filter(|_| lists),
        }
    }

    pub fn arguments(&self) -> String {
        let mut arguments = format!("name => '{}'", self.name);
        let caps = ["per_transaction", "daily", "weekly", "monthly"];
        let amounts = [self.per_transaction, self.periods[0], self.periods[1], self.periods[2]];
        for (name, amount) in caps.iter().zip(amounts) {
            arguments += &amount.map_or(String::new(), |amount| format!(", {name} => {amount}"));
        }
        if let Some(method) = self.method {
            arguments += &format!(", method => '{method}'");
        }
        if let Some((from, to)) = self.hours {
            let window = json!([{ "from": format!("{from:02}:00"), "to": format!("{to:02}:00") }]);
            arguments += &format!(", windows => '{window}'");
        }
        if let Some(amount) = self.kiosk_daily {
            arguments +=
                &format!(", merchants => '{}'", json!({ "limits": { "kiosk": { "daily": amount } } }));
        }
        let mut categories = serde_json::Map::new();
        categories.extend(self.denied.map(|name| ("deny".to_owned(), json!([name]))));
        categories.extend(
            self.food_weekly.map(|amount| ("limits".to_owned(), json!({ "food": { "weekly": amount } }))),
        );
        if !categories.is_empty() {
            arguments += &format!(", categories => '{}'", Value::Object(categories));
        }
        arguments
    }
}

#[derive(Clone, Debug)]
struct Spent {
    id: String,
    at: i64,
    asked: Asked,
    amount: i64,
}

/// What is said about a spending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub reason: Option<String>,
    pub remaining: Option<i64>,
}

impl Verdict {
    pub fn told(said: &Line) -> Self {
        assert_eq!(&said["allowed"] == "t", said.get("reason").is_none());
        Verdict {
            reason: said.get("reason").map(str::to_owned),
            remaining: said.get("remaining").map(rupiah),
        }
    }
}

#[derive(Debug, Default)]
pub struct Model {
    limits: Vec<(i64, Limit)>,
    spent: Vec<Spent>,
    held: Vec<(String, Asked)>,
}

impl Model {
    pub fn set(&mut self, limit: Limit, from: i64) {
        self.limits.push((from, limit));
    }

    pub fn spend(&mut self, id: &str, asked: &Asked, at: i64) {
        self.spent.push(Spent { id: id.to_owned(), at, asked: asked.clone(), amount: asked.amount });
    }

    pub fn hold(&mut self, id: &str, asked: &Asked) {
        self.held.push((id.to_owned(), asked.clone()));
    }

    pub fn release(&mut self, id: &str) -> Asked {
        let place = self.held.iter().position(|(held, _)| held == id).expect("an open hold");
        self.held.swap_remove(place).1
    }

    pub fn capture(&mut self, hold: &str, transfer: &str, amount: i64, at: i64) {
        let asked = Asked { amount, ..self.release(hold) };
        self.spend(transfer, &asked, at);
    }

    pub fn take_back(&mut self, id: &str, amount: i64) {
        self.spent.iter_mut().find(|spent| spent.id == id).expect("spent").amount -= amount;
    }

    /// The limits that count at a moment: of each name the last one that had begun.
    fn counting(&self, at: i64) -> Vec<&Limit> {
        ["default", "own"]
            .iter()
            .filter_map(|name| {
                let begun = self.limits.iter().filter(|(from, limit)| limit.name == *name && *from <= at);
                // A later change of the same moment comes later in the list.
                begun.max_by_key(|(from, _)| *from).map(|(_, limit)| limit)
            })
            .collect()
    }

    /// What was spent in a period and is held, of what `counts`.
    fn used(&self, period: usize, at: i64, counts: &dyn Fn(&Asked) -> bool) -> i64 {
        let spent = self
            .spent
            .iter()
            .filter(|spent| counts(&spent.asked) && periods(spent.at)[period] == periods(at)[period]);
        let held = self.held.iter().filter(|(_, asked)| counts(asked));
        spent.map(|spent| spent.amount).sum::<i64>() + held.map(|(_, asked)| asked.amount).sum::<i64>()
    }

    /// `before`: what the same transaction has spent already.
    pub fn judge(&self, asked: &Asked, before: i64) -> Verdict {
        let at = asked.at.unwrap_or_else(now);
        let (mut rooms, mut reasons, mut shut) = (Vec::new(), Vec::new(), false);
        let mut bound = |rank: usize, name: &str, room: i64| {
            rooms.push(room.max(0));
            if room.max(0) < asked.amount {
                reasons.push((rank, name.to_owned()));
            }
        };
        let names = ["daily", "weekly", "monthly"];
        for limit in self.counting(at) {
            if limit.method.is_some() && limit.method != asked.method {
                continue;
            }
            let counts = |other: &Asked| limit.method.is_none() || other.method == limit.method;
            if let Some(cap) = limit.per_transaction {
                bound(3, "per_transaction", cap - before);
            }
            for (period, cap) in limit.periods.iter().enumerate() {
                if let Some(cap) = cap {
                    bound(4 + period, names[period], cap - self.used(period, at, &counts));
                }
            }
            if let Some(cap) = limit.kiosk_daily.filter(|_| asked.merchant == "kiosk") {
                bound(4, "daily", cap - self.used(0, at, &|other| other.merchant == "kiosk"));
            }
            if let Some(cap) = limit.food_weekly.filter(|_| asked.category == Some("food")) {
                bound(5, "weekly", cap - self.used(1, at, &|other| other.category == Some("food")));
            }
        }
        for limit in self.counting(at) {
            if limit.method.is_some() && limit.method != asked.method {
                continue;
            }
            let hour = chrono::Timelike::hour(&local(at));
            if limit.hours.is_some_and(|(from, to)| hour < from || hour >= to) {
                reasons.push((0, "window".to_owned()));
                shut = true;
            }
            if limit.denied.is_some() && limit.denied == asked.category {
                reasons.push((2, "category".to_owned()));
                shut = true;
            }
        }
        let remaining = if shut { Some(0) } else { rooms.into_iter().min() };
        Verdict { reason: reasons.into_iter().min().map(|(_, reason)| reason), remaining }
    }

    /// The first of a transaction's spendings that is refused.
    pub fn judge_transaction(&mut self, all: &[Asked]) -> Option<usize> {
        let kept = self.spent.len();
        let mut culprit = None;
        for (place, asked) in all.iter().enumerate() {
            let before: i64 = all[..place].iter().map(|earlier| earlier.amount).sum();
            let before_by_method = |method: Option<&str>| -> i64 {
                all[..place]
                    .iter()
                    .filter(|earlier| earlier.method == method)
                    .map(|earlier| earlier.amount)
                    .sum()
            };
            let refused = self.judge_with(asked, before, &before_by_method);
            if refused {
                culprit = Some(place);
                break;
            }
            self.spend("of the transaction", asked, now());
        }
        self.spent.truncate(kept);
        culprit
    }

    /// The same with what each method has spent in the transaction.
    fn judge_with(&self, asked: &Asked, before: i64, by_method: &dyn Fn(Option<&str>) -> i64) -> bool {
        let per_transaction = self.counting(now()).iter().any(|limit| {
            let applies = limit.method.is_none() || limit.method == asked.method;
            let spent = if limit.method.is_none() { before } else { by_method(limit.method) };
            applies && limit.per_transaction.is_some_and(|cap| (cap - spent).max(0) < asked.amount)
        });
        per_transaction || self.judge(asked, 0).reason.is_some()
    }
}
