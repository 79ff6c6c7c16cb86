//! The headers of a webhook, as the caller passes them on.

use crate::error::{Code, LedgerError, Result};
use serde_json::Value;
use std::fmt;

/// Headers by name, in whatever case they were sent. The method and the path of the request are told
/// as in HTTP/2, by `:method` and `:path`.
#[derive(Clone, Default, PartialEq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Reads a JSON object of strings. A list stands for a header that was sent repeatedly: the first one
    /// counts; numbers and booleans are taken as they are written, and `null` is a header that is absent.
    pub fn parse(value: &Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(invalid_shape("headers must be a JSON object"));
        };
        let mut headers = Vec::with_capacity(map.len());
        for (name, value) in map {
            let first = match value {
                Value::Array(values) => values.first().unwrap_or(&Value::Null),
                other => other,
            };
            let text = match first {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => first.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    let message =
                        "headers must be a JSON object whose values are strings or arrays of strings";
                    return Err(invalid_shape(message).with("header", name));
                }
            };
            headers.push((name.to_ascii_lowercase(), text));
        }
        Ok(Self(headers))
    }

    /// The value of a header without the blanks around it, which HTTP does not count as part of it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value.trim_matches([' ', '\t', '\r', '\n']))
    }
}

/// Names only: values are signatures and tokens, and must not reach a log by way of a message.
impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn invalid_shape(message: &str) -> LedgerError {
    LedgerError::new(Code::InvalidJson, message).with("argument", "headers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_have_no_case_and_values_no_blanks_around() {
        let headers = Headers::parse(&json!({
            "SIGNATURE": " abc\t", "X-Count": 5, "x-flag": true, "x-none": null, "x-list": ["first", "second"],
            "x-empty": [], ":path": "/a?b=c",
        }))
        .unwrap();
        for (name, value) in [
            ("signature", Some("abc")),
            ("Signature", Some("abc")),
            ("x-count", Some("5")),
            ("X-FLAG", Some("true")),
            ("x-none", None),
            ("X-List", Some("first")),
            ("x-empty", None),
            (":path", Some("/a?b=c")),
            ("other", None),
        ] {
            assert_eq!(headers.get(name), value, "{name}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for value in
            [json!(null), json!([]), json!("a: b"), json!(1), json!({"a": {}}), json!({"a": [["b"]]})]
        {
            let error = Headers::parse(&value).unwrap_err();
            assert_eq!(error.code, Code::InvalidJson, "{value}");
            assert_eq!(error.detail()["argument"], "headers");
        }
        assert!(Headers::parse(&json!({})).is_ok());
    }

    #[test]
    fn debug_output_keeps_the_values_to_itself() {
        let headers = Headers::parse(&json!({"X-Callback-Token": "hunter2"})).unwrap();
        assert_eq!(format!("{headers:?}"), "[\"x-callback-token\"]");
    }
}
