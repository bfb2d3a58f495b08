//! What every page of ours says of itself, whichever plane has made it.

/// Nothing but this page, its stylesheet, and forms that lead to this site.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Header fields of a page: nobody keeps it, frames it, or takes it for something else.
pub const PAGE_FIELDS: [(&str, &str); 7] = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", POLICY),
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
];
