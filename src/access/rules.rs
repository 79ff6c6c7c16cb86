//! Who may do what: the one table, and the function that reads it.

/// What somebody wants to do. Each is a public function, or a part of one that takes a right of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    CreateMember,
    CreateGuardian,
    LinkGuardian,
    CreateMerchant,
    CreateDevice,
    SetItem,
    AssignRole,
    RevokeRole,
    SetSpendingLimit,
    /// A limit beside which the organisation's defaults do not count, or the defaults themselves.
    SetDefaultLimit,
    CheckSpendingLimit,
    ViewMember,
    Purchase,
    RefundPurchase,
    SyncPurchases,
    SetPin,
    VerifyPin,
    EnrolFingerprint,
    CreateQrCode,
    RecordAuthentication,
}

/// What it is to be done to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    pub member: Option<&'a str>,
    pub merchant: Option<&'a str>,
}
