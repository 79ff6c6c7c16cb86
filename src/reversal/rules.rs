//! Corrections: how much of a transfer can still be taken back.

use crate::error::{Code, LedgerError, Result};
use crate::ledger::rules::{REBALANCE, REVERSAL};
use crate::money;
use rust_decimal::Decimal;
use uuid::Uuid;

/// What the decision needs to know of the transfer to reverse.
#[derive(Clone, Debug)]
pub struct Original {
    pub id: Uuid,
    pub kind_id: i16,
    pub amount: Decimal,
    pub reversed: Decimal,
    pub scale: u32,
    pub currency: String,
}

/// A correction is not corrected again: the books would read like a knot.
pub fn check_kind(original: &Original) -> Result<()> {
    if matches!(original.kind_id, REVERSAL | REBALANCE) {
        return Err(LedgerError::new(
            Code::NotReversible,
            format!("transfer {} is itself a correction", original.id),
        )
        .with("transfer_id", original.id));
    }
    Ok(())
}

/// The amount to reverse: what remains by default, never more than that.
pub fn amount(original: &Original, amount: Option<Decimal>) -> Result<Decimal> {
    let remaining = original.amount - original.reversed;
    let wanted = match amount {
        Some(amount) => money::to_scale(amount, original.scale, &original.currency, "amount")?,
        None => remaining,
    };
    if wanted <= remaining && remaining > Decimal::ZERO {
        return Ok(wanted);
    }
    Err(LedgerError::new(
        Code::ReversalExceedsOriginal,
        format!("{remaining} of transfer {} remain to be reversed", original.id),
    )
    .with("transfer_id", original.id)
    .with("original_amount", original.amount)
    .with("reversed_amount", original.reversed)
    .with("remaining", remaining))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(reversed: i64) -> Original {
        Original {
            id: Uuid::nil(),
            kind_id: 3,
            amount: Decimal::new(10_000, 2),
            reversed: Decimal::new(reversed, 2),
            scale: 2,
            currency: "IDR".to_owned(),
        }
    }

    #[test]
    fn parts_never_exceed_the_whole() {
        assert_eq!(amount(&original(0), None).unwrap().to_string(), "100.00");
        assert_eq!(amount(&original(4_000), None).unwrap().to_string(), "60.00");
        assert_eq!(amount(&original(4_000), Some(Decimal::from(60))).unwrap().to_string(), "60.00");
        for (reversed, wanted) in
            [(4_000, Some(Decimal::new(6_001, 2))), (10_000, None), (10_000, Some(Decimal::ONE))]
        {
            let error = amount(&original(reversed), wanted).unwrap_err();
            assert_eq!(error.code, Code::ReversalExceedsOriginal);
        }
    }

    #[test]
    fn corrections_stay_as_they_are() {
        let mut reversal = original(0);
        reversal.kind_id = REVERSAL;
        assert_eq!(check_kind(&reversal).unwrap_err().code, Code::NotReversible);
        assert!(check_kind(&original(0)).is_ok());
    }
}
