//! Moota: the statement lines of bank accounts.

use super::field::{amount, balance, description, first, id, missing, optional_id, when};
use super::json::Json;
use super::{BadBody, LINES_MAX};
use crate::bank::rules::{BadLine, Direction, ID_BYTES_MAX, Item, Line, Movement, digits};

/// What tells a movement from other JSON; any one of them will do, for what is missing can then be named.
const KEYS: [&str; 6] = ["mutation_id", "id", "amount", "type", "date", "bank_id"];

/// A list of movements, the same within `{"mutations": …}`, or one movement alone.
pub fn lines(root: &Json) -> Result<Vec<Line>, BadBody> {
    let refusal = || BadBody::shape("Moota", "an array of mutations, {\"mutations\": [...]} or one mutation");
    let movements = match (root, root.get("mutations")) {
        (Json::Array(movements), _) | (_, Some(Json::Array(movements))) => movements.as_slice(),
        (Json::Object(_), None) if first(root, &KEYS).is_some() => std::slice::from_ref(root),
        _ => return Err(refusal()),
    };
    if movements.len() > LINES_MAX {
        let message = format!("the body has {} lines, at most {LINES_MAX} are read", movements.len());
        return Err(BadBody::new("too_many_lines", message));
    }
    Ok(movements.iter().map(line).collect())
}

fn line(object: &Json) -> Line {
    if !object.is_object() {
        return Err(BadLine::new("not_an_object", "a mutation must be a JSON object"));
    }
    let id = id(object, &["mutation_id", "id"])?;
    movement(object, id).map(Item::Movement).map_err(|refusal| refusal.of(Some(id)))
}

fn movement(object: &Json, id: &str) -> Result<Movement, BadLine> {
    let direction = direction(object.get("type").ok_or_else(|| missing("type"))?)?;
    let amount = amount(object.get("amount").ok_or_else(|| missing("amount"))?, "amount")?;
    let bank = object.get("bank").unwrap_or(&Json::Null);
    let bank_id = optional_id(object, &["bank_id"])?.or(optional_id(bank, &["bank_id"])?);
    Ok(Movement {
        bank_id: bank_id.map(str::to_owned),
        account_number: account_number(object)?.or(account_number(bank)?),
        id: id.to_owned(),
        direction,
        amount,
        balance: balance(object.get("balance")),
        when: when(object, &["date"])?,
        description: description(object, &["description", "note"]),
    })
}

fn direction(value: &Json) -> Result<Direction, BadLine> {
    let is = |names: [&str; 2]| match value {
        Json::Text(text) => names.iter().any(|name| text.trim().eq_ignore_ascii_case(name)),
        _ => false,
    };
    match (is(["CR", "credit"]), is(["DB", "debit"])) {
        (true, _) => Ok(Direction::Credit),
        (_, true) => Ok(Direction::Debit),
        _ => Err(BadLine::new("invalid_direction", "type must be CR or DB")),
    }
}

