//! `tls:` of an address in `listen:`.

use std::path::Path;

use super::certificate::{
    Authorities, CertificateError, CertificateFiles, Part, ServerCertificate,
};
use super::node::{Node, Value};
use super::reader::Reader;
use super::settings::{ClientCertificates, ListenerTls, TlsVersion, UnknownName};

const KEYS: [&str; 4] = [
    "certificates",
    "min_version",
    "client_certificates",
    "unknown_name",
];

pub(super) fn read(reader: Reader<'_>, node: &Node) -> Option<ListenerTls> {
    let fields = reader.fields(node, &KEYS)?;
    let certificates = fields.required("certificates");
    let certificates = certificates.and_then(|node| certificates_of(reader, node));
    let min_version = match fields.get("min_version") {
        Some(node) => {
            let versions = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
            reader.choice(node, &versions)
        }
        None => Some(TlsVersion::V1_2),
    };
    let client_certificates = match fields.get("client_certificates") {
        Some(node) => client_certificates_of(reader, node).map(Some),
        None => Some(None),
    };
    let unknown_name = match fields.get("unknown_name") {
        Some(node) => {
            let choices = [
                ("default", UnknownName::Default),
                ("refuse", UnknownName::Refuse),
            ];
            reader.choice(node, &choices)
        }
        None => Some(UnknownName::Default),
    };
    Some(ListenerTls {
        certificates: certificates?,
        min_version: min_version?,
        client_certificates: client_certificates?,
        unknown_name: unknown_name?,
    })
}

fn certificates_of(reader: Reader<'_>, node: &Node) -> Option<Vec<ServerCertificate>> {
    let items = reader.list(node);
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        reader.report(node.place, "TLS needs at least one certificate");
    }
    let mut certificates = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(certificate) = certificate(reader, item) else {
            continue;
        };
        if index > 0 && certificate.names().is_empty() {
            let problem = "no DNS name in this certificate, so no client can ask for it";
            reader.report(item.place, problem);
        }
        certificates.push(certificate);
    }
    (!items.is_empty() && certificates.len() == items.len()).then_some(certificates)
}

fn certificate(reader: Reader<'_>, node: &Node) -> Option<ServerCertificate> {
    let fields = reader.fields(node, &["certificate", "key"])?;
    let (certificate, key) = (fields.required("certificate"), fields.required("key"));
    let path = |node: Option<&Node>| node.and_then(|node| reader.path(node));
    let (certificate_path, key_path) = (path(certificate), path(key));
    let files = CertificateFiles {
        certificate: certificate_path?,
        key: key_path?,
    };
    let report = |error: CertificateError| {
        let node = match error.part {
            Part::Certificate => certificate,
            Part::Key => key,
        };
        report_file(reader, node, &error);
    };
    let loaded = files.load();
    if loaded.is_err() {
        await_change(reader, &files.certificate);
        await_change(reader, &files.key);
    }
    loaded
        .map_err(|errors| errors.into_iter().for_each(report))
        .ok()
}

fn client_certificates_of(reader: Reader<'_>, node: &Node) -> Option<ClientCertificates> {
    let fields = reader.fields(node, &["ca_file", "required"])?;
    let authorities = fields.required("ca_file").and_then(|node| {
        let path = reader.path(node)?;
        let loaded = Authorities::load(&path);
        if loaded.is_err() {
            await_change(reader, &path);
        }
        loaded
            .map_err(|error| report_file(reader, Some(node), &error))
            .ok()
    });
    let required = match fields.get("required") {
        Some(node) => reader.boolean(node),
        None => Some(false),
    };
    Some(ClientCertificates {
        authorities: authorities?,
        required: required?,
    })
}

/// Good files are followed by those that serve them. A bad one keeps the configuration
/// from being taken, so a change of it is a reason to read that anew.
fn await_change(reader: Reader<'_>, path: &Path) {
    // Only that it was read, and what it held, is noted.
    let _ = reader.reads.read(path);
}

/// A path that came from a variable is never shown.
fn report_file(reader: Reader<'_>, node: Option<&Node>, error: &CertificateError) {
    if let Some(Node {
        value: Value::Text(path),
        place,
    }) = node
    {
        reader.report(*place, format!("`{}`: {error}", path.as_written()));
    }
}
