//! Pages of lists.

/// Which part of a list: what follows an item in the list's own order.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The sort key of the last item that was seen; `None`: from the beginning.
    pub after: Option<String>,
    /// At most so many items.
    pub limit: u32,
}

impl PageRequest {
    /// One more than wanted: whether there is a next page.
    pub(super) fn probe(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}
