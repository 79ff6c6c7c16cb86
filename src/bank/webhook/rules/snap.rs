//! SNAP BI: payments to virtual accounts, and the codes that the bank expects as an answer.

use super::field::{amount, description, first, id, in_rupiah, missing, optional_id, when};
use super::json::Json;
use super::{BadBody, Headers};
use crate::bank::rules::{BadLine, Fact, Item, Line, Notice, when::When};
use rust_decimal::Decimal;

/// What tells a payment from other JSON; any one of them will do.
const KEYS: [&str; 4] = ["virtualAccountNo", "customerNo", "partnerServiceId", "paymentRequestId"];

/// Which of the two requests of the bank it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Payment = 25,
    Notify = 34,
}

impl Service {
    /// The service that a path such as `/snap/v1.0/transfer-va/notify-payment-intrabank` belongs to.
    pub fn of_path(path: &str) -> Self {
        if path.contains("notify") { Service::Notify } else { Service::Payment }
    }
}

/// What became of a request, as far as the bank is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapCase {
    /// Also for the same request again.
    Success,
    BadRequest,
    Unauthorized,
    BillNotFound,
    WrongAmount,
    AlreadyPaid,
    /// The request id was used for other data.
    InconsistentRequest,
    Expired,
    /// The external id was used before on the same day.
    ExternalIdReused,
}

/// The answer's code: three digits of HTTP, two of the service, two of the case.
pub fn snap_code(service: Service, case: SnapCase) -> String {
    let (http, number) = match case {
        SnapCase::Success => (200, 0),
        SnapCase::BadRequest => (400, 0),
        SnapCase::Unauthorized => (401, 0),
        SnapCase::BillNotFound => (404, 12),
        SnapCase::WrongAmount => (404, 13),
        SnapCase::AlreadyPaid => (404, 14),
        SnapCase::InconsistentRequest => (404, 18),
        SnapCase::Expired => (404, 19),
        SnapCase::ExternalIdReused => (409, 0),
    };
    format!("{http}{}{number:02}", service as u8)
}

/// One payment.
pub fn line(root: &Json, headers: &Headers) -> Result<Line, BadBody> {
    if first(root, &KEYS).is_none() {
        return Err(BadBody::shape("a bank", "an object with virtualAccountNo and paymentRequestId"));
    }
    let payment_id = match id(root, &["paymentRequestId"]) {
        Ok(id) => id,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(notice(root, headers, payment_id).map(Item::Payment).map_err(|refusal| refusal.of(Some(payment_id))))
}

fn notice(root: &Json, headers: &Headers, payment_id: &str) -> Result<Notice, BadLine> {
    Ok(Notice {
        number: number(root)?,
        payment_id: payment_id.to_owned(),
        amount: paid_amount(root)?,
        facts: vec![Fact::Settled],
        when: time(root, headers)?,
        description: description(root, &["virtualAccountName", "trxId"]),
    })
}

/// The virtual account's number, digits only. The bank pads the part that is the partner's with blanks, so
/// numbers are compared without them; where it also sends the two parts, they must agree.
fn number(root: &Json) -> Result<String, BadLine> {
    let part = |name| -> Result<Option<String>, BadLine> {
        let text = optional_id(root, &[name])?;
        let plain = text.map(|text| text.chars().filter(|c| !c.is_whitespace()).collect::<String>());
        match plain {
            Some(plain) if !plain.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(BadLine::new("invalid_number", format!("{name} must have digits and blanks only")))
            }
            other => Ok(other),
        }
    };
    let whole = part("virtualAccountNo")?;
    let joined =
        part("partnerServiceId")?.zip(part("customerNo")?).map(|(partner, customer)| partner + &customer);
    match (whole, joined) {
        (Some(whole), Some(joined)) if whole != joined => Err(BadLine::new(
            "inconsistent_number",
            "virtualAccountNo is not partnerServiceId followed by customerNo",
        )),
        (Some(number), _) | (None, Some(number)) => Ok(number),
        (None, None) => Err(missing("virtualAccountNo")),
    }
}

/// The amount, in the first of the places where a bank may say it; it need not.
fn paid_amount(root: &Json) -> Result<Option<Decimal>, BadLine> {
    let info = root.get("additionalInfo").unwrap_or(&Json::Null);
    let places = [(info, "paymentAmount"), (root, "paidAmount"), (root, "totalAmount")];
    for (object, name) in places {
        let Some(value) = object.get(name) else { continue };
        if !value.is_object() {
            return amount(value, name).map(Some);
        }
        in_rupiah(value.get("currency"))?;
        let value = value.get("value").ok_or_else(|| missing(&format!("{name}.value")))?;
        return amount(value, name).map(Some);
    }
    Ok(None)
}

/// The bank's time of the payment; that of the request where it says none.
fn time(root: &Json, headers: &Headers) -> Result<When, BadLine> {
    if root.get("trxDateTime").is_some() {
        return when(root, &["trxDateTime"]);
    }
    let text = headers.get("x-timestamp").ok_or_else(|| missing("trxDateTime"))?;
    When::parse(text).ok_or_else(|| BadLine::new("invalid_date", "X-TIMESTAMP is not a date or a time"))
}

#[cfg(test)]
mod tests {
    use super::super::signature::vectors::S4;
    use super::super::{Provider, parse};
    use super::*;
    use serde_json::{Value, json};

    fn body() -> Value {
        serde_json::from_str(S4.body).unwrap()
    }

