//! The model of the states of accounts and of closed periods.

use crate::books::{Books, Cell, Expected, Row, State, fault, text};
use crate::item::day;

impl Books {
    /// freeze_account, unfreeze_account, close_account, reopen_account.
    pub fn change_state(&mut self, change: &str, name: &str) -> Expected {
        let account = match self.existing(name) {
            Ok(account) => account,
            Err(fault) => return Expected::Refused(fault),
        };
        let empty = account.posted.is_zero() && account.held.is_zero();
        let target = match (change, account.state) {
            ("freeze_account" | "unfreeze_account", State::Closed) => Err("account_closed"),
            ("close_account" | "reopen_account", State::Frozen) => Err("account_frozen"),
            ("close_account", State::Open) if !empty => Err("account_not_empty"),
            ("freeze_account", _) => Ok((State::Frozen, "frozen")),
            ("close_account", _) => Ok((State::Closed, "closed")),
            _ => Ok((State::Open, "open")),
        };
        match target {
            Err(token) => Expected::Refused(fault(token)),
            Ok((state, word)) => {
                self.accounts.get_mut(name).expect("it exists").state = state;
                let mut row = self.account_row(name);
                row.push(("state", text(word)));
                Expected::Rows(vec![row])
            }
        }
    }

    /// What the accounts view must show.
    pub fn account_row(&self, name: &str) -> Row {
        let account = &self.accounts[name];
        let mut row = vec![
            ("account", text(name)),
            ("posted", Cell::Number(account.posted)),
            ("held", Cell::Number(account.held)),
            ("available", Cell::Number(account.available())),
        ];
        if account.plain() {
            row.push(("version", text(account.version)));
        }
        row
    }

    pub fn close_period(&mut self, until: i64) -> Expected {
        match self.closed_until {
            Some(closed) if until < closed => Expected::Refused(fault("period_closed")),
            _ => {
                self.closed_until = Some(until);
                let until = text(day(until));
                Expected::Rows(vec![vec![("ledger", text("main")), ("closed_until", until)]])
            }
        }
    }
}
