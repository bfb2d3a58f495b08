//! A SAML identity provider that says whatever it is told to.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use openssl::asn1::Asn1Time;
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{Cipher, encrypt, encrypt_aead};
use openssl::x509::X509;
use portcullis::clock::Clock;
use samael::crypto::{Crypto, CryptoProvider as _};

pub const IDP: &str = "https://idp.example.com/metadata";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub const CANONICAL: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// A key and its certificate.
pub struct KeyPair {
    pub key: PKey<Private>,
    pub certificate: X509,
}

impl KeyPair {
    pub fn rsa(bits: u32) -> Self {
        Self::of(PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap())
    }

    pub fn of(key: PKey<Private>) -> Self {
        let mut made = X509::builder().unwrap();
        made.set_version(2).unwrap();
        made.set_pubkey(&key).unwrap();
        made.set_not_before(&Asn1Time::days_from_now(0).unwrap())
            .unwrap();
        made.set_not_after(&Asn1Time::days_from_now(30).unwrap())
            .unwrap();
        made.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = made.build();
        Self { key, certificate }
    }

    /// As a line of YAML may hold it.
    pub fn pem(&self) -> String {
        let pem = String::from_utf8(self.certificate.to_pem().unwrap()).unwrap();
        pem.replace('\n', "\\n")
    }

    pub fn key_pem(&self) -> String {
        let pem = self.key.private_key_to_pem_pkcs8().unwrap();
        String::from_utf8(pem).unwrap().replace('\n', "\\n")
    }
}

/// How something is signed.
#[derive(Clone)]
pub struct Signing {
    pub method: &'static str,
    pub digest: &'static str,
    pub canonical: &'static str,
    pub transforms: Vec<String>,
    /// `None`: the element's own ID.
    pub reference: Option<String>,
}

impl Default for Signing {
    fn default() -> Self {
        let transform = |algorithm| format!("<ds:Transform Algorithm=\"{algorithm}\"/>");
        Self {
            method: RSA_SHA256,
            digest: SHA256,
            canonical: CANONICAL,
            transforms: vec![transform(ENVELOPED), transform(CANONICAL)],
            reference: None,
        }
    }
}

impl Signing {
    fn template(&self, id: &str) -> String {
        let own = format!("#{id}");
        let uri = self.reference.as_ref().unwrap_or(&own);
        format!(
            "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
             <ds:CanonicalizationMethod Algorithm=\"{}\"/><ds:SignatureMethod Algorithm=\"{}\"/>\
             <ds:Reference URI=\"{uri}\"><ds:Transforms>{}</ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{}\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
             <ds:SignatureValue/></ds:Signature>",
            self.canonical,
            self.method,
            self.transforms.concat(),
            self.digest
        )
    }
}

/// All that a response says. Pieces are XML, so that they can be anything.
#[derive(Clone)]
pub struct Says {
    pub id: String,
    pub version: &'static str,
    pub at: String,
    pub issuer: String,
    pub destination: String,
    pub in_response_to: String,
    pub status: String,
    pub assertion: Assertion,
    /// Between the status and the assertion.
    pub more: String,
}

/// All that an assertion says.
#[derive(Clone)]
pub struct Assertion {
    pub id: String,
    pub version: &'static str,
    pub at: String,
    pub issuer: String,
    pub name_id: String,
    pub confirmation: String,
    pub conditions: String,
    pub statement: String,
    pub attributes: String,
}

pub fn now() -> DateTime<Utc> {
    Clock::system().now()
}

