//! Access tokens in memory: which of those lately used were revoked.

use super::credentials::CredentialCache;
use crate::domain::TokenId;

/// One that is found was revoked; one that is missing was not.
pub type RevokedTokens = CredentialCache<TokenId, ()>;
