//! Offline tills: what was sold without a connection, each number once and in order.
//!
//! The till's row is the lock: who sends the same at the same time waits and is told what became of it. Its numbers
//! stand in `device_entries`; one that is not there although a later one is was missing, and is taken when it comes.
//! Every account that any entry may touch is locked in one statement before the first is decided; then they are
//! decided in order, each after the one before it, hundreds in one posting. Where that is not possible (somebody's
//! trigger refuses, or a purchase goes into an overdraft) each is decided in a subtransaction of its own.
//!
//! Lock order: till, its merchant (shared), then what a posting locks. Statements: 7 for a call (till, numbers,
//! members, catalogue, settings, accounts, till again), 8 where the till may lend to somebody who never owed, and 6
//! for each few hundred entries.

pub mod api;
mod read;
pub mod store;
mod take;

use super::no_member;
use super::overdraft;
use super::rules::State;
use super::rules::entry::{self, Clock};
use super::rules::line::{self, Item, Money};
use super::rules::sequence::{Digest, Step, is_too_far, plan, too_far};
use super::store::{Member, Purchase, Refusal};
use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::ledger::{self, Ledger};
use crate::people::rules::ConflictPolicy;
use crate::posting::{self, Wanted};
use crate::setting::{self, rules::Setting};
use crate::spi::Session;
use crate::spi::jsonb::{Document, Items};
use read::{Raw, Sent, Sold};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::HashMap;
use store::Device;
use take::Taken;
use uuid::Uuid;

/// What the till is told about a number.
#[derive(Clone, Debug)]
pub struct Answer {
    pub sequence: Option<i64>,
    pub status: &'static str,
    pub purchase_id: Option<Uuid>,
    /// Token and message.
    pub error: Option<(String, String)>,
    pub message: Option<String>,
    /// The till must keep it and send it again.
    pub keep: bool,
}

impl Answer {
    fn new(sequence: Option<i64>, status: &'static str) -> Self {
        Self { sequence, status, purchase_id: None, error: None, message: None, keep: false }
    }
}

/// Whose till it is, if there is one.
pub fn merchant(session: &Session, ledger: &Ledger, device: &str) -> Option<String> {
    store::merchant(session, ledger.id, device)
}

/// Locks a till, or says that there is none.
pub fn lock(session: &Session, ledger: &Ledger, device: &str) -> Result<Device> {
    ledger::enter_period(ledger);
    store::device(session, ledger.id, device).ok_or_else(|| {
        LedgerError::new(Code::DeviceNotFound, format!("there is no device {device}")).with("device", device)
    })
}

/// Takes what a till brings. Its row is locked.
pub fn sync(session: &Session, ledger: &Ledger, device: &Device, batch: &Items) -> Result<Vec<Answer>> {
    entry::check_size(batch.bytes())?;
    entry::check_count(batch.count("batch")?)?;
    for (party, name, is_active) in [
        ("device", &device.device, device.is_active),
        ("merchant", &device.merchant, device.merchant_is_active),
    ] {
        if !is_active {
            return Err(line::inactive(party, name));
        }
    }
    let raws: Vec<Raw> = batch.elements("batch")?.into_iter().map(Raw::new).collect();
    let sent: Vec<Sent> = raws.iter().map(Sent::read).collect();
    let is_numbered =
        |sent: &Sent| sent.sequence.is_some_and(|number| !is_too_far(device.last_sequence, number));
    let numbered: Vec<usize> = (0..sent.len()).filter(|place| is_numbered(&sent[*place])).collect();
    let numbers: Vec<(i64, Digest)> =
        numbered.iter().filter_map(|place| Some((sent[*place].sequence?, raws[*place].digest))).collect();
    let decided =
        store::decided(session, ledger.id, &device.device, numbers.iter().map(|(number, _)| *number));
    let digests = decided.iter().map(|(number, before)| (*number, before.digest)).collect();
    let (steps, last) = plan(device.last_sequence, device.gap_policy, &digests, &numbers);

    let mut told = Told { device, events: Vec::new() };
    let mut answers: Vec<Answer> =
        sent.iter().filter(|sent| !is_numbered(sent)).map(|sent| told.unreadable(sent)).collect();
    let takes = steps.iter().filter_map(|step| match step {
        Step::Take { place } => Some(&sent[numbered[*place]]),
        _ => None,
    });
    let drafts = drafts(session, ledger, device, takes)?;
    lock_accounts(session, ledger, device, &drafts)?;
    let taken = take::all(ledger, device, drafts)?;
    let mut outcomes: HashMap<i64, Taken> = taken.into_iter().map(|taken| (taken.sequence, taken)).collect();
    for step in &steps {
        answers.push(match step {
            Step::Gap { from, to } => told.gap(*from, *to),
            Step::Wait { place } => {
                let answer = Answer::new(sent[numbered[*place]].sequence, "waiting");
                Answer { keep: true, message: Some("a number before it has not come".to_owned()), ..answer }
            }
            Step::Take { place } => took(sent[numbered[*place]].sequence, &outcomes)?,
            Step::Duplicate { place, conflict } => {
                told.duplicate(&sent[numbered[*place]], *conflict, &decided, &outcomes)
            }
        });
    }
    outcomes.clear();
    event::write_many(session, ledger, told.events);
    store::synced(session, ledger.id, &device.device, last, ledger::now());
    Ok(answers)
}