pub fn at(seconds: i64) -> String {
    (now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub fn attribute(name: &str, values: &[&str]) -> String {
    let values: String = values
        .iter()
        .map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>"))
        .collect();
    format!("<saml:Attribute Name=\"{name}\">{values}</saml:Attribute>")
}

pub fn confirmation(recipient: &str, in_response_to: &str) -> String {
    format!(
        "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
         <saml:SubjectConfirmationData Recipient=\"{recipient}\" NotOnOrAfter=\"{}\"{}/>\
         </saml:SubjectConfirmation>",
        at(300),
        answering(in_response_to)
    )
}

pub fn conditions(audience: &str) -> String {
    format!(
        "<saml:Conditions NotBefore=\"{}\" NotOnOrAfter=\"{}\"><saml:AudienceRestriction>\
         <saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>",
        at(-30),
        at(300)
    )
}

pub fn statement(when: i64) -> String {
    format!(
        "<saml:AuthnStatement AuthnInstant=\"{}\" SessionIndex=\"s-1\"><saml:AuthnContext>\
         <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password\
         </saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>",
        at(when)
    )
}

fn answering(id: &str) -> String {
    match id {
        "" => String::new(),
        id => format!(" InResponseTo=\"{id}\""),
    }
}

pub fn success() -> String {
    "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>".to_owned()
}

impl Says {
    /// What an honest provider says of Ann to the one at `site`.
    pub fn of_ann(site: &str, in_response_to: &str) -> Self {
        let acs = format!("{site}/acs");
        Self {
            id: format!("_r{}", uuid::Uuid::now_v7().simple()),
            version: "2.0",
            at: at(0),
            issuer: IDP.to_owned(),
            destination: acs.clone(),
            in_response_to: in_response_to.to_owned(),
            status: success(),
            more: String::new(),
            assertion: Assertion {
                id: format!("_a{}", uuid::Uuid::now_v7().simple()),
                version: "2.0",
                at: at(0),
                issuer: IDP.to_owned(),
                name_id: "<saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:\
                          persistent\">u-1</saml:NameID>"
                    .to_owned(),
                confirmation: confirmation(&acs, in_response_to),
                conditions: conditions(&format!("{site}/metadata")),
                statement: statement(-5),
                attributes: attribute("email", &["ann@acme.example"])
                    + &attribute("groups", &["ml", "staff"]),
            },
        }
    }

    /// As XML, around this assertion; with a place for a signature.
    pub fn around(&self, assertion: &str, signing: Option<&Signing>) -> String {
        let destination = match &*self.destination {
            "" => String::new(),
            to => format!(" Destination=\"{to}\""),
        };
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{}\" Version=\"{}\" \
             IssueInstant=\"{}\"{destination}{}><saml:Issuer>{}</saml:Issuer>{}\
             <samlp:Status>{}</samlp:Status>{}{assertion}</samlp:Response>",
            self.id,
            self.version,
            self.at,
            answering(&self.in_response_to),
            self.issuer,
            signing.map_or_else(String::new, |signing| signing.template(&self.id)),
            self.status,
            self.more,
        )
    }
}

impl Assertion {
    /// As XML, with a place for a signature.
    pub fn xml(&self, signing: Option<&Signing>) -> String {
        let attributes = match &*self.attributes {
            "" => String::new(),
            all => format!("<saml:AttributeStatement>{all}</saml:AttributeStatement>"),
        };
        format!(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{}\" \
             Version=\"{}\" IssueInstant=\"{}\"><saml:Issuer>{}</saml:Issuer>{}\
             <saml:Subject>{}{}</saml:Subject>{}{}{attributes}</saml:Assertion>",
            self.id,
            self.version,
            self.at,
            self.issuer,
            signing.map_or_else(String::new, |signing| signing.template(&self.id)),
            self.name_id,
            self.confirmation,
            self.conditions,
            self.statement,
        )
    }
}

/// Fills in the first place for a signature.
pub fn sign(xml: &str, key: &PKey<Private>) -> String {
    let signed = Crypto::sign_xml(xml, &key.private_key_to_der().unwrap()).unwrap();
    // What it writes begins with a declaration.
    signed.split_once("?>").unwrap().1.trim().to_owned()
}

/// The assertion, signed.
pub fn signed_assertion(says: &Says, key: &PKey<Private>) -> String {
    sign(&says.assertion.xml(Some(&Signing::default())), key)
}

/// Only the assertion is signed.
pub fn signed(says: &Says, key: &PKey<Private>) -> String {
    says.around(&signed_assertion(says, key), None)
}

/// Both are signed.
pub fn signed_twice(says: &Says, key: &PKey<Private>) -> String {
    let inner = signed_assertion(says, key);
    sign(&says.around(&inner, Some(&Signing::default())), key)
}

/// How something is encrypted.
#[derive(Clone, Copy)]
pub struct Encryption {
    pub cipher: &'static str,
    pub transport: &'static str,
}

impl Encryption {
    pub const GCM: Self = Self {
        cipher: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        transport: "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    };
    pub const CBC: Self = Self {
        cipher: "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
        ..Self::GCM
    };

    /// An `EncryptedAssertion` for whoever has this certificate's key.
    pub fn of(self, plain: &str, to: &X509) -> String {
        let (cipher, is_aead) = match self.cipher.rsplit_once('#').unwrap().1 {
            "aes128-gcm" => (Cipher::aes_128_gcm(), true),
            "aes256-gcm" => (Cipher::aes_256_gcm(), true),
            _ => (Cipher::aes_128_cbc(), false),
        };
        let secret: Vec<u8> = (0..cipher.key_len()).map(|_| rand::random()).collect();
        let iv: Vec<u8> = (0..cipher.iv_len().unwrap()).map(|_| rand::random()).collect();
        let mut bytes = iv.clone();
        if is_aead {
            let mut tag = [0; 16];
            let text =
                encrypt_aead(cipher, &secret, Some(&iv), &[], plain.as_bytes(), &mut tag).unwrap();
            bytes.extend(text);
            bytes.extend(tag);
        } else {
            bytes.extend(encrypt(cipher, &secret, Some(&iv), plain.as_bytes()).unwrap());
        }
        let public = to.public_key().unwrap();
        let mut encrypter = Encrypter::new(&public).unwrap();
        encrypter
            .set_rsa_padding(if self.transport.ends_with("rsa-1_5") {
                Padding::PKCS1
            } else {
                Padding::PKCS1_OAEP
            })
            .unwrap();
        let mut wrapped = vec![0; encrypter.encrypt_len(&secret).unwrap()];
        let length = encrypter.encrypt(&secret, &mut wrapped).unwrap();
        wrapped.truncate(length);
        format!(
            "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">\
             <xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" \
             Type=\"http://www.w3.org/2001/04/xmlenc#Element\">\
             <xenc:EncryptionMethod Algorithm=\"{}\"/>\
             <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><xenc:EncryptedKey>\
             <xenc:EncryptionMethod Algorithm=\"{}\"/><xenc:CipherData><xenc:CipherValue>{}\
             </xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>\
             <xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData>\
             </xenc:EncryptedData></saml:EncryptedAssertion>",
            self.cipher,
            self.transport,
            BASE64.encode(wrapped),
            BASE64.encode(bytes)
        )
    }
}
