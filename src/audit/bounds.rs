//! How long each field of a record may be, in bytes after escaping. Longer text is cut
//! and ends in `…`, so that a record always fits the room that was reserved for it.

pub(super) const EVENT: usize = 128;
pub(super) const REASON: usize = 256;
pub(super) const SLUG: usize = 40;
pub(super) const ACTOR_KIND: usize = 32;
pub(super) const ACTOR_ID: usize = 256;
pub(super) const ACTOR_EMAIL: usize = 320;
pub(super) const CREDENTIAL: usize = 64;
pub(super) const USER_AGENT: usize = 512;
pub(super) const RESOURCE_KIND: usize = 128;
pub(super) const RESOURCE_ID: usize = 1024;
pub(super) const METHOD: usize = 32;
pub(super) const ROUTE: usize = 1024;
pub(super) const REQUEST_ID: usize = 256;
/// All of the JSON object. Entries that do not fit are left out and `"truncated": true`
/// says so.
pub(super) const DETAILS: usize = 2048;

/// No record is longer.
pub(super) const RECORD: usize = 8192;
