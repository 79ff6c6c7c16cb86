//! From what the rows ask of a ledger to its escrows.

use super::{Context, What, Wish};
use crate::error::{LedgerError, Result};
use crate::escrow::Opening;
use crate::escrow::rules::request::Wanted;
use crate::escrow::together::{self, Act, Asked};
use crate::escrow::wanted_lines;
use crate::ledger::Ledger;
use crate::spi::Session;
use crate::spi::jsonb::Items;
use crate::trigger::rules::escrowing::definition::Goods;
use crate::trigger::rules::escrowing::{Step, reason};
use crate::trigger::rules::named;

/// Does what the rows ask of one ledger.
pub fn settle(session: &Session, ledger: &Ledger, context: &Context, wishes: &[Wish]) -> Result<()> {
    let has_lines = matches!(context.definition.goods, Goods::Lines(_));
    let of_row = |index: usize, error: LedgerError| {
        // The position is that of a line, and one seller has none.
        let error = if has_lines { error } else { error.without_position() };
        named(error, &wishes[index].row, &context.table)
    };
    let items: Vec<Option<Items>> = wishes.iter().map(items).collect();
    let mut lines = Vec::with_capacity(wishes.len());
    for (index, (wish, items)) in wishes.iter().zip(&items).enumerate() {
        lines.push(wanted(context, wish, items.as_ref()).map_err(|error| of_row(index, error))?);
    }
    let reasons: Vec<String> = wishes.iter().map(|wish| reason_of(context, wish)).collect();
    let asked: Vec<Asked> = wishes
        .iter()
        .zip(&lines)
        .zip(&reasons)
        .map(|((wish, lines), reason)| Asked {
            reference: &wish.reference,
            act: act(context, wish, lines, reason),
        })
        .collect();
    together::run(session, ledger, &asked).map_err(|(index, error)| of_row(index, error))
}

/// The lines that a row has in a column.
fn items(wish: &Wish) -> Option<Items> {
    let What::Open(_, Some(lines)) = &wish.what else { return None };
    // SAFETY: the datum is a jsonb in the memory of this call, which outlives the value.
    Some(unsafe { Items::from_datum(lines.to_datum()) })
}

/// The lines of the escrow that a row opens; none where it opens none.
fn wanted<'a>(context: &'a Context, wish: &'a Wish, items: Option<&'a Items>) -> Result<Vec<Wanted<'a>>> {
    let What::Open(purchase, _) = &wish.what else { return Ok(Vec::new()) };
    match (&context.definition.goods, items) {
        (Goods::One { fee, .. }, _) => Ok(vec![Wanted {
            beneficiary: purchase.beneficiary.as_deref(),
            amount: purchase.amount,
            fee: fee.as_deref(),
            description: None,
        }]),
        (Goods::Lines(_), Some(items)) => wanted_lines(items),
        (Goods::Lines(_), None) => Ok(Vec::new()),
    }
}

fn act<'a>(context: &'a Context, wish: &'a Wish, lines: &'a [Wanted<'a>], reason: &'a str) -> Act<'a> {
    match &wish.what {
        What::Open(purchase, _) => Act::Open(Opening {
            reference: &wish.reference,
            buyer: Some(&purchase.buyer),
            lines,
            amount: purchase.amount,
            auto_release_micros: context.definition.auto_release_micros,
            intent_id: None,
            metadata: None,
        }),
        What::Ship(tracking) => Act::Ship(tracking.as_deref()),
        What::Release => Act::Release(reason),
        What::Refund => Act::Refund(reason),
    }
}

fn reason_of(context: &Context, wish: &Wish) -> String {
    let step = match wish.what {
        What::Open(..) => Step::Open,
        What::Ship(_) => Step::Ship,
        What::Release => Step::Release,
        What::Refund => Step::Refund,
    };
    reason(&context.definition, step, &wish.row, &context.table)
}
