//! The whole of the model against what is stored, and what must hold of that whatever the model says.

use std::collections::BTreeMap;

use wallet_ledger_tests::bank::assert_bank_sound;
use wallet_ledger_tests::{Client, Line, lines};

use super::model::{Bank, Life, Model, State, WALLETS, now, sen, text};

/// What must give no row, from the tables alone: money in is there once.
const ONCE: &[(&str, &str)] = &[
    (
        "a posting over a bank's accounts that is not taken back belongs to no mutation, or to two, or moves \
         another amount",
        "WITH own AS (
             SELECT account_id AS id FROM wallet_data.bank_accounts
             UNION SELECT suspense_account_id FROM wallet_data.bank_accounts
             UNION SELECT outgoing_account_id FROM wallet_data.bank_accounts),
         standing AS (
             SELECT coalesce(t.transaction_id, t.transfer_id) AS id, sum(t.amount - coalesce(r.reversed_amount, 0)) AS amount
             FROM wallet_data.transfers t LEFT JOIN wallet_data.reversal_totals r USING (transfer_id)
             WHERE t.reverses_id IS NULL AND t.amount > coalesce(r.reversed_amount, 0)
               AND (t.debit_account_id IN (SELECT id FROM own) OR t.credit_account_id IN (SELECT id FROM own))
               AND NOT EXISTS (SELECT FROM wallet_data.accounts a
                               WHERE a.account_id = t.credit_account_id AND a.address = 'equity:opening_balances')
             GROUP BY 1),
         owned AS (
             SELECT id, count(*) AS owners, min(amount) AS amount
             FROM (SELECT received_transaction_id AS id, amount FROM wallet_data.mutations
                   UNION ALL SELECT applied_transaction_id, amount FROM wallet_data.mutations) m
             WHERE id IS NOT NULL GROUP BY 1)
         SELECT * FROM standing s FULL JOIN owned o USING (id)
         WHERE o.owners IS DISTINCT FROM 1 OR s.amount IS DISTINCT FROM o.amount",
    ),
    (
        "a mutation has credited more than once, or credits although it waits",
        "SELECT m.id, m.status, count(*) FROM wallet_ledger.mutations m
         JOIN wallet_data.payment_actions p ON p.mutation_id = m.id
         JOIN wallet_data.transfers t ON coalesce(t.transaction_id, t.transfer_id) = p.transaction_id
         LEFT JOIN wallet_data.reversal_totals r USING (transfer_id)
         LEFT JOIN wallet_data.bank_accounts b ON b.suspense_account_id = t.credit_account_id
         WHERE p.action <> 'unmatch_mutation' AND t.amount > coalesce(r.reversed_amount, 0) AND b.ledger_id IS NULL
         GROUP BY m.id, m.status
         HAVING count(DISTINCT p.transaction_id) > 1 OR m.status NOT IN ('matched', 'assigned', 'returned')",
    ),
    (
        "an intent was paid more often than its payments were undone and it is paid",
        "SELECT i.id, i.status, e.*
         FROM (SELECT payload ->> 'intent_id' AS intent, count(*) FILTER (WHERE topic = 'intent.paid') AS paid,
                      count(*) FILTER (WHERE topic = 'intent.payment_undone') AS undone
               FROM wallet_ledger.events WHERE topic IN ('intent.paid', 'intent.payment_undone') GROUP BY 1) e
         FULL JOIN wallet_ledger.intents i ON i.id::text = e.intent
         WHERE i.id IS NULL OR coalesce(e.paid, 0) - coalesce(e.undone, 0) <> (i.status = 'paid')::integer",
    ),
    (
        "a mutation has paid two intents",
        "SELECT mutation_id FROM wallet_ledger.intents WHERE mutation_id IS NOT NULL
         GROUP BY mutation_id HAVING count(*) > 1",
    ),
    (
        "a bank account does not have its opening balance and its mutations, by what became of them",
        "SELECT b.account, a.posted, s.posted, o.posted, m.* FROM wallet_ledger.bank_accounts b
         JOIN wallet_ledger.accounts a ON a.account = b.account
         JOIN wallet_ledger.accounts s ON s.account = b.suspense_account
         JOIN wallet_ledger.accounts o ON o.account = b.outgoing_account
         JOIN LATERAL (
             SELECT coalesce(sum(amount) FILTER (WHERE direction = 'credit' AND status <> 'duplicate'), 0) AS credits,
                    coalesce(sum(amount) FILTER (WHERE direction = 'debit' AND status <> 'duplicate'), 0) AS debits,
                    coalesce(sum(amount) FILTER (WHERE status IN ('suspense', 'review')), 0) AS waiting,
                    coalesce(sum(amount) FILTER (WHERE status = 'returned'), 0) AS returned,
                    coalesce(sum(amount) FILTER (WHERE status = 'ignored'), 0) AS ignored
             FROM wallet_ledger.mutations WHERE bank_account = b.account) m ON true
         LEFT JOIN LATERAL (
             SELECT coalesce(sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END), 0) AS here
             FROM wallet_ledger.mutations WHERE status = 'assigned' AND account = b.outgoing_account) x ON true
         WHERE b.account LIKE 'banks:model:%'
           AND (a.posted <> b.opening_balance + m.credits - m.debits OR s.posted <> m.waiting
                OR o.posted <> m.returned - m.ignored + x.here)",
    ),
];

