//! Deciding what a till brings: together where that is the same, else one by one.

use super::store::{Device, Entry, State as EntryState, insert};
use super::{Draft, rejected};
use crate::error::{Code, LedgerError, Result};
use crate::event;
use crate::idempotency::rules::Operation;
use crate::ledger::{self, Ledger};
use crate::money::Number;
use crate::people::rules::ConflictPolicy;
use crate::posting::Access;
use crate::posting::batch::{self, Call, Limits, OnError};
use crate::posting::request::Request;
use crate::purchase::overdraft::{Accounts, KIND};
use crate::purchase::rules::State;
use crate::purchase::store::{self as purchases, Purchase, Refusal};
use crate::purchase::{is_fatal, post, receipts, refuse, requests, settle, told};
use crate::report::attempt;
use crate::spi::Session;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

/// How many entries one posting is for.
const TOGETHER: usize = 500;

/// What a purchase that is refused for one of these was refused for: there is too little money, or a limit. The
/// policy of the till decides about it.
const CONFLICTS: [&str; 2] = ["insufficient_funds", "spending_limit_exceeded"];

/// What became of an entry.
pub struct Taken {
    pub sequence: i64,
    pub state: EntryState,
    pub purchase_id: Option<Uuid>,
    /// Why it was rejected, or what was passed over.
    pub refusal: Option<Refusal>,
}

impl Taken {
    pub fn status(&self) -> &'static str {
        match self.state {
            EntryState::Accepted => "accepted",
            EntryState::Overdraft => "overdraft",
            EntryState::Rejected => "rejected",
        }
    }
}

/// An entry that was decided, and all that is to be written about it.
struct Outcome {
    purchase: Option<Purchase>,
    balance: Option<Decimal>,
    /// What was passed over for it, and what the member owes with it.
    passed: Option<(Refusal, Decimal)>,
    refusal: Option<Refusal>,
}

impl Outcome {
    fn refused(mut purchase: Purchase, refusal: Refusal) -> Self {
        refuse(&mut purchase, refusal.clone());
        Self { purchase: Some(purchase), balance: None, passed: None, refusal: Some(refusal) }
    }

    fn completed(purchase: Purchase, balance: Decimal) -> Self {
        Self { purchase: Some(purchase), balance: Some(balance), passed: None, refusal: None }
    }

    fn unusable(refusal: Refusal) -> Self {
        Self { purchase: None, balance: None, passed: None, refusal: Some(refusal) }
    }
}

/// Decides all of them in their order. Their accounts are locked.
pub fn all(ledger: &Ledger, device: &Device, drafts: Vec<Draft>) -> Result<Vec<Taken>> {
    let mut taken = Vec::with_capacity(drafts.len());
    for chunk in drafts.chunks(TOGETHER) {
        match attempt(|| together(&Session::connect(), ledger, device, chunk))? {
            Ok(done) => taken.extend(done),
            Err(_) => {
                for draft in chunk {
                    taken.push(alone(ledger, device, draft)?);
                }
            }
        }
    }
    Ok(taken)
}

/// Decides many in one posting. Fails as a whole where one of them is for the till's policy to decide: what comes
/// after it has to see what it did.
fn together(session: &Session, ledger: &Ledger, device: &Device, drafts: &[Draft]) -> Result<Vec<Taken>> {
    let labels: Vec<String> = (0..drafts.len()).map(|place| place.to_string()).collect();
    let (mut all, mut counts) = (Vec::new(), vec![0; drafts.len()]);
    for (place, draft) in drafts.iter().enumerate() {
        if let Ok((purchase, None)) = &draft.sold {
            let requests = requests(purchase, &device.account, Some(purchase.purchased_at), &labels[place]);
            counts[place] = requests.len();
            all.extend(requests);
        }
    }
    let mut posted = if all.is_empty() { Vec::new() } else { post_many(session, ledger, all)? }.into_iter();
    let mut outcomes = Vec::with_capacity(drafts.len());
    for (draft, count) in drafts.iter().zip(counts) {
        outcomes.push(match draft.sold.clone() {
            Err(refusal) => Outcome::unusable(refusal),
            Ok((purchase, Some(refusal))) => Outcome::refused(purchase, refusal),
            Ok((mut purchase, None)) => match receipts(posted.by_ref().take(count).collect()) {
                Ok(receipts) => {
                    let left = settle(&mut purchase, &receipts)?;
                    Outcome::completed(purchase, left.balance)
                }
                Err(error) if is_for_policy(device, &error) => return Err(error),
                Err(error) => Outcome::refused(purchase, error.without_position().into()),
            },
        });
    }
    write(session, ledger, device, drafts, outcomes)
}

