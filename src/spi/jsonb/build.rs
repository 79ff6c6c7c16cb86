//! Making `jsonb` of what serde can serialize, in its binary form.

use crate::spi::numeric;
use pgrx::pg_sys::{self, JsonbIteratorToken as Token, JsonbParseState, JsonbValue, jbvType as Type};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Number, Value};
use std::ffi::CString;
use std::ptr::null_mut;

/// A jsonb value, made in the current memory context.
///
/// # Panics
/// On text with a NUL, which PostgreSQL does not store, and on what has no form in JSON.
pub fn build(value: &(impl Serialize + ?Sized)) -> pg_sys::Datum {
    build_value(&serde_json::to_value(value).expect("the value can be told in JSON"))
}

/// The same of what is JSON already: nothing is copied.
///
/// # Panics
/// On text with a NUL.
pub fn build_value(value: &Value) -> pg_sys::Datum {
    let mut plain = scalar(value);
    let root = match &mut plain {
        Some(plain) => plain,
        None => push(&mut null_mut(), Token::WJB_ELEM, value),
    };
    // SAFETY: a scalar, or a container that was pushed whole; the texts that it points to are still in `value`.
    pg_sys::Datum::from(unsafe { pg_sys::JsonbValueToJsonb(root) })
}

/// Pushes a value into what is being built; returns what that has finished. `token` says what the value is to the
/// container around it.
fn push(state: &mut *mut JsonbParseState, token: Token::Type, value: &Value) -> *mut JsonbValue {
    match value {
        Value::Array(elements) => {
            mark(state, Token::WJB_BEGIN_ARRAY);
            for element in elements {
                push(state, Token::WJB_ELEM, element);
            }
            mark(state, Token::WJB_END_ARRAY)
        }
        Value::Object(fields) => {
            mark(state, Token::WJB_BEGIN_OBJECT);
            for (key, field) in fields {
                push_scalar(state, Token::WJB_KEY, text(key));
                push(state, Token::WJB_VALUE, field);
            }
            mark(state, Token::WJB_END_OBJECT)
        }
        _ => scalar(value).map_or(null_mut(), |value| push_scalar(state, token, value)),
    }
}

fn mark(state: &mut *mut JsonbParseState, token: Token::Type) -> *mut JsonbValue {
    // SAFETY: PostgreSQL's own builder; the beginning and the end of a container have no value.
    unsafe { pg_sys::pushJsonbValue(state, token, null_mut()) }
}

fn push_scalar(
    state: &mut *mut JsonbParseState,
    token: Token::Type,
    mut value: JsonbValue,
) -> *mut JsonbValue {
    // SAFETY: as above; the value is copied, and what it points to outlives the builder.
    unsafe { pg_sys::pushJsonbValue(state, token, &raw mut value) }
}

/// A value that contains no others; `None` for those that do.
fn scalar(value: &Value) -> Option<JsonbValue> {
    let mut told = JsonbValue::default();
    match value {
        Value::Null => told.type_ = Type::jbvNull,
        Value::Bool(value) => {
            told.type_ = Type::jbvBool;
            told.val.boolean = *value;
        }
        Value::Number(number) => {
            told.type_ = Type::jbvNumeric;
            told.val.numeric = numeric(number).cast_mut_ptr();
        }
        Value::String(value) => told = text(value),
        Value::Array(_) | Value::Object(_) => return None,
    }
    Some(told)
}

fn text(text: &str) -> JsonbValue {
    assert!(!text.contains('\0'), "a text of JSON has no NUL");
    let mut told = JsonbValue { type_: Type::jbvString, ..JsonbValue::default() };
    told.val.string.len = i32::try_from(text.len()).expect("a text of JSON has less than two gigabytes");
    told.val.string.val = text.as_ptr().cast_mut().cast();
    told
}

/// The very number, with the digits that JSON would show.
fn numeric(number: &Number) -> pg_sys::Datum {
    let whole = number.as_i64().map(Decimal::from).or_else(|| number.as_u64().map(Decimal::from));
    if let Some(whole) = whole {
        return numeric::to_datum(whole);
    }
    let text = CString::new(number.to_string()).expect("digits have no NUL");
    let arguments = [
        Some(pg_sys::Datum::from(text.as_ptr())),
        Some(pg_sys::Datum::from(pg_sys::InvalidOid)),
        Some(pg_sys::Datum::from(-1_i32)),
    ];
    // SAFETY: the arguments of a type's input function; the text lives through the call.
    let number = unsafe { pgrx::direct_function_call_as_datum(pg_sys::numeric_in, &arguments) };
    number.expect("an input function returns a value")
}
