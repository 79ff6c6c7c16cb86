//! Xendit: paid invoices and virtual accounts; payouts and everything else are passed by.

use super::BadBody;
use super::field::{description, id, in_rupiah, optional_id, required_amount, when};
use super::json::Json;
use crate::bank::rules::{BadLine, Ending, Fact, Item, Line, Notice};

/// One callback. An object that is neither an invoice nor a payment to a virtual account is no error:
/// Xendit calls the same address for many things.
pub fn line(root: &Json) -> Result<Line, BadBody> {
    if !root.is_object() {
        return Err(BadBody::shape("Xendit", "one JSON object"));
    }
    if let Some(event) = root.get("event") {
        let is_payout = event.literal().is_some_and(|event| event.starts_with("payout."));
        let data = root.get("data").unwrap_or(&Json::Null);
        return Ok(other(data, if is_payout { "payout" } else { "unknown_event" }));
    }
    let fact = match root.get("status").and_then(Json::literal) {
        Some("PAID" | "SETTLED") => Fact::Settled,
        Some("EXPIRED") => Fact::Ended(Ending::Expired),
        _ if is_paid_account(root) => return Ok(of(root, account_payment(root))),
        _ => return Ok(other(root, "unknown_event")),
    };
    Ok(of(root, invoice(root, fact)))
}

/// A virtual account's own creation and changes have neither of the two.
fn is_paid_account(root: &Json) -> bool {
    let paid = root.get("payment_id").is_some() || root.get("callback_virtual_account_id").is_some();
    paid && root.get("account_number").is_some()
}

fn invoice(root: &Json, fact: Fact) -> Result<Notice, BadLine> {
    in_rupiah(root.get("currency"))?;
    Ok(Notice {
        number: id(root, &["external_id"])?.to_owned(),
        payment_id: id(root, &["id"])?.to_owned(),
        amount: Some(required_amount(root, &["paid_amount", "amount"])?),
        facts: vec![fact],
        when: when(root, &["paid_at", "updated", "created"])?,
        description: description(root, &["payment_method", "payment_channel", "description"]),
    })
}

fn account_payment(root: &Json) -> Result<Notice, BadLine> {
    in_rupiah(root.get("currency"))?;
    Ok(Notice {
        number: id(root, &["external_id", "account_number"])?.to_owned(),
        payment_id: id(root, &["payment_id", "id"])?.to_owned(),
        amount: Some(required_amount(root, &["amount"])?),
        facts: vec![Fact::Settled],
        when: when(root, &["transaction_timestamp"])?,
        description: description(root, &["bank_code", "sender_name"]),
    })
}

fn of(root: &Json, notice: Result<Notice, BadLine>) -> Line {
    let id = || optional_id(root, &["payment_id", "id"]).ok().flatten();
    notice.map(Item::Payment).map_err(|refusal| refusal.of(id()))
}