/// What is told about an entry that was decided now.
fn took(sequence: Option<i64>, outcomes: &HashMap<i64, Taken>) -> Result<Answer> {
    let taken = sequence
        .and_then(|sequence| outcomes.get(&sequence))
        .ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "a number of a till was not decided"))?;
    let (purchase_id, error) = (taken.purchase_id, taken.refusal.as_ref().map(error));
    Ok(Answer { purchase_id, error, ..Answer::new(sequence, taken.status()) })
}

fn error(refusal: &Refusal) -> (String, String) {
    (refusal.token.clone(), refusal.message.clone())
}

/// What is told beside what the purchases themselves tell.
struct Told<'a> {
    device: &'a Device,
    events: Vec<(&'static str, String, Value)>,
}

impl Told<'_> {
    /// An entry without a number that can be read, or with one that cannot be right: nothing but the event keeps it.
    fn unreadable(&mut self, sent: &Sent) -> Answer {
        let error = match (sent.sequence, &sent.sold) {
            (Some(_), _) => too_far(self.device.last_sequence),
            (None, Err(error)) => error.clone(),
            (None, Ok(_)) => crate::error::missing("sequence"),
        };
        self.events.push(rejected(self.device, sent.sequence, &sent.raw.document, &error.clone().into()));
        let error = Some((error.token().to_owned(), error.message));
        Answer { error, ..Answer::new(sent.sequence, "rejected") }
    }

    fn gap(&mut self, from: i64, to: i64) -> Answer {
        let message =
            if from == to { format!("{from} has not come") } else { format!("{from} to {to} have not come") };
        let payload = json!({
            "device": self.device.device,
            "merchant": self.device.merchant,
            "from_sequence": from,
            "to_sequence": to,
            "for": ["organisation"],
        });
        self.events.push(("device.gap", self.device.device.clone(), payload));
        Answer { message: Some(message), keep: true, ..Answer::new(Some(from), "gap") }
    }

    fn duplicate(
        &mut self,
        sent: &Sent,
        conflict: bool,
        decided: &HashMap<i64, store::Decided>,
        outcomes: &HashMap<i64, Taken>,
    ) -> Answer {
        let sequence = sent.sequence.unwrap_or_default();
        let mut answer = Answer::new(sent.sequence, "duplicate");
        if let Some(before) = decided.get(&sequence) {
            (answer.purchase_id, answer.error) = (before.purchase_id, before.error.clone());
        } else if let Some(taken) = outcomes.get(&sequence) {
            answer.purchase_id = taken.purchase_id;
            let is_rejected = taken.state == store::State::Rejected;
            answer.error = taken.refusal.as_ref().filter(|_| is_rejected).map(error);
        }
        if conflict {
            let said = format!("device {} has sent something else as {sequence} before", self.device.device);
            let error = LedgerError::new(Code::SequenceConflict, said)
                .with("device", &self.device.device)
                .with_count("sequence", sequence);
            answer.error = Some((error.token().to_owned(), error.message.clone()));
            self.events.push(rejected(self.device, sent.sequence, &sent.raw.document, &error.into()));
        }
        answer
    }
}

/// The event about something that no purchase could be made of. The entry is text: so it keeps every digit.
fn rejected(
    device: &Device,
    sequence: Option<i64>,
    document: &Document,
    refusal: &Refusal,
) -> (&'static str, String, Value) {
    let payload = json!({
        "device": device.device,
        "merchant": device.merchant,
        "sequence": sequence,
        "entry": document.to_text(),
        "error": refusal.detail,
        "message": refusal.message,
        "for": ["organisation"],
    });
    ("sync.rejected", device.device.clone(), payload)
}

/// An entry about to be decided.
struct Draft<'a> {
    sequence: i64,
    raw: &'a Raw,
    /// The purchase, and why it is refused at once if it is; or why none can be made of it.
    sold: std::result::Result<(Purchase, Option<Refusal>), Refusal>,
    /// Where the till's price is not the catalogue's: item, the till's, the catalogue's.
    prices: Vec<(String, Decimal, Option<Decimal>)>,
}

