//! Midtrans: the states of payments.

use super::field::{amount, description, first, id, in_rupiah, missing, optional_id, required_amount, when};
use super::json::Json;
use super::{BadBody, Headers};
use crate::bank::rules::{BadLine, Cause, Ending, Fact, Item, Line, Notice};

/// One notification. What has the signature of a payout (Iris) is never read as a payment.
pub fn line(root: &Json, headers: &Headers) -> Result<Line, BadBody> {
    if !root.is_object() {
        return Err(BadBody::shape("Midtrans", "one JSON object"));
    }
    let is_payment = first(root, &["order_id", "transaction_status"]).is_some();
    let is_payout = root.get("reference_no").is_some() && root.get("status").is_some();
    if headers.get("iris-signature").is_some() || (is_payout && !is_payment) {
        let id = optional_id(root, &["reference_no"]);
        return Ok(id.map(|id| Item::Other { id: id.map(str::to_owned), reason: "payout" }));
    }
    if !is_payment {
        return Err(BadBody::shape("Midtrans", "an object with order_id and transaction_status"));
    }
    let payment_id = match id(root, &["transaction_id", "order_id"]) {
        Ok(id) => id,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(notice(root, payment_id).map(Item::Payment).map_err(|refusal| refusal.of(Some(payment_id))))
}

fn notice(root: &Json, payment_id: &str) -> Result<Notice, BadLine> {
    let number = id(root, &["order_id"])?;
    in_rupiah(root.get("currency"))?;
    Ok(Notice {
        number: number.to_owned(),
        payment_id: payment_id.to_owned(),
        amount: Some(required_amount(root, &["gross_amount"])?),
        facts: facts(root)?,
        when: when(root, &["settlement_time", "transaction_time"])?,
        description: description(root, &["payment_type", "status_message"]),
    })
}

fn facts(root: &Json) -> Result<Vec<Fact>, BadLine> {
    let status = root.get("transaction_status").ok_or_else(|| missing("transaction_status"))?;
    let one = |fact| Ok(vec![fact]);
    match status.literal().unwrap_or_default() {
        "pending" | "authorize" => one(Fact::Pending),
        "settlement" | "capture" => one(paid(root)?),
        "deny" => one(Fact::Ended(Ending::Denied)),
        "cancel" => one(Fact::Ended(Ending::Cancelled)),
        "expire" => one(Fact::Ended(Ending::Expired)),
        "failure" => one(Fact::Ended(Ending::Failed)),
        "refund" => reversals(root, Cause::Refund, true),
        "partial_refund" => reversals(root, Cause::Refund, false),
        "chargeback" => reversals(root, Cause::Chargeback, true),
        "partial_chargeback" => reversals(root, Cause::Chargeback, false),
        _ => Err(BadLine::new("unknown_status", "transaction_status is not a known state")),
    }
}

/// A settlement or a capture is money only where the check against fraud lets it pass and the status code,
/// which unlike the status is signed, says success.
fn paid(root: &Json) -> Result<Fact, BadLine> {
    match root.get("fraud_status").map(|status| status.literal().unwrap_or_default()) {
        None | Some("accept") => {}
        Some("challenge") => return Ok(Fact::Challenged),
        Some("deny") => return Ok(Fact::Ended(Ending::Denied)),
        Some(_) => return Err(BadLine::new("unknown_status", "fraud_status is not a known state")),
    }
    let code = root.get("status_code").ok_or_else(|| missing("status_code"))?;
    if code.literal() == Some("200") {
        return Ok(Fact::Settled);
    }
    Err(BadLine::new("inconsistent_status", "transaction_status says paid, but status_code is not 200"))
}

/// What went back: each refund on its own where they are listed, else the sum so far, else all of it.
fn reversals(root: &Json, cause: Cause, whole: bool) -> Result<Vec<Fact>, BadLine> {
    let listed = match root.get("refunds") {
        None => &[],
        Some(Json::Array(refunds)) => refunds.as_slice(),
        Some(_) => return Err(BadLine::new("invalid_field", "refunds must be an array")),
    };
    if !listed.is_empty() {
        return listed.iter().map(|refund| listed_reversal(refund, cause)).collect();
    }
    let sum = match first(root, &["refund_amount", "refund_chargeback_amount"]) {
        Some(value) => Some(amount(value, "refund_amount")?),
        None if whole => None,
        None => return Err(missing("refund_amount")),
    };
    Ok(vec![Fact::Reversed { cause, id: None, amount: sum }])
}

fn listed_reversal(refund: &Json, cause: Cause) -> Result<Fact, BadLine> {
    let id = id(refund, &["refund_chargeback_id", "refund_key"])?.to_owned();
    let amount = required_amount(refund, &["refund_amount"])?;
    Ok(Fact::Reversed { cause, id: Some(id), amount: Some(amount) })
}

#[cfg(test)]
mod tests {
    use super::super::{Provider, parse};
    use super::*;
    use crate::bank::rules::when::When;
    use rust_decimal::Decimal;
    use serde_json::{Value, json};

    fn read(changes: Value) -> Line {
        let mut body = json!({
            "transaction_time": "2026-11-21 10:00:00", "transaction_status": "settlement", "transaction_id": "t-1",
            "status_message": "midtrans payment notification", "status_code": "200", "payment_type": "bank_transfer",
            "order_id": "order-1", "gross_amount": "100000.00", "currency": "IDR", "signature_key": "00",
        });
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        parse(Provider::Midtrans, &Headers::default(), &body.to_string()).unwrap().remove(0)
    }

    fn facts_of(changes: Value) -> Vec<Fact> {
        match read(changes.clone()) {
            Ok(Item::Payment(notice)) => notice.facts,
            other => panic!("{changes}: {other:?}"),
        }
    }

    #[test]
    fn a_settlement_in_full() {
        let expected = Notice {
            number: "order-1".into(),
            payment_id: "t-1".into(),
            amount: Some(Decimal::new(10_000_000, 2)),
            facts: vec![Fact::Settled],
            when: When::parse("2026-11-21 11:00:00").unwrap(),
            description: "bank_transfer midtrans payment notification".into(),
        };
        assert_eq!(read(json!({"settlement_time": "2026-11-21 11:00:00"})), Ok(Item::Payment(expected)));
        let Ok(Item::Payment(bare)) = read(json!({"transaction_id": null})) else { panic!() };
        assert_eq!(
            (bare.payment_id.as_str(), bare.when),
            ("order-1", When::parse("2026-11-21 10:00:00").unwrap())
        );
    }

    #[test]
    fn every_status_has_its_fact() {
        for (status, fact) in [
            ("settlement", Fact::Settled),
            ("capture", Fact::Settled),
            ("pending", Fact::Pending),
            ("authorize", Fact::Pending),
            ("deny", Fact::Ended(Ending::Denied)),
            ("cancel", Fact::Ended(Ending::Cancelled)),
            ("expire", Fact::Ended(Ending::Expired)),
            ("failure", Fact::Ended(Ending::Failed)),
            ("refund", Fact::Reversed { cause: Cause::Refund, id: None, amount: None }),
            ("chargeback", Fact::Reversed { cause: Cause::Chargeback, id: None, amount: None }),
        ] {
            assert_eq!(facts_of(json!({"transaction_status": status})), vec![fact], "{status}");
        }
        for status in ["capture", "settlement"] {
            let with = |fraud: &str, code: &str| {
                read(json!({"transaction_status": status, "fraud_status": fraud, "status_code": code}))
            };
            let fact = |line: Line| match line {
                Ok(Item::Payment(notice)) => notice.facts,
                other => panic!("{other:?}"),
            };
            assert_eq!(fact(with("accept", "200")), vec![Fact::Settled]);
            assert_eq!(fact(with("challenge", "201")), vec![Fact::Challenged]);
            assert_eq!(fact(with("deny", "202")), vec![Fact::Ended(Ending::Denied)]);
            assert_eq!(with("accept", "201").unwrap_err().reason, "inconsistent_status");
            assert_eq!(with("perhaps", "200").unwrap_err().reason, "unknown_status");
        }
    }

    #[test]
    fn refunds_by_id_or_as_a_sum() {
        let back = |cause, id: Option<&str>, rupiah: i64| Fact::Reversed {
            cause,
            id: id.map(str::to_owned),
            amount: Some(Decimal::new(rupiah * 100, 2)),
        };
        let refunds = json!([
            {"refund_chargeback_id": 1, "refund_amount": "5000.00", "refund_key": "k1"},
            {"refund_key": "k2", "refund_amount": "2500.00"},
        ]);
        assert_eq!(
            facts_of(
                json!({"transaction_status": "partial_refund", "refund_amount": "7500.00", "refunds": refunds})
            ),
            vec![back(Cause::Refund, Some("1"), 5_000), back(Cause::Refund, Some("k2"), 2_500)]
        );
        for refunds in [json!(null), json!([])] {
            let changes = json!({"transaction_status": "partial_chargeback", "refund_amount": "7500.00", "refunds": refunds});
            assert_eq!(facts_of(changes), vec![back(Cause::Chargeback, None, 7_500)]);
        }
        for (changes, reason) in [
            (json!({"transaction_status": "partial_refund"}), "missing_field"),
            (json!({"transaction_status": "refund", "refund_amount": "0.00"}), "invalid_amount"),
            (json!({"transaction_status": "refund", "refunds": {}}), "invalid_field"),
            (
                json!({"transaction_status": "refund", "refunds": [{"refund_amount": "1.00"}]}),
                "missing_field",
            ),
            (json!({"transaction_status": "refund", "refunds": [{"refund_key": "k"}]}), "missing_field"),
            (json!({"transaction_status": "refund", "refunds": [1]}), "missing_field"),
        ] {
            assert_eq!(read(changes.clone()).unwrap_err().reason, reason, "{changes}");
        }
    }

    #[test]
    fn bad_notices_have_their_reasons() {
        for (changes, reason) in [
            (json!({"transaction_status": "paid"}), "unknown_status"),
            (json!({"transaction_status": null}), "missing_field"),
            (json!({"transaction_status": 5}), "unknown_status"),
            (json!({"order_id": null}), "missing_field"),
            (json!({"order_id": {}}), "invalid_id"),
            (json!({"gross_amount": null}), "missing_field"),
            (json!({"gross_amount": "-1.00"}), "invalid_amount"),
            (json!({"gross_amount": "1e3"}), "invalid_amount"),
            (json!({"transaction_time": null}), "missing_field"),
            (json!({"transaction_time": "2026-02-30"}), "invalid_date"),
            (json!({"status_code": null}), "missing_field"),
            (json!({"status_code": "407"}), "inconsistent_status"),
            (json!({"currency": "USD"}), "unsupported_currency"),
            (json!({"transaction_id": "x".repeat(129)}), "too_long"),
        ] {
            assert_eq!(read(changes.clone()).unwrap_err().reason, reason, "{changes}");
        }
    }

    #[test]
    fn payouts_and_strange_shapes() {
        let read = |headers: &Headers, body: &str| parse(Provider::Midtrans, headers, body);
        let payout = r#"{"reference_no":"r-1","amount":"20000.00","status":"completed","updated_at":"2026-11-21 10:00:00"}"#;
        let other =
            |id: Option<&str>| Ok(vec![Ok(Item::Other { id: id.map(str::to_owned), reason: "payout" })]);
        assert_eq!(read(&Headers::default(), payout), other(Some("r-1")));
        let iris = Headers::parse(&json!({"Iris-Signature": "00"})).unwrap();
        assert_eq!(read(&iris, r#"{"order_id":"order-1","transaction_status":"settlement"}"#), other(None));
        for body in ["[]", "{}", "5", r#"{"status":"completed"}"#, r#"[{"order_id":"a"}]"#] {
            assert_eq!(read(&Headers::default(), body).unwrap_err().reason, "unexpected_shape", "{body}");
        }
    }
}