    fn read(changes: Value) -> Line {
        let mut body = body();
        for (key, value) in changes.as_object().unwrap() {
            body[key] = value.clone();
        }
        parse(Provider::SnapBri, &Headers::default(), &body.to_string()).unwrap().remove(0)
    }

    fn notice_of(changes: Value) -> Notice {
        match read(changes.clone()) {
            Ok(Item::Payment(notice)) => notice,
            other => panic!("{changes}: {other:?}"),
        }
    }

    #[test]
    fn a_notification_in_full() {
        let expected = Notice {
            number: "777770000000000123".into(),
            payment_id: "20260101000001".into(),
            amount: Some(Decimal::new(5_012_300, 2)),
            facts: vec![Fact::Settled],
            when: When::parse("2026-01-01T10:00:00+07:00").unwrap(),
            description: String::new(),
        };
        assert_eq!(notice_of(json!({})), expected);
        assert_eq!(notice_of(json!({"virtualAccountNo": null})), expected);
        assert_eq!(notice_of(json!({"virtualAccountNo": "777770000000000123"})), expected);
        assert_eq!(
            notice_of(json!({"customerNo": null, "virtualAccountNo": " 777770000000000123 "})),
            expected
        );
    }

    #[test]
    fn the_amount_is_where_the_bank_says_it() {
        let money = |value: &str| json!({"value": value, "currency": "IDR"});
        for (changes, expected) in [
            (
                json!({"additionalInfo": {"paymentAmount": money("1.50")}, "paidAmount": money("2.00")}),
                Some("1.50"),
            ),
            (
                json!({"additionalInfo": {}, "paidAmount": money("2.00"), "totalAmount": money("3.00")}),
                Some("2.00"),
            ),
            (json!({"additionalInfo": null, "totalAmount": money("3.00")}), Some("3.00")),
            (json!({"additionalInfo": {"paymentAmount": 50123}}), Some("50123")),
            (json!({"additionalInfo": {"paymentAmount": null}}), None),
            (json!({"additionalInfo": "x"}), None),
        ] {
            let amount = notice_of(changes.clone()).amount.map(|amount| amount.to_string());
            assert_eq!(amount.as_deref(), expected, "{changes}");
        }
    }

    #[test]
    fn the_time_may_be_the_requests() {
        let mut body = body();
        body["trxDateTime"] = Value::Null;
        let with = |headers: Value| {
            parse(Provider::SnapBri, &Headers::parse(&headers).unwrap(), &body.to_string()).unwrap().remove(0)
        };
        let Ok(Item::Payment(notice)) = with(json!({"X-TIMESTAMP": "2026-01-01T10:00:05+07:00"})) else {
            panic!()
        };
        assert_eq!(notice.when, When::parse("2026-01-01T03:00:05Z").unwrap());
        assert_eq!(with(json!({})).unwrap_err().reason, "missing_field");
        assert_eq!(with(json!({"X-TIMESTAMP": "soon"})).unwrap_err().reason, "invalid_date");
    }

    #[test]
    fn bad_notices_have_their_reasons() {
        for (changes, reason) in [
            (json!({"paymentRequestId": null}), "missing_field"),
            (json!({"customerNo": "0000000000124"}), "inconsistent_number"),
            (json!({"customerNo": null, "virtualAccountNo": null}), "missing_field"),
            (json!({"virtualAccountNo": "12a"}), "invalid_number"),
            (json!({"virtualAccountNo": "１２"}), "invalid_number"),
            (json!({"virtualAccountNo": "1".repeat(129)}), "too_long"),
            (json!({"trxDateTime": "2026-02-30T10:00:00+07:00"}), "invalid_date"),
            (json!({"trxDateTime": 5}), "invalid_date"),
            (json!({"additionalInfo": {"paymentAmount": "0.00"}}), "invalid_amount"),
            (json!({"additionalInfo": {"paymentAmount": []}}), "invalid_amount"),
            (json!({"additionalInfo": {"paymentAmount": {"currency": "IDR"}}}), "missing_field"),
            (
                json!({"additionalInfo": {"paymentAmount": {"value": "1.00", "currency": "USD"}}}),
                "unsupported_currency",
            ),
        ] {
            assert_eq!(read(changes.clone()).unwrap_err().reason, reason, "{changes}");
        }
        for body in ["[]", "{}", r#"{"originalReferenceNo":"1"}"#] {
            let refusal = parse(Provider::SnapBri, &Headers::default(), body).unwrap_err();
            assert_eq!(refusal.reason, "unexpected_shape", "{body}");
        }
    }

    #[test]
    fn codes_of_answers() {
        let notify = Service::of_path("/snap/v1.0/transfer-va/notify-payment-intrabank");
        let payment = Service::of_path("/snap/v1.0/transfer-va/payment");
        assert_eq!((notify, payment), (Service::Notify, Service::Payment));
        for (case, code) in [
            (SnapCase::Success, "2002500"),
            (SnapCase::BadRequest, "4002500"),
            (SnapCase::Unauthorized, "4012500"),
            (SnapCase::BillNotFound, "4042512"),
            (SnapCase::WrongAmount, "4042513"),
            (SnapCase::AlreadyPaid, "4042514"),
            (SnapCase::InconsistentRequest, "4042518"),
            (SnapCase::Expired, "4042519"),
            (SnapCase::ExternalIdReused, "4092500"),
        ] {
            assert_eq!(snap_code(payment, case), code);
        }
        assert_eq!(snap_code(notify, SnapCase::Success), "2003400");
    }
}
