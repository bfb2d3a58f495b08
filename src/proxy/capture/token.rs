//! What names the next page to a client: sealed, so that it tells nothing of what was taken
//! out, and of no use to anybody else or anywhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use rand::RngCore as _;

use crate::domain::Pepper;

const NONCE: usize = 12;
const TAG: usize = 16;
/// Plain texts are filled up to a multiple of this, in bytes: most tokens have one length.
const BLOCK: usize = 512;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The backend's token of its own page, as JSON; `None`: its first.
    pub token: Option<String>,
    /// So many items of that were looked at already.
    pub consumed: u32,
}

/// Seals and opens tokens.
pub struct PageTokens {
    key: [u8; 32],
}

impl PageTokens {
    /// With a key of their own.
    #[must_use]
    pub fn new(pepper: &Pepper) -> Self {
        Self {
            key: pepper.derive(b"portcullis page token v1"),
        }
    }

    /// A token for whoever `context` names; `None` only if the library fails.
    #[must_use]
    pub fn seal(&self, context: &[u8], page: &Page) -> Option<String> {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let mut tag = [0; TAG];
        let (cipher, plain) = (Cipher::aes_256_gcm(), plain(page)?);
        let sealed = encrypt_aead(cipher, &self.key, Some(&nonce), context, &plain, &mut tag);
        let token = [&nonce[..], &tag, &sealed.ok()?].concat();
        Some(URL_SAFE_NO_PAD.encode(token))
    }

    /// What was sealed for the same context.
    #[must_use]
    pub fn open(&self, context: &[u8], token: &str) -> Option<Page> {
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, rest) = token.split_at_checked(NONCE)?;
        let (tag, sealed) = rest.split_at_checked(TAG)?;
        let cipher = Cipher::aes_256_gcm();
        let plain = decrypt_aead(cipher, &self.key, Some(nonce), context, sealed, tag);
        page(&plain.ok()?)
    }
}

fn plain(page: &Page) -> Option<Vec<u8>> {
    let token = page.token.as_deref().unwrap_or_default();
    let mut plain = page.consumed.to_be_bytes().to_vec();
    plain.extend(u32::try_from(token.len()).ok()?.to_be_bytes());
    plain.extend(token.as_bytes());
    plain.resize(plain.len().next_multiple_of(BLOCK), 0);
    Some(plain)
}

fn page(plain: &[u8]) -> Option<Page> {
    let (consumed, rest) = plain.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let token = rest.get(..length)?;
    let token = (!token.is_empty()).then(|| String::from_utf8(token.to_vec()));
    Some(Page {
        token: token.transpose().ok()?,
        consumed: u32::from_be_bytes(*consumed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> PageTokens {
        PageTokens::new(&Pepper::new([7; 32]))
    }

    fn some_page(token: &str, consumed: u32) -> Page {
        Page {
            token: Some(token.to_owned()),
            consumed,
        }
    }

    #[test]
    fn a_token_opens_where_it_was_sealed_for_and_nowhere_else() {
        for page in [Page::default(), some_page("\"abc\"", 17)] {
            let token = tokens().seal(b"route, ann", &page).unwrap();
            assert_eq!(tokens().open(b"route, ann", &token), Some(page));
            assert_eq!(tokens().open(b"route, bob", &token), None);
            let other = PageTokens::new(&Pepper::new([8; 32]));
            assert_eq!(other.open(b"route, ann", &token), None);
        }
    }

    #[test]
    fn its_length_tells_nothing() {
        let length = |page: &Page| tokens().seal(b"", page).unwrap().len();
        let all = [
            Page::default(),
            some_page("\"a\"", 0),
            some_page(&"x".repeat(500), 999),
        ];
        assert!(all.iter().all(|page| length(page) == length(&all[0])));
    }

    #[test]
    fn what_was_not_sealed_here_does_not_open() {
        let token = tokens().seal(b"", &Page::default()).unwrap();
        for forged in ["", "abc", "%%%", &token[1..], &"A".repeat(700)] {
            assert_eq!(tokens().open(b"", forged), None, "{forged}");
        }
    }
}