fn post_many(session: &Session, ledger: &Ledger, requests: Vec<Request>) -> Result<Vec<batch::Outcome>> {
    let (operation, on_error, access) = (Operation::PostTransfer, OnError::Report, Access::Lock);
    batch::post(session, ledger, Call { requests, operation, on_error, access, limits: Limits::Enforce })
}

/// Whether the till's policy lets a purchase pass that was refused so.
fn is_for_policy(device: &Device, error: &LedgerError) -> bool {
    device.conflict_policy == ConflictPolicy::Accept && CONFLICTS.contains(&error.token())
}

/// Decides one in a subtransaction of its own. What anybody's trigger refuses is a refusal too; where that trigger
/// even refuses to have it written down, what the till sent is kept as it is.
fn alone(ledger: &Ledger, device: &Device, draft: &Draft) -> Result<Taken> {
    let one = std::slice::from_ref(draft);
    let decide = |session: &Session| match draft.sold.clone() {
        Err(refusal) => Ok(Outcome::unusable(refusal)),
        Ok((purchase, Some(refusal))) => Ok(Outcome::refused(purchase, refusal)),
        Ok((purchase, None)) => sell(session, ledger, device, purchase),
    };
    let write_one = |session: &Session, outcome: Outcome| -> Result<Taken> {
        let mut taken = write(session, ledger, device, one, vec![outcome])?;
        taken.pop().ok_or_else(|| LedgerError::new(Code::BooksInconsistent, "an entry was not written"))
    };
    let failure = match attempt(|| {
        let session = Session::connect();
        let outcome = decide(&session)?;
        write_one(&session, outcome)
    })? {
        Ok(taken) => return Ok(taken),
        Err(failure) => failure,
    };
    let code = Code::from_token(&failure.token);
    if let Some(code @ (Code::BooksInconsistent | Code::NotInstalled)) = code {
        return Err(LedgerError::new(code, failure.message));
    }
    let refusal = Refusal::from(failure);
    if let Ok((purchase, _)) = draft.sold.clone() {
        let outcome = Outcome::refused(purchase, refusal.clone());
        if let Ok(taken) = attempt(|| write_one(&Session::connect(), outcome))? {
            return Ok(taken);
        }
    }
    write_one(&Session::connect(), Outcome::unusable(refusal))
}

/// Sells one, by the till's policy.
fn sell(session: &Session, ledger: &Ledger, device: &Device, mut purchase: Purchase) -> Result<Outcome> {
    let label = purchase.id.to_string();
    let at = Some(purchase.purchased_at);
    let wanted = requests(&purchase, &device.account, at, &label);
    let refused = match post(session, ledger, wanted, Limits::Enforce) {
        Ok(receipts) => {
            let left = settle(&mut purchase, &receipts)?;
            return Ok(Outcome::completed(purchase, left.balance));
        }
        Err(error) if is_for_policy(device, &error) => error.without_position(),
        Err(error) if is_fatal(&error) => return Err(error),
        Err(error) => return Ok(Outcome::refused(purchase, error.without_position().into())),
    };
    let member = purchase.member.clone();
    let accounts = Accounts::new(&member.member, &member.account);
    let (missing, owed) = accounts.shortfall(session, ledger, purchase.amount, member.scale)?;
    let owes = owed + missing;
    if !missing.is_zero() && owes > device.overdraft_limit {
        let said =
            format!("member {} would owe {owes}, at most {} is let", member.member, device.overdraft_limit);
        let error = LedgerError::new(Code::OverdraftExceeded, said)
            .with("member", &member.member)
            .with("owed", owed)
            .with("missing", missing)
            .with("overdraft_limit", device.overdraft_limit)
            .with("refused_for", refused.token());
        return Ok(Outcome::refused(purchase, error.into()));
    }
    let posted = {
        let mut wanted = Vec::new();
        if !missing.is_zero() {
            accounts.open(session, ledger, &member.currency, member.scale)?;
            wanted.push(Request {
                debit_account: Some(&accounts.overdraft),
                credit_account: Some(accounts.wallet),
                amount: Some(Number::Finite(missing)),
                kind: Some(KIND),
                effective_at: at,
                ..Request::default()
            });
        }
        wanted.extend(requests(&purchase, &device.account, at, &label));
        let linked = wanted.len() > 1;
        wanted.iter_mut().for_each(|request| request.transaction = linked.then_some(label.as_str()));
        post(session, ledger, wanted, Limits::Count)
    };
    let receipts = match posted {
        Ok(receipts) => receipts,
        Err(error) if is_fatal(&error) => return Err(error),
        Err(error) => return Ok(Outcome::refused(purchase, error.without_position().into())),
    };
    let skip = usize::from(!missing.is_zero());
    let left = settle(&mut purchase, &receipts[skip..])?;
    purchase.is_overdraft = true;
    purchase.overdraft = receipts.first().filter(|_| skip == 1).and_then(|first| Some((first.id?, missing)));
    Ok(Outcome { passed: Some((refused.into(), owes)), ..Outcome::completed(purchase, left.balance) })
}

