//! What a request names and holds: the ids in its path, query, header and body, what may not
//! stand there, and what the gateway writes into it.

mod content;
mod id;
mod labels;
mod places;
mod references;
mod set;

pub use content::check_content;
pub(super) use id::checked;
pub use labels::{LabelPairs, request_labels, request_params};
pub(super) use places::Places;
pub use references::{AskedFor, Checked, Names, named};
pub use set::write_set;
