//! Merchants or categories: which are allowed, which are denied, and which have limits of their own.

use super::{Caps, PERIODS};
use crate::error::{LedgerError, Result, invalid};
use crate::json::parse_number;
use crate::money::{self, Number};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most names of one list.
const NAMES_MAX: usize = 200;
/// Numbers of JSON with more digits than this have lost some on their way.
const DIGITS_MAX: usize = 15;

/// The currency that caps are in, and its decimals; `None` for what is stored, which has them already.
#[derive(Clone, Copy)]
pub struct In<'a> {
    pub currency: &'a str,
    pub scale: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct List {
    /// Nothing else is allowed, what has no name included.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, Caps>,
}

impl List {
    /// Reads `{"allow": […], "deny": […], "limits": {"food": {"daily": 20000}}}`. `name` makes the one form of a
    /// name, or says what is wrong with it.
    pub fn parse(
        value: &Value,
        argument: &str,
        money: In,
        name: &dyn Fn(&str) -> Result<String>,
    ) -> Result<Self> {
        let must = "be an object such as {\"allow\": [\"a\"]}, {\"deny\": [\"b\"]} or {\"limits\": {\"a\": {\"daily\": 20000}}}";
        let fields = value.as_object().filter(|fields| !fields.is_empty());
        let fields = fields.ok_or_else(|| invalid(argument, must))?;
        let known = ["allow", "deny", "limits"];
        if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(invalid(argument, "have only the keys allow, deny and limits").with("field", unknown));
        }
        let names = |key: &str| fields.get(key).map(|value| names(value, argument, key, name)).transpose();
        let list = Self {
            allow: names("allow")?,
            deny: names("deny")?.unwrap_or_default(),
            limits: match fields.get("limits") {
                Some(value) => limits(value, argument, money, name)?,
                None => BTreeMap::new(),
            },
        };
        let both = list.allow.iter().flatten().find(|name| list.deny.contains(name));
        if let Some(name) = both {
            return Err(invalid(argument, "not allow and deny the same").with("value", name));
        }
        Ok(list)
    }

    /// The one way to write it.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        if let Some(allow) = &self.allow {
            fields.insert("allow".to_owned(), json!(allow));
        }
        if !self.deny.is_empty() {
            fields.insert("deny".to_owned(), json!(self.deny));
        }
        if !self.limits.is_empty() {
            let limits = self.limits.iter().map(|(name, caps)| (name.clone(), caps_to_json(caps)));
            fields.insert("limits".to_owned(), Value::Object(limits.collect()));
        }
        Value::Object(fields)
    }

    /// Whether money may go there. What has no name is allowed unless only the named ones are.
    pub fn allows(&self, name: Option<&str>) -> bool {
        match name {
            Some(name) => {
                let allowed = self.allow.as_ref().is_none_or(|allow| allow.iter().any(|one| one == name));
                allowed && !self.deny.iter().any(|one| one == name)
            }
            None => self.allow.is_none(),
        }
    }

    pub fn caps(&self, name: &str) -> Option<&Caps> {
        self.limits.get(name)
    }

    /// Those that have limits of their own.
    pub fn limited(&self) -> impl Iterator<Item = &String> {
        self.limits.keys()
    }
}

fn names(
    value: &Value,
    argument: &str,
    key: &str,
    name: &dyn Fn(&str) -> Result<String>,
) -> Result<Vec<String>> {
    let must = format!("have a list of 1 to {NAMES_MAX} names in \"{key}\"");
    let entries = value.as_array().filter(|entries| (1..=NAMES_MAX).contains(&entries.len()));
    let mut found = Vec::new();
    for entry in entries.ok_or_else(|| invalid(argument, &must))? {
        found.push(name(entry.as_str().ok_or_else(|| invalid(argument, &must))?)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn limits(
    value: &Value,
    argument: &str,
    money: In,
    name: &dyn Fn(&str) -> Result<String>,
) -> Result<BTreeMap<String, Caps>> {
    let must = format!("have an object of 1 to {NAMES_MAX} names in \"limits\"");
    let entries = value.as_object().filter(|entries| (1..=NAMES_MAX).contains(&entries.len()));
    let mut found = BTreeMap::new();
    for (key, value) in entries.ok_or_else(|| invalid(argument, &must))? {
        let fields = value.as_object().filter(|fields| !fields.is_empty()).ok_or_else(|| {
            invalid(argument, "say for each name what is limited, such as {\"daily\": 20000}")
                .with("value", key)
        })?;
        let mut caps = Caps::default();
        for (field, value) in fields {
            let amount = Some(cap(number(value, field)?, field, money)?);
            match PERIODS.iter().position(|period| period == field) {
                Some(period) => caps.periods[period] = amount,
                None if field == "per_transaction" => caps.per_transaction = amount,
                None => return Err(unknown_cap(argument, field)),
            }
        }
        let name = name(key)?;
        // Two spellings of one name: whichever were kept, the other would be lost unseen.
        if found.insert(name.clone(), caps).is_some() {
            return Err(invalid(argument, "not limit the same twice").with("value", name));
        }
    }
    Ok(found)
}

fn unknown_cap(argument: &str, field: &str) -> LedgerError {
    invalid(argument, "limit only per_transaction, daily, weekly and monthly").with("field", field)
}

/// A number of JSON, or a string that holds one. More digits than a JSON number keeps need a string.
fn number(value: &Value, name: &str) -> Result<Number> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if digits > DIGITS_MAX || text.contains(['e', 'E']) {
                return Err(invalid(name, "be written as a string where it has so many digits"));
            }
            parse_number(name, &text)
        }
        Value::String(text) => parse_number(name, text),
        _ => Err(invalid(name, "be a number")),
    }
}

/// The most that may be spent: finite, zero or more, in the currency's decimals.
pub fn cap(number: Number, name: &str, money: In) -> Result<Decimal> {
    let value = number.finite(name)?;
    if value < Decimal::ZERO {
        return Err(
            invalid(name, "not be negative: zero means that nothing may be spent").with("value", value)
        );
    }
    match money.scale {
        Some(scale) => money::to_scale(value, scale, money.currency, name),
        None => Ok(value),
    }
}

pub fn caps_to_json(caps: &Caps) -> Value {
    let mut fields = Map::new();
    let all =
        [("per_transaction", caps.per_transaction)].into_iter().chain(PERIODS.into_iter().zip(caps.periods));
    for (name, cap) in all {
        if let Some(cap) = cap {
            fields.insert(name.to_owned(), json!(cap.to_string()));
        }
    }
    Value::Object(fields)
}