/// Writes down what was decided: purchases, numbers, events.
fn write(
    session: &Session,
    ledger: &Ledger,
    device: &Device,
    drafts: &[Draft],
    outcomes: Vec<Outcome>,
) -> Result<Vec<Taken>> {
    let now = ledger::now();
    let mut events: Vec<(&'static str, String, Value)> = Vec::with_capacity(outcomes.len());
    let mut taken = Vec::with_capacity(outcomes.len());
    let mut sold = Vec::with_capacity(outcomes.len());
    for (draft, outcome) in drafts.iter().zip(outcomes) {
        events.extend(tell(device, draft, &outcome));
        let Outcome { purchase, passed, refusal, .. } = outcome;
        let state = match (&refusal, &passed) {
            (Some(_), _) => EntryState::Rejected,
            (None, Some(_)) => EntryState::Overdraft,
            (None, None) => EntryState::Accepted,
        };
        taken.push(Taken {
            sequence: draft.sequence,
            state,
            purchase_id: purchase.as_ref().map(|purchase| purchase.id),
            refusal: refusal.or(passed.map(|(refusal, _)| refusal)),
        });
        sold.extend(purchase);
    }
    if !sold.is_empty() {
        purchases::insert(session, ledger.id, &sold, now, &ledger::settings::actor());
    }
    let entries: Vec<Entry> = drafts
        .iter()
        .zip(&taken)
        .map(|(draft, taken)| Entry {
            state: taken.state,
            sequence: taken.sequence,
            purchase_id: taken.purchase_id,
            digest: draft.raw.digest,
            refusal: taken.refusal.as_ref().filter(|_| taken.state == EntryState::Rejected),
            document: &draft.raw.document,
        })
        .collect();
    insert(session, ledger.id, &device.device, &entries, now);
    event::write_many(session, ledger, events);
    Ok(taken)
}

/// The events about one entry.
fn tell(device: &Device, draft: &Draft, outcome: &Outcome) -> Vec<(&'static str, String, Value)> {
    let Some(purchase) = &outcome.purchase else {
        let refusal = outcome.refusal.as_ref();
        return refusal
            .map(|refusal| rejected(device, Some(draft.sequence), &draft.raw.document, refusal))
            .into_iter()
            .collect();
    };
    let id = purchase.id.to_string();
    let (topic, payload) = told(purchase, outcome.balance);
    let mut events = vec![(topic, id.clone(), payload.clone())];
    if let Some((refusal, owes)) = &outcome.passed {
        let more = json!({
            "overdraft": purchase.overdraft.map_or(Decimal::ZERO, |(_, amount)| amount).to_string(),
            "owed": owes.to_string(),
            "error": refusal.detail,
            "message": refusal.message,
            "for": ["guardian", "organisation"],
        });
        events.push(("purchase.overdraft", id.clone(), event::with(payload, more)));
    }
    if !draft.prices.is_empty() && purchase.state == State::Completed {
        let price = |(item, till, catalogue): &(String, Decimal, Option<Decimal>)| {
            let catalogue = catalogue.map(|price| price.to_string());
            json!({ "item": item, "till_price": till.to_string(), "catalogue_price": catalogue })
        };
        let payload = json!({
            "purchase_id": id,
            "merchant": device.merchant,
            "device": device.device,
            "sequence": draft.sequence,
            "items": draft.prices.iter().map(price).collect::<Vec<Value>>(),
            "for": ["merchant", "organisation"],
        });
        events.push(("purchase.price_differs", id, payload));
    }
    events
}
