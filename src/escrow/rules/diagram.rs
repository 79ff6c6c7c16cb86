//! The state machine as `docs/escrow.md` shows it, printed from the table.
//!
//! `WL_WRITE_DOCS=1 scripts/test.sh --test rules escrow::rules::diagram` writes the page anew.

use super::{Action, MOVES, Move, State};
use std::fmt::Write;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/escrow.md");
const BEGIN: &str = "<!-- escrow states: begin -->\n";
const END: &str = "<!-- escrow states: end -->";

/// Where an action that moves money can lead once nothing is held any more.
fn ends(state: State, action: Action) -> &'static [State] {
    match (state, action) {
        (State::Released, _) => &[State::Refunded],
        // What was paid out before a refund of the rest stays paid out.
        (_, Action::Refund | Action::ResolveDispute) => &[State::Released, State::Refunded],
        _ => &[State::Released],
    }
}

fn printed() -> String {
    let mut page = String::from("```mermaid\nstateDiagram-v2\n    [*] --> held: open_escrow\n");
    for (from, moves) in MOVES {
        for to in State::ALL {
            let leads = |(action, step): &(Action, Move)| match step {
                Move::To(state) => *state == to,
                Move::Pay => ends(from, *action).contains(&to),
                Move::Refused(_) => false,
            };
            let names: Vec<&str> =
                Action::ALL.into_iter().zip(moves).filter(leads).map(|(action, _)| action.name()).collect();
            if !names.is_empty() {
                writeln!(page, "    {} --> {}: {}", from.name(), to.name(), names.join(", ")).unwrap();
            }
        }
    }
    page += "```\n\n| |";
    Action::ALL.iter().for_each(|action| write!(page, " {} |", action.name()).unwrap());
    page += "\n|---|---|---|---|---|---|---|\n";
    for (state, moves) in MOVES {
        write!(page, "| **{}** |", state.name()).unwrap();
        for step in moves {
            match step {
                Move::To(state) => write!(page, " {} |", state.name()).unwrap(),
                Move::Pay => page += " pays |",
                Move::Refused(code) => write!(page, " `{}` |", code.definition().token).unwrap(),
            }
        }
        page.push('\n');
    }
    page
}

#[test]
fn the_page_shows_the_table() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the begin mark");
    let (shown, after) = rest.split_once(END).expect("the end mark");
    if std::env::var("WL_WRITE_DOCS").is_ok() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{}{END}{after}", printed())).unwrap();
    } else {
        assert_eq!(shown, printed(), "docs/escrow.md does not show the table of src/escrow/rules.rs");
    }
}
