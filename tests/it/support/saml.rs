//! A SAML identity provider that says whatever it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

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
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis::clock::Clock;
use samael::crypto::{Crypto, CryptoProvider as _};
use tempfile::TempDir;

use super::raw::{Answer, Connection};

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
    let values: Vec<_> = values
        .iter()
        .map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>"))
        .collect();
    let values = values.concat();
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
        let iv: Vec<u8> = (0..cipher.iv_len().unwrap())
            .map(|_| rand::random())
            .collect();
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

const SIMPLESAMLPHP: &str = "/usr/share/simplesamlphp/www";

/// `SimpleSAMLphp`, as long as this lives.
pub struct SimpleSamlPhp {
    child: Child,
    pub address: SocketAddr,
    dir: TempDir,
}

impl SimpleSamlPhp {
    /// One that signs with this key.
    pub fn start(idp: &KeyPair, is_encrypted: bool) -> Self {
        let dir = TempDir::new().unwrap();
        for file in ["config.php", "authsources.php", "saml20-idp-hosted.php"] {
            let from = format!(
                "{}/tests/e2e/simplesamlphp/{file}",
                env!("CARGO_MANIFEST_DIR")
            );
            fs::copy(from, dir.path().join(file)).unwrap();
        }
        fs::create_dir(dir.path().join("cert")).unwrap();
        let key = idp.key.private_key_to_pem_pkcs8().unwrap();
        fs::write(dir.path().join("cert/idp.pem"), key).unwrap();
        let certificate = idp.certificate.to_pem().unwrap();
        fs::write(dir.path().join("cert/idp.crt"), certificate).unwrap();
        // Until it is told who asks.
        let nobody = "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" \
                      entityID=\"urn:nobody\"><md:SPSSODescriptor protocolSupportEnumeration=\"\
                      urn:oasis:names:tc:SAML:2.0:protocol\"/></md:EntityDescriptor>";
        fs::write(dir.path().join("sp.xml"), nobody).unwrap();
        let mut child = Command::new("php")
            .args(["-S", "127.0.0.1:0", "-t", SIMPLESAMLPHP])
            .env("SIMPLESAMLPHP_CONFIG_DIR", dir.path())
            .env("ENCRYPTED", if is_encrypted { "yes" } else { "no" })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        assert_ne!(told.read_line(&mut line).unwrap(), 0, "it did not start");
        let (_, rest) = line.split_once("http://").expect(&line);
        let address = rest.split_once(')').unwrap().0.parse().unwrap();
        // It says something of each request, and waits until it is read.
        std::thread::spawn(move || io::copy(&mut told, &mut io::sink()));
        Self {
            child,
            address,
            dir,
        }
    }

    pub fn metadata_url(&self) -> String {
        format!("http://{}/saml2/idp/metadata.php", self.address)
    }

    /// It knows this service provider from now on.
    pub fn knows(&self, metadata: &str) {
        fs::write(self.dir.path().join("sp.xml"), metadata).unwrap();
    }

    /// A browser of somebody who goes there.
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor {
            at: self,
            cookies: BTreeMap::new(),
        }
    }
}

impl Drop for SimpleSamlPhp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody at `SimpleSAMLphp`.
pub struct Visitor<'s> {
    at: &'s SimpleSamlPhp,
    cookies: BTreeMap<String, String>,
}

impl Visitor<'_> {
    /// Goes where they are sent, signs in if they are asked to, and hands out the response that
    /// they are to bring back.
    pub fn signs_in(&mut self, url: &str) -> String {
        let mut page = self.goes(url);
        if page.body.contains("name=\"password\"") {
            let state = hidden(&page.body, "AuthState");
            let form = format!(
                "username=ann&password=secret&AuthState={}",
                utf8_percent_encode(&state, NON_ALPHANUMERIC)
            );
            let path = "/module.php/core/loginuserpass.php?";
            page = self.send(&format!("POST {path}"), &form);
            while let [to] = page.header("location")[..] {
                page = self.goes(to);
            }
        }
        let encoded = hidden(&page.body, "SAMLResponse");
        String::from_utf8(BASE64.decode(encoded).unwrap()).unwrap()
    }

    /// Goes somewhere, and on for as long as it leads on there.
    pub fn goes(&mut self, url: &str) -> Answer {
        let own = format!("http://{}", self.at.address);
        let mut to = url.to_owned();
        for _ in 0..8 {
            let path = to.strip_prefix(&own).unwrap_or(&to).to_owned();
            let answer = self.send(&format!("GET {path}"), "");
            match answer.header("location").first() {
                Some(next) if next.starts_with(&own) => (*next).clone_into(&mut to),
                _ => return answer,
            }
        }
        panic!("it goes in circles at {to}")
    }

    fn send(&mut self, line: &str, body: &str) -> Answer {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut connection = Connection::open(self.at.address);
        connection.send(format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.at.address,
            cookies.join("; "),
            body.len()
        ));
        let answer = connection.answer().unwrap();
        for set in answer.header("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// What a hidden field of a page holds.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    let value = rest.split_once('"').unwrap().0;
    value.replace("&amp;", "&").replace("&quot;", "\"")
}
