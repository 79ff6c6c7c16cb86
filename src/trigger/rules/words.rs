//! Arguments of a trigger that are written as name=value, in any order.

use super::column::Problem;

/// The arguments by their names.
pub struct Words<'a> {
    words: Vec<(&'a str, &'a str)>,
    /// All that there are, for messages.
    known: &'static str,
}

impl<'a> Words<'a> {
    /// `names` are those that there are; `known` writes them down for messages.
    pub fn of(arguments: &'a [String], names: &[&str], known: &'static str) -> Result<Self, Problem> {
        let mut words: Vec<(&str, &str)> = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let hint = format!("The arguments are: {known}.");
            let Some((name, value)) = argument.split_once('=') else {
                return Err(Problem::new(format!("'{argument}' is not of the form name=value"), hint));
            };
            if !names.contains(&name) {
                return Err(Problem::new(format!("there is no argument '{name}'"), hint));
            }
            if value.is_empty() {
                return Err(Problem::new(format!("the argument '{name}' is empty"), "Leave it out."));
            }
            if words.iter().any(|(other, _)| *other == name) {
                return Err(Problem::new(format!("'{name}' is named twice"), "Name each argument once."));
            }
            words.push((name, value));
        }
        Ok(Self { words, known })
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.words.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    pub fn need(&self, name: &str) -> Result<&'a str, Problem> {
        self.get(name).ok_or_else(|| {
            let hint = format!("The arguments are: {}.", self.known);
            Problem::new(format!("the argument '{name}' is missing"), hint)
        })
    }

    pub fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}
