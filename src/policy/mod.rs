//! The decision: pure, synchronous, without I/O.

mod canonical;

pub use canonical::{
    AmbiguousParameter, CanonicalPath, CanonicalQuery, CanonicalRequest, MAX_TARGET, Malformed,
    PresentedSecret, RawRequest, X_PORTCULLIS_KEY, deciding_header,
};
