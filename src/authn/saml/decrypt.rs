//! Assertions that are encrypted for us (XML Encryption 1.1).
//!
//! Keys come by RSA-OAEP only: by PKCS #1 v1.5 whoever can ask often enough learns them. What is
//! encrypted without being authenticated (CBC) is taken only in a message that is signed, for the
//! same reason. Whatever goes wrong, one thing is told.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, decrypt_aead};
use roxmltree::Node;

use super::Refused;
use super::names::{ENCRYPTION, ENCRYPTION_11, SIGNATURE};
use crate::config::saml::xml::{children, only, text_of};

/// Of GCM, in bytes (XML Encryption 1.1 §5.2.4).
const NONCE: usize = 12;
const TAG: usize = 16;

/// What an `EncryptedAssertion` holds.
pub(super) fn decrypted(
    encrypted: Node<'_, '_>,
    key: &PKey<Private>,
    is_authentic: bool,
) -> Result<Vec<u8>, Refused> {
    let wrong = "the assertion cannot be decrypted";
    plain(encrypted, key, is_authentic).ok_or(Refused(wrong.into()))
}

fn plain(encrypted: Node<'_, '_>, key: &PKey<Private>, is_authentic: bool) -> Option<Vec<u8>> {
    let data = only(encrypted, ENCRYPTION, "EncryptedData")?;
    let info = only(data, SIGNATURE, "KeyInfo")?;
    // It stands in the data, or beside it and is referred to: there is one in either case.
    let beside = children(encrypted, ENCRYPTION, "EncryptedKey");
    let mut keys = children(info, ENCRYPTION, "EncryptedKey").chain(beside);
    let (wrapped, None) = (keys.next()?, keys.next()) else {
        return None;
    };
    let secret = unwrapped(wrapped, key)?;
    let (cipher, is_aead) = cipher(algorithm(data)?, is_authentic)?;
    let bytes = value(data)?;
    if secret.len() != cipher.key_len() {
        return None;
    }
    if is_aead {
        let (nonce, rest) = bytes.split_at_checked(NONCE)?;
        let (text, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        return decrypt_aead(cipher, &secret, Some(nonce), &[], text, tag).ok();
    }
    let (iv, text) = bytes.split_at_checked(cipher.iv_len()?)?;
    unpadded(cipher, &secret, iv, text)
}

/// Of XML Encryption's padding only the last byte says how much there is, which OpenSSL does not
/// expect (XML Encryption 1.1 §5.2).
fn unpadded(cipher: Cipher, secret: &[u8], iv: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let block = cipher.block_size();
    if text.is_empty() || !text.len().is_multiple_of(block) {
        return None;
    }
    let mut crypter = Crypter::new(cipher, Mode::Decrypt, secret, Some(iv)).ok()?;
    crypter.pad(false);
    let mut plain = vec![0; text.len() + block];
    let mut length = crypter.update(text, &mut plain).ok()?;
    length += crypter.finalize(&mut plain[length..]).ok()?;
    plain.truncate(length);
    let padding = usize::from(*plain.last()?);
    let kept = length.checked_sub(padding)?;
    (1..=block).contains(&padding).then(|| {
        plain.truncate(kept);
        plain
    })
}

fn cipher(algorithm: &str, is_authentic: bool) -> Option<(Cipher, bool)> {
    let (namespace, name) = algorithm.split_once('#')?;
    let aead = match (namespace, name) {
        ("http://www.w3.org/2009/xmlenc11", "aes128-gcm") => Cipher::aes_128_gcm(),
        ("http://www.w3.org/2009/xmlenc11", "aes192-gcm") => Cipher::aes_192_gcm(),
        ("http://www.w3.org/2009/xmlenc11", "aes256-gcm") => Cipher::aes_256_gcm(),
        ("http://www.w3.org/2001/04/xmlenc", cbc) if is_authentic => {
            let cipher = match cbc {
                "aes128-cbc" => Cipher::aes_128_cbc(),
                "aes192-cbc" => Cipher::aes_192_cbc(),
                "aes256-cbc" => Cipher::aes_256_cbc(),
                _ => return None,
            };
            return Some((cipher, false));
        }
        _ => return None,
    };
    Some((aead, true))
}

fn unwrapped(wrapped: Node<'_, '_>, key: &PKey<Private>) -> Option<Vec<u8>> {
    let method = only(wrapped, ENCRYPTION, "EncryptionMethod")?;
    let digest = match only(method, SIGNATURE, "DigestMethod") {
        None => MessageDigest::sha1(),
        Some(node) => match node.attribute("Algorithm")? {
            "http://www.w3.org/2000/09/xmldsig#sha1" => MessageDigest::sha1(),
            "http://www.w3.org/2001/04/xmlenc#sha256" => MessageDigest::sha256(),
            _ => return None,
        },
    };
    let mask = match method.attribute("Algorithm")? {
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" => MessageDigest::sha1(),
        "http://www.w3.org/2009/xmlenc11#rsa-oaep" => {
            match only(method, ENCRYPTION_11, "MGF").and_then(|mgf| mgf.attribute("Algorithm")) {
                None | Some("http://www.w3.org/2009/xmlenc11#mgf1sha1") => MessageDigest::sha1(),
                Some("http://www.w3.org/2009/xmlenc11#mgf1sha256") => MessageDigest::sha256(),
                Some(_) => return None,
            }
        }
        _ => return None,
    };
    open(key, &value(wrapped)?, digest, mask).ok()
}

fn open(
    key: &PKey<Private>,
    bytes: &[u8],
    digest: MessageDigest,
    mask: MessageDigest,
) -> Result<Vec<u8>, ErrorStack> {
    let mut decrypter = Decrypter::new(key)?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    decrypter.set_rsa_oaep_md(digest)?;
    decrypter.set_rsa_mgf1_md(mask)?;
    let mut opened = vec![0; decrypter.decrypt_len(bytes)?];
    let length = decrypter.decrypt(bytes, &mut opened)?;
    opened.truncate(length);
    Ok(opened)
}

fn algorithm<'a>(of: Node<'a, '_>) -> Option<&'a str> {
    only(of, ENCRYPTION, "EncryptionMethod")?.attribute("Algorithm")
}

fn value(of: Node<'_, '_>) -> Option<Vec<u8>> {
    let data = only(of, ENCRYPTION, "CipherData")?;
    let mut text = text_of(only(data, ENCRYPTION, "CipherValue")?)?;
    text.retain(|char| !char.is_ascii_whitespace());
    BASE64.decode(text).ok()
}
