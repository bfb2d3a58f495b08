//! Certificates, made for one test.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};
use portcullis::clock::Clock;

/// A certificate and its key.
#[derive(Clone)]
pub struct Pair {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// What is to be written into a certificate.
pub struct Request<'a> {
    /// Common name.
    pub name: &'a str,
    /// DNS names.
    pub hosts: &'a [&'a str],
    /// Days from now: from, to.
    pub days: [i64; 2],
}

impl<'a> Request<'a> {
    /// For a server of these names, valid now.
    pub const fn server(hosts: &'a [&'a str]) -> Self {
        Self {
            name: "server",
            hosts,
            days: [-1, 2],
        }
    }

    /// For a client, valid now.
    pub const fn client(name: &'a str) -> Self {
        Self {
            name,
            hosts: &[],
            days: [-1, 2],
        }
    }
}

impl Pair {
    /// An authority.
    pub fn authority(name: &str) -> Self {
        let key = key();
        let mut builder = begin(&Request::client(name), &key);
        let issuer = subject(name);
        builder.set_issuer_name(&issuer).unwrap();
        let basic = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(basic).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        Self { certificate, key }
    }

    /// A certificate that this authority vouches for.
    pub fn issue(&self, request: &Request<'_>) -> Self {
        self.issue_for(key(), request)
    }

    /// The same for a key of choice.
    pub fn issue_for(&self, key: PKey<Private>, request: &Request<'_>) -> Self {
        let mut builder = begin(request, &key);
        let issuer = self.certificate.subject_name();
        builder.set_issuer_name(issuer).unwrap();
        if !request.hosts.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for host in request.hosts {
                names.dns(host);
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        Self { certificate, key }
    }

    /// Writes `name.crt` and `name.key`, each at once.
    pub fn write(&self, directory: &Path, name: &str) {
        let write = |extension: &str, pem: Vec<u8>| {
            let file = directory.join(format!("{name}.{extension}"));
            let fresh = file.with_extension("new");
            std::fs::write(&fresh, pem).unwrap();
            let own = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&fresh, own).unwrap();
            std::fs::rename(fresh, file).unwrap();
        };
        write("key", self.key.private_key_to_pem_pkcs8().unwrap());
        write("crt", self.certificate.to_pem().unwrap());
    }
}

fn key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

fn subject(name: &str) -> X509Name {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("O", "test").unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    subject.build()
}

fn begin(request: &Request<'_>, key: &PKey<Private>) -> X509Builder {
    let now = Clock::system().now().timestamp();
    let [from, to] = request
        .days
        .map(|days| Asn1Time::from_unix(now + days * 86_400).unwrap());
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    let serial = Asn1Integer::from_bn(&serial).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject(request.name)).unwrap();
    builder.set_not_before(&from).unwrap();
    builder.set_not_after(&to).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
}