fn other(object: &Json, reason: &'static str) -> Line {
    let id = optional_id(object, &["id"]).ok().flatten().map(str::to_owned);
    Ok(Item::Other { id, reason })
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, Provider, parse};
    use super::*;
    use crate::bank::rules::when::When;
    use rust_decimal::Decimal;
    use serde_json::{Value, json};

    fn read(body: &Value) -> Line {
        parse(Provider::Xendit, &Headers::default(), &body.to_string()).unwrap().remove(0)
    }

    fn changed(mut body: Value, changes: Value) -> Line {
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        read(&body)
    }

    fn invoice_body() -> Value {
        json!({
            "id": "inv-1", "external_id": "order-1", "user_id": "u", "status": "PAID", "merchant_name": "M",
            "amount": 50000, "paid_amount": 50123, "paid_at": "2026-11-21T03:00:00.000Z", "currency": "IDR",
            "payment_method": "BANK_TRANSFER", "payment_channel": "BCA", "description": "Invoice",
            "updated": "2026-11-21T04:00:00.000Z", "created": "2026-11-20T03:00:00.000Z",
        })
    }

    fn account_body() -> Value {
        json!({
            "id": "va-pay-1", "payment_id": "p-1", "callback_virtual_account_id": "va-1", "owner_id": "o",
            "external_id": "order-1", "account_number": "8808999939380502", "bank_code": "BNI", "amount": 99000,
            "transaction_timestamp": "2026-11-21T03:00:00.000Z", "merchant_code": "8808", "sender_name": "JOHN",
        })
    }

    #[test]
    fn invoices() {
        let expected = Notice {
            number: "order-1".into(),
            payment_id: "inv-1".into(),
            amount: Some(Decimal::from(50_123)),
            facts: vec![Fact::Settled],
            when: When::parse("2026-11-21T03:00:00Z").unwrap(),
            description: "BANK_TRANSFER BCA Invoice".into(),
        };
        assert_eq!(read(&invoice_body()), Ok(Item::Payment(expected.clone())));
        assert_eq!(
            changed(invoice_body(), json!({"status": "SETTLED"})),
            Ok(Item::Payment(expected.clone()))
        );
        let expired = Notice {
            amount: Some(Decimal::from(50_000)),
            facts: vec![Fact::Ended(Ending::Expired)],
            when: When::parse("2026-11-21T04:00:00Z").unwrap(),
            ..expected
        };
        let changes = json!({"status": "EXPIRED", "paid_amount": null, "paid_at": null});
        assert_eq!(changed(invoice_body(), changes), Ok(Item::Payment(expired)));
    }

    #[test]
    fn virtual_accounts() {
        let expected = Notice {
            number: "order-1".into(),
            payment_id: "p-1".into(),
            amount: Some(Decimal::from(99_000)),
            facts: vec![Fact::Settled],
            when: When::parse("2026-11-21T03:00:00Z").unwrap(),
            description: "BNI JOHN".into(),
        };
        assert_eq!(read(&account_body()), Ok(Item::Payment(expected.clone())));
        let other = Notice { number: "8808999939380502".into(), payment_id: "va-pay-1".into(), ..expected };
        let changes = json!({"payment_id": null, "external_id": null});
        assert_eq!(changed(account_body(), changes), Ok(Item::Payment(other)));
    }

    #[test]
    fn what_is_not_for_the_matching_is_passed_by() {
        let other = |id: Option<&str>, reason| Ok(Item::Other { id: id.map(str::to_owned), reason });
        for event in ["succeeded", "failed", "reversed", "anything"] {
            let body = json!({"event": format!("payout.{event}"), "data": {"id": "disb-1", "amount": 10000, "status": "PAID"}});
            assert_eq!(read(&body), other(Some("disb-1"), "payout"));
        }
        for (body, id) in [
            (json!({}), None),
            (json!({"event": "qr.payment", "data": {"id": "q-1"}}), Some("q-1")),
            (json!({"event": 5}), None),
            (json!({"event": "payment.succeeded", "status": "PAID"}), None),
            (
                json!({"id": "d-1", "external_id": "x", "amount": 1, "status": "COMPLETED", "bank_code": "BCA"}),
                Some("d-1"),
            ),
            (
                json!({"id": "va-1", "external_id": "x", "account_number": "1", "status": "ACTIVE", "name": "N"}),
                Some("va-1"),
            ),
            (json!({"id": "inv-1", "external_id": "x", "status": "PENDING", "amount": 1}), Some("inv-1")),
        ] {
            assert_eq!(read(&body), other(id, "unknown_event"), "{body}");
        }
        for body in ["[]", "[{}]", "\"a\""] {
            let refusal = parse(Provider::Xendit, &Headers::default(), body).unwrap_err();
            assert_eq!(refusal.reason, "unexpected_shape");
        }
    }

    #[test]
    fn bad_notices_have_their_reasons() {
        for (changes, reason) in [
            (json!({"external_id": null}), "missing_field"),
            (json!({"id": null}), "missing_field"),
            (json!({"paid_amount": 0}), "invalid_amount"),
            (json!({"paid_amount": "-1"}), "invalid_amount"),
            (json!({"paid_amount": null, "amount": null}), "missing_field"),
            (json!({"paid_at": "later"}), "invalid_date"),
            (json!({"paid_at": null, "updated": null, "created": null}), "missing_field"),
            (json!({"currency": "PHP"}), "unsupported_currency"),
            (json!({"currency": 5}), "unsupported_currency"),
        ] {
            let refusal = changed(invoice_body(), changes.clone()).unwrap_err();
            assert_eq!(refusal.reason, reason, "{changes}");
        }
        for (changes, reason) in [
            (json!({"amount": null}), "missing_field"),
            (json!({"transaction_timestamp": null}), "missing_field"),
            (json!({"amount": -5}), "invalid_amount"),
            (json!({"external_id": ["a"]}), "invalid_id"),
        ] {
            let refusal = changed(account_body(), changes.clone()).unwrap_err();
            assert_eq!((refusal.reason, refusal.id.as_deref()), (reason, Some("p-1")), "{changes}");
        }
    }
}