/// What the wallets have by the stored intents and mutations, without what they have spent.
const RECEIVED: &str = "
    SELECT w.account, coalesce(sum(got.amount), 0) AS amount
    FROM wallet_ledger.accounts w
    LEFT JOIN (
        SELECT a.address AS account,
               CASE WHEN i.paid_amount = i.total AND i.code_account_id IS NOT NULL THEN i.amount ELSE i.paid_amount END AS amount
        FROM wallet_data.intents i JOIN wallet_data.accounts a ON a.account_id = i.credit_account_id WHERE i.state_id = 4
        UNION ALL
        SELECT account, CASE direction WHEN 'credit' THEN amount ELSE -amount END
        FROM wallet_ledger.mutations WHERE status = 'assigned') got USING (account)
    WHERE w.account LIKE 'wallets:m%' GROUP BY w.account";

/// What holds of everything that is stored: nothing is credited or paid twice, and nothing is missing.
pub async fn assert_stored(client: &Client, model: &Model) {
    for (meaning, sql) in ONCE {
        let found = lines(client, &format!("{sql} LIMIT 5")).await;
        assert!(found.is_empty(), "{meaning}: {found:#?}");
    }
    let received = lines(client, RECEIVED).await;
    assert_eq!(received.len(), WALLETS.len());
    for line in received {
        let spent = model.spent.get(&line["account"]).copied().unwrap_or_default();
        let has = wallet_ledger_tests::posted(client, &line["account"]).await;
        assert_eq!(sen(&line["amount"]) - spent, sen(&has), "{line:?} less {spent}");
    }
    for bank in &model.banks {
        let days = proof(client, bank).await;
        for day in &days {
            assert_eq!(&day["is_proved"], "t", "{}: {day:#?}", bank.account);
        }
    }
    let by_status = "SELECT status, count(*) FROM wallet_ledger.mutations GROUP BY status";
    let counts = lines(client, by_status).await;
    let sum: usize = counts.iter().map(|line| line["count"].parse::<usize>().expect("a count")).sum();
    assert_eq!(sum, model.mutations.len(), "as many mutations as movements that were taken in: {counts:?}");
    assert_bank_sound(client).await;
}

async fn proof(client: &Client, bank: &Bank) -> Vec<Line> {
    lines(client, &format!("SELECT * FROM wallet_ledger.bank_proof('{}')", bank.account)).await
}

/// Every intent, mutation, balance and day, to the last sen.
pub async fn assert_as_the_model(client: &Client, model: &Model) {
    model.assert_sums();
    intents(client, model).await;
    mutations(client, model).await;
    let sql = "SELECT account, posted FROM wallet_ledger.accounts WHERE currency = 'IDR'";
    let stored: BTreeMap<String, i64> = lines(client, sql)
        .await
        .iter()
        .map(|line| (line["account"].to_owned(), sen(&line["posted"])))
        .collect();
    for (account, must) in &model.balances {
        // It is made with the first intent whose code is the platform's.
        let has = stored.get(account).copied().unwrap_or_default();
        assert_eq!(text(has), text(*must), "{account}");
    }
    for bank in 0..model.banks.len() {
        days(client, model, bank).await;
    }
}