/// The digits of `account_number`, which some banks write with blanks or hyphens and some as a number.
fn account_number(object: &Json) -> Result<Option<String>, BadLine> {
    let number = match object.get("account_number") {
        Some(Json::Text(text)) => digits(text),
        Some(Json::Number(literal)) if literal.bytes().all(|byte| byte.is_ascii_digit()) => {
            (*literal).to_owned()
        }
        _ => String::new(),
    };
    if number.len() > ID_BYTES_MAX {
        return Err(BadLine::new("too_long", format!("account_number has more than {ID_BYTES_MAX} digits")));
    }
    Ok(Some(number).filter(|number| !number.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, Provider, parse};
    use super::*;
    use crate::bank::rules::when::When;
    use rust_decimal::Decimal;

    const OLDER: &str = r#"{"id":"a1","bank_id":"VLagzqBj42D","account_number":"123-456 789","bank_type":"bca",
        "date":"2026-11-21 10:25:16","amount":"100123","description":"TRSF E-BANKING 💸","type":"CR","balance":5}"#;

    fn read(body: &str) -> Vec<Line> {
        parse(Provider::Moota, &Headers::default(), body).unwrap()
    }

    fn movement_of(body: &str) -> Movement {
        match read(body).remove(0) {
            Ok(Item::Movement(movement)) => movement,
            other => panic!("{other:?}"),
        }
    }

    fn refusal_of(body: &str) -> BadLine {
        read(body).remove(0).unwrap_err()
    }

    #[test]
    fn the_published_bodies() {
        let moota = movement_of(super::super::signature::vectors::M1.body);
        assert_eq!(
            moota,
            Movement {
                bank_id: Some("VLagzqBj42D".into()),
                account_number: Some("235264741".into()),
                id: "aolk4PekJxM".into(),
                direction: Direction::Credit,
                amount: Decimal::from(100_123),
                balance: Some(Decimal::ZERO),
                when: When::parse("2021-10-05 10:25:16").unwrap(),
                description: "buy other food".into(),
            }
        );
        let moota = movement_of(super::super::signature::vectors::M3.body);
        assert_eq!(moota.account_number.as_deref(), Some("4966821"));
        assert_eq!((moota.id.as_str(), moota.amount), ("6192242", Decimal::from(10_000)));
    }

    #[test]
    fn an_array_a_wrapped_array_and_one_object_are_the_same() {
        let one = movement_of(OLDER);
        assert_eq!((one.id.as_str(), one.account_number.as_deref()), ("a1", Some("123456789")));
        assert_eq!(one.description, "TRSF E-BANKING 💸");
        assert_eq!(movement_of(&format!("[{OLDER}]")), one);
        assert_eq!(movement_of(&format!("{{\"mutations\":[{OLDER}]}}")), one);
        for body in ["[]", "{\"mutations\":[]}"] {
            assert_eq!(read(body), vec![]);
        }
        for body in ["{}", "{\"mutations\":{}}", "{\"mutations\":\"a\"}", "{\"hello\":1}", "5"] {
            let refusal = parse(Provider::Moota, &Headers::default(), body).unwrap_err();
            assert_eq!(refusal.reason, "unexpected_shape", "{body}");
        }
    }

    #[test]
    fn fields_in_their_other_forms() {
        let change = |from: &str, to: &str| {
            assert!(OLDER.contains(from), "{from}");
            movement_of(&OLDER.replacen(from, to, 1))
        };
        for (form, direction) in [
            ("cr", Direction::Credit),
            ("Credit", Direction::Credit),
            ("DB", Direction::Debit),
            ("db", Direction::Debit),
            ("DEBIT", Direction::Debit),
        ] {
            assert_eq!(change("\"CR\"", &format!("\"{form}\"")).direction, direction);
        }
        assert_eq!(change("\"100123\"", "12111.00").amount.to_string(), "12111.00");
        assert_eq!(change("\"100123\"", "0.001").amount.to_string(), "0.001");
        assert_eq!(change("\"id\":\"a1\"", "\"id\":\"a1\",\"mutation_id\":7").id, "7");
        assert_eq!(change("\"id\":\"a1\"", "\"id\":\"a1\",\"mutation_id\":null,\"token\":\"t\"").id, "a1");
        assert_eq!(change("\"123-456 789\"", "null").account_number, None);
        assert_eq!(
            change("\"account_number\"", "\"bank\":{\"account_number\":\"55\"},\"x\"")
                .account_number
                .unwrap(),
            "55"
        );
        assert_eq!(change("\"bank_id\"", "\"bank\":{\"bank_id\":\"B\"},\"x\"").bank_id.unwrap(), "B");
        assert!(change("10:25:16", "00:00:00").when.from < change("10:25:16", "00:00:00").when.until);
        assert_eq!(
            change("\"description\"", "\"note\":\"a\\nb\",\"description\"").description,
            "TRSF E-BANKING 💸 a b"
        );
        assert_eq!(change("\"description\"", "\"x\"").description, "");
        assert_eq!(
            change("\"balance\":5", "\"balance\":3799460.89").balance.unwrap().to_string(),
            "3799460.89"
        );
        assert_eq!(change("\"balance\":5", "\"balance\":\"?\"").balance, None);
    }

    #[test]
    fn bad_lines_have_their_reasons_and_lose_no_other() {
        for (from, to, reason) in [
            ("\"id\"", "\"x\"", "missing_field"),
            ("\"amount\"", "\"x\"", "missing_field"),
            ("\"type\"", "\"x\"", "missing_field"),
            ("\"date\"", "\"x\"", "missing_field"),
            ("\"100123\"", "0", "invalid_amount"),
            ("\"100123\"", "-5", "invalid_amount"),
            ("\"100123\"", "1e400", "invalid_amount"),
            ("\"100123\"", "\"1e3\"", "invalid_amount"),
            ("\"100123\"", "[]", "invalid_amount"),
            ("\"100123\"", "null", "missing_field"),
            ("\"CR\"", "\"XX\"", "invalid_direction"),
            ("\"CR\"", "1", "invalid_direction"),
            ("2026-11-21", "2026-02-30", "invalid_date"),
            ("\"2026-11-21 10:25:16\"", "20261121", "invalid_date"),
            ("\"a1\"", "\"\"", "missing_field"),
            ("\"a1\"", "{}", "invalid_id"),
            ("\"VLagzqBj42D\"", "[]", "invalid_id"),
        ] {
            assert!(OLDER.contains(from), "{from}");
            let body = format!("[{OLDER},{},{OLDER}]", OLDER.replacen(from, to, 1));
            let lines = read(&body);
            assert!(lines.len() == 3 && lines[0].is_ok() && lines[2].is_ok());
            let refusal = lines[1].clone().unwrap_err();
            assert_eq!(refusal.reason, reason, "{to}");
            let keeps_id = !matches!(from, "\"id\"" | "\"a1\"");
            assert_eq!(refusal.id.is_some(), keeps_id, "{to}");
        }
        for line in ["1", "null", "[]", "\"a\""] {
            assert_eq!(refusal_of(&format!("[{line}]")).reason, "not_an_object");
        }
        assert_eq!(refusal_of(&OLDER.replace("a1", &"a".repeat(129))).reason, "too_long");
        assert_eq!(refusal_of(&OLDER.replace("123-456 789", &"1".repeat(129))).reason, "too_long");
        assert_eq!(movement_of(&OLDER.replace("a1", &"a".repeat(128))).id.len(), 128);
    }

    #[test]
    fn ten_thousand_lines_are_read_and_one_more_is_refused() {
        let body = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(read(&body(LINES_MAX)).len(), LINES_MAX);
        let refusal = parse(Provider::Moota, &Headers::default(), &body(LINES_MAX + 1)).unwrap_err();
        assert_eq!(refusal.reason, "too_many_lines");
    }
}
