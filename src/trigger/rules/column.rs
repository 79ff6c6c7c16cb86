//! Columns of an application's table, as far as triggers care.

/// Something about a trigger that does not work, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub text: String,
    pub hint: String,
    /// The column that it is about.
    pub column: Option<String>,
}

impl Problem {
    pub fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into(), column: None }
    }
}

/// What a column can hold, as far as the trigger cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Integer,
    Numeric,
    Float,
    Text,
    /// Text that is filled up with blanks.
    Padded,
    Boolean,
    Enum,
    Json,
    Jsonb,
    /// A timestamp with time zone.
    Moment,
    Other,
}

/// A column of the application's table. A domain counts as its base type.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub type_name: String,
    pub holds: Holds,
}

impl Column {
    /// Whether it can hold an amount: text counts, since the value decides.
    pub fn can_be_amount(&self) -> bool {
        use Holds::{Boolean, Enum, Json, Jsonb, Moment, Other};
        !matches!(self.holds, Boolean | Enum | Json | Jsonb | Moment | Other)
    }
}

/// Where a column stands in the table; `role` is what the trigger wants it for.
pub fn find(columns: &[Column], name: &str, role: &str) -> Result<usize, Problem> {
    columns
        .iter()
        .position(|column| column.name == name)
        .ok_or_else(|| unknown_column(name, role, columns.iter().map(|column| column.name.as_str())))
}

/// The same for several; the problems go to `problems`.
pub fn find_all<'a>(
    columns: &[Column],
    wanted: impl Iterator<Item = (&'a str, &'a str)>,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let mut found = Vec::new();
    for (name, role) in wanted {
        match find(columns, name, role) {
            Ok(place) => found.push(place),
            Err(problem) => problems.push(problem),
        }
    }
    found
}

/// The problem that an amount's column holds something else.
pub fn no_number(column: &Column) -> Problem {
    Problem {
        column: Some(column.name.clone()),
        ..Problem::new(
            format!(
                "the amount column \"{}\" is of type {}, which is no number",
                column.name, column.type_name
            ),
            "Use a numeric or integer column.",
        )
    }
}

/// The problem that a table lacks a column.
pub fn unknown_column<'a>(name: &str, role: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let known: Vec<&str> = known.collect();
    Problem {
        column: Some(name.to_owned()),
        ..Problem::new(
            format!("the table has no column \"{name}\" ({role})"),
            format!("Its columns are: {}.", known.join(", ")),
        )
    }
}

/// A status value as the column shows it: `true` is shown as `t`, and a label must exist.
pub fn shown(value: &str, column: &Column, is_label: impl Fn(&str) -> bool) -> Result<String, Problem> {
    let refuse = |hint: &str| {
        Err(Problem {
            column: Some(column.name.clone()),
            ..Problem::new(
                format!(
                    "'{value}' is not a value of column \"{}\" of type {}",
                    column.name, column.type_name
                ),
                hint,
            )
        })
    };
    match column.holds {
        Holds::Enum if !is_label(value) => refuse("Use one of the enum's labels; they are case-sensitive."),
        Holds::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "on" | "1" => Ok("t".to_owned()),
            "false" | "f" | "no" | "off" | "0" => Ok("f".to_owned()),
            _ => refuse("Use true or false."),
        },
        Holds::Integer => match value.parse::<i64>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => refuse("Use a whole number."),
        },
        Holds::Padded => Ok(value.trim_end_matches(' ').to_owned()),
        _ => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, holds: Holds) -> Column {
        Column { name: name.to_owned(), type_name: "some_type".to_owned(), holds }
    }

    #[test]
    fn status_values_are_those_the_column_shows() {
        let no_label = |_: &str| false;
        assert_eq!(shown("true", &column("paid", Holds::Boolean), no_label).unwrap(), "t");
        assert_eq!(shown("02", &column("state", Holds::Integer), no_label).unwrap(), "2");
        assert_eq!(shown("paid", &column("status", Holds::Text), no_label).unwrap(), "paid");
        assert!(shown("Paid", &column("status", Holds::Enum), |label| label == "paid").is_err());
        assert!(shown("paid", &column("paid", Holds::Boolean), no_label).is_err());
    }

    #[test]
    fn what_is_missing_is_named_and_the_rest_is_found() {
        let columns = [column("a", Holds::Text), column("b", Holds::Json)];
        let mut problems = Vec::new();
        let wanted = [("b", "one"), ("c", "two"), ("a", "three")];
        assert_eq!(find_all(&columns, wanted.into_iter(), &mut problems), [1, 0]);
        assert_eq!((problems.len(), problems[0].column.as_deref()), (1, Some("c")));
        assert!(problems[0].text.contains("(two)") && problems[0].hint.contains("a, b"));
        assert!(columns[0].can_be_amount() && !columns[1].can_be_amount());
    }
}