async fn intents(client: &Client, model: &Model) {
    let at = now();
    let sql = "SELECT id, status, total, paid_amount, mutation_id, expires_at, accepts_until, closed_at
               FROM wallet_ledger.intents ORDER BY id";
    let stored = lines(client, sql).await;
    assert_eq!(stored.len(), model.intents.len());
    for line in &stored {
        let intent = &model.intents[model.intent_ids[&line["id"]]];
        let life = intent.life(at);
        assert_eq!(&line["status"], life.name(), "{intent:?}");
        assert_eq!(sen(&line["total"]), intent.total, "{intent:?}");
        let by = intent.paid_by.map(|place| model.mutations[place].id.as_str());
        assert_eq!(line.get("mutation_id"), by, "{intent:?}");
        assert_eq!(line.get("paid_amount").map_or(0, sen), intent.paid, "{intent:?}");
        let times = ["expires_at", "accepts_until"].map(|name| super::model::micros(&line[name]));
        assert_eq!(times, [intent.expires, intent.accepts], "{intent:?}");
        assert_eq!(line.get("closed_at").is_some(), !life.is_live(), "{intent:?}");
        assert_eq!(life == Life::Paid, intent.paid_by.is_some(), "{intent:?}");
    }
}

async fn mutations(client: &Client, model: &Model) {
    let sql =
        "SELECT id, provider_mutation_id, status, amount, intent_id, account, original_id, reasons::text
               FROM wallet_ledger.mutations ORDER BY id";
    let stored: BTreeMap<String, Line> =
        lines(client, sql).await.into_iter().map(|line| (line["id"].to_owned(), line)).collect();
    assert_eq!(stored.len(), model.mutations.len());
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    for mutation in &model.mutations {
        let line = &stored[&mutation.id];
        let intent = mutation.intent.map(|place| model.intents[place].id.as_str());
        let original = mutation.original.map(|place| model.mutations[place].id.as_str());
        assert_eq!(&line["provider_mutation_id"], mutation.report.id, "{mutation:?}");
        assert_eq!(&line["status"], mutation.state.name(), "{mutation:?}");
        assert_eq!(sen(&line["amount"]), mutation.report.amount, "{mutation:?}");
        assert_eq!(line.get("intent_id"), intent, "{mutation:?}");
        assert_eq!(line.get("account"), mutation.account.as_deref(), "{mutation:?}");
        assert_eq!(line.get("original_id"), original, "{mutation:?}");
        assert_eq!(&line["reasons"], format!("{{{}}}", mutation.reasons.join(",")), "{mutation:?}");
        *counts.entry(mutation.state).or_default() += 1;
    }
    // Suspense, matched, ignored, and what people have made of them: together all mutations.
    let sum: usize = State::ALL.iter().filter_map(|state| counts.get(state)).sum();
    assert_eq!(sum, stored.len());
}

/// The proof of every day of a bank account is the model's: opening, sums, closing, and the books' balance.
async fn days(client: &Client, model: &Model, place: usize) {
    let bank = &model.banks[place];
    let mut sums: BTreeMap<i64, (i64, i64, usize)> = BTreeMap::new();
    for mutation in &model.mutations {
        if mutation.report.bank == place && mutation.state != State::Duplicate {
            let (credits, debits, count) = sums.entry(mutation.when.day).or_default();
            *if mutation.report.is_credit { credits } else { debits } += mutation.report.amount;
            *count += 1;
        }
    }
    let mut balance = bank.opening;
    for line in proof(client, bank).await {
        let day: chrono::NaiveDate = line["day"].parse().expect("a day");
        let day = day.signed_duration_since(chrono::NaiveDate::default()).num_days();
        let (credits, debits, count) = sums.remove(&day).unwrap_or_default();
        let must = [balance, credits, debits, balance + credits - debits, balance + credits - debits];
        let columns = ["opening_balance", "credit_total", "debit_total", "closing_balance", "ledger_balance"];
        assert_eq!(columns.map(|name| sen(&line[name])), must, "{}: {line:#?}", bank.account);
        assert_eq!(&line["mutation_count"], count.to_string(), "{}: {line:#?}", bank.account);
        assert_eq!(line.pick(["reported_balance", "is_proved"]), ["NULL", "t"], "{}", bank.account);
        balance += credits - debits;
    }
    assert!(sums.is_empty(), "{}: no proof of the days {sums:?}", bank.account);
    assert_eq!(balance, model.balance(bank.account), "{}", bank.account);
}