/// Prices the entries: two statements for all members and items that they name.
fn drafts<'a, 'b: 'a>(
    session: &Session,
    ledger: &Ledger,
    device: &Device,
    takes: impl Iterator<Item = &'a Sent<'b>>,
) -> Result<Vec<Draft<'b>>> {
    let takes: Vec<&Sent> = takes.collect();
    if takes.is_empty() {
        return Ok(Vec::new());
    }
    let sold = || takes.iter().filter_map(|sent| sent.sold.as_ref().ok());
    let members = store::members(session, ledger.id, sold().map(|sold| sold.member));
    let names = sold().flat_map(|sold| sold.lines.iter().filter_map(|line| line.item));
    let items = store::items(session, ledger.id, &device.merchant, names);
    let now = ledger::now();
    let settings = setting::read(session, ledger, now)?;
    let clock = Clock {
        now,
        skew: settings.micros(Setting::TillClockSkew),
        offline_max: settings.micros(Setting::TillOfflineMax),
    };
    let scene = Scene { device, members, items, clock };
    Ok(takes.into_iter().filter_map(|sent| scene.draft(sent)).collect())
}

/// What is known when the entries are priced.
struct Scene<'a> {
    device: &'a Device,
    members: HashMap<String, Member>,
    items: HashMap<String, Item>,
    clock: Clock,
}

impl Scene<'_> {
    fn draft<'b>(&self, sent: &Sent<'b>) -> Option<Draft<'b>> {
        let sequence = sent.sequence?;
        let mut prices = Vec::new();
        let sold = match &sent.sold {
            Ok(sold) => self.purchase(sequence, sold, &mut prices),
            Err(error) => Err(error.clone()),
        };
        Some(Draft { sequence, raw: sent.raw, sold: sold.map_err(Refusal::from), prices })
    }

    fn purchase(
        &self,
        sequence: i64,
        sold: &Sold,
        prices: &mut Vec<(String, Decimal, Option<Decimal>)>,
    ) -> Result<(Purchase, Option<Refusal>)> {
        let member = self.members.get(sold.member).ok_or_else(|| no_member(sold.member))?;
        let money = Money { currency: &member.currency, scale: member.scale };
        let mut lines = Vec::with_capacity(sold.lines.len());
        for (place, wanted) in sold.lines.iter().enumerate() {
            let item = wanted.item.and_then(|name| self.items.get(name));
            let line = line::price_sold(wanted, item, money).map_err(|error| error.at_item(place))?;
            if item.is_none_or(|item| item.price != line.unit_price) {
                prices.push((line.item.clone(), line.unit_price, item.map(|item| item.price)));
            }
            lines.push(line);
        }
        let active = if member.is_active { Ok(()) } else { Err(line::inactive("member", &member.member)) };
        let refusal = self.clock.check(sold.at).and(active).err().map(Refusal::from);
        let metadata = sold.authentication.as_ref().map(|authentication| {
            Document::from_text(format!("{{\"authentication\": {}}}", authentication.to_text()))
        });
        let purchase = Purchase {
            id: Uuid::now_v7(),
            state: State::Completed,
            is_overdraft: false,
            transaction_id: None,
            authentication_id: None,
            method: sold.method.map(str::to_owned),
            overdraft: None,
            merchant: self.device.merchant.clone(),
            device: Some(self.device.device.clone()),
            device_sequence: Some(sequence),
            purchased_at: sold.at,
            created_at: self.clock.now,
            amount: line::total(&lines, member.scale)?,
            reference: sold.reference.map(str::to_owned),
            refusal: None,
            metadata,
            lines: lines.into_iter().map(|line| (line, None)).collect(),
            member: member.clone(),
        };
        Ok((purchase, refusal))
    }
}

/// Locks every account that any entry may touch, in the one order.
fn lock_accounts(session: &Session, ledger: &Ledger, device: &Device, drafts: &[Draft]) -> Result<()> {
    let purchases: Vec<&Purchase> =
        drafts.iter().filter_map(|draft| draft.sold.as_ref().ok().map(|(purchase, _)| purchase)).collect();
    if purchases.is_empty() {
        return Ok(());
    }
    let accounts: Vec<overdraft::Accounts> = purchases
        .iter()
        .map(|purchase| overdraft::Accounts::new(&purchase.member.member, &purchase.member.account))
        .collect();
    let mut wanted = Wanted::default();
    for (purchase, accounts) in purchases.iter().zip(&accounts) {
        wanted.transfer(accounts.wallet, &device.account, purchase.amount);
        accounts.want(&mut wanted);
    }
    match device.conflict_policy {
        // The first overdraft of a member makes the account of what is owed.
        ConflictPolicy::Accept => posting::lock_all(session, ledger, &wanted),
        ConflictPolicy::Reject => posting::lock(session, ledger, &wanted),
    }
    .map(drop)
}
