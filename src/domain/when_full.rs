//! What the operator chose for the moment when the audit trail can take no more.

/// What becomes of a request when there is no room for its event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes on without a record, and is counted.
    Drop,
}
