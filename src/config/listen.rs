//! `listen:` and `private_listen:`.

use std::net::SocketAddr;
use std::path::Path;

use ipnet::IpNet;

use super::certificate::{
    Authorities, CertificateError, CertificateFiles, Part, ServerCertificate,
};
use super::diagnostic::Place;
use super::node::{Node, Value};
use super::reader::{Fields, Reader};
use super::settings::{ClientCertificates, Listen, ListenerTls, Serves, TlsVersion, UnknownName};

const KEYS: [&str; 5] = [
    "address",
    "tls",
    "http2",
    "proxy_protocol",
    "redirect_to_https",
];
const TLS_KEYS: [&str; 4] = [
    "certificates",
    "min_version",
    "client_certificates",
    "unknown_name",
];
const EXPECTED: &str = "an address; write `127.0.0.1:8080`";
/// A port that may be another outside than here: what every client assumes.
const HTTPS: u16 = 443;

/// An entry and where it says what.
struct Entry {
    listen: Listen,
    address: Place,
    redirect: Option<Place>,
}

/// All addresses of clients, and the private one. No two can be the same.
pub(super) fn read(
    reader: Reader<'_>,
    fields: &Fields<'_>,
    trusted_proxies: &[IpNet],
) -> Option<(Vec<Listen>, SocketAddr)> {
    let entries = match fields.get("listen") {
        None => Some(vec![default(fields.place)]),
        Some(node) => entries(reader, node, !trusted_proxies.is_empty()),
    };
    let private = match fields.get("private_listen") {
        Some(node) => reader.of_type(node, EXPECTED),
        None => Some(SocketAddr::from(([127, 0, 0, 1], 9090))),
    };
    let (entries, private) = (entries?, private?);
    let distinct = are_distinct(reader, &entries, private, fields);
    let reachable = redirects_are_reachable(reader, &entries);
    let listen = entries.into_iter().map(|entry| entry.listen).collect();
    (distinct && reachable).then_some((listen, private))
}

fn default(place: Place) -> Entry {
    plain(SocketAddr::from(([127, 0, 0, 1], 8080)), place)
}

fn plain(address: SocketAddr, place: Place) -> Entry {
    Entry {
        listen: Listen {
            address,
            http2: true,
            proxy_protocol: false,
            serves: Serves::Plain,
        },
        address: place,
        redirect: None,
    }
}

/// One address or mapping, or a list of both.
fn entries(reader: Reader<'_>, node: &Node, proxies: bool) -> Option<Vec<Entry>> {
    let Value::List(items) = &node.value else {
        return Some(vec![entry(reader, node, proxies)?]);
    };
    if items.is_empty() {
        reader.report(node.place, "at least one address is needed");
        return None;
    }
    let entries: Vec<_> = items
        .iter()
        .filter_map(|item| entry(reader, item, proxies))
        .collect();
    (entries.len() == items.len()).then_some(entries)
}

fn entry(reader: Reader<'_>, node: &Node, proxies: bool) -> Option<Entry> {
    if !matches!(node.value, Value::Map(_)) {
        return Some(plain(reader.of_type(node, EXPECTED)?, node.place));
    }
    let fields = reader.fields(node, &KEYS)?;
    let address = fields.required("address");
    let place = address.map_or(node.place, |node| node.place);
    let address = address.and_then(|node| reader.of_type(node, EXPECTED));
    let flag = |key, default| match fields.get(key) {
        Some(node) => reader.boolean(node),
        None => Some(default),
    };
    let (http2, proxy_protocol) = (flag("http2", true), flag("proxy_protocol", false));
    if proxy_protocol == Some(true) && !proxies {
        let place = fields.key_place("proxy_protocol");
        reader.report(
            place,
            "`proxy_protocol` needs `trusted_proxies`: nobody else may tell addresses",
        );
    }
    let serves = serves(reader, &fields);
    Some(Entry {
        listen: Listen {
            address: address?,
            http2: http2?,
            proxy_protocol: proxy_protocol?,
            serves: serves?,
        },
        address: place,
        redirect: fields.get("redirect_to_https").map(|node| node.place),
    })
}

fn serves(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Serves> {
    let tls = fields.get("tls").map(|node| tls(reader, node));
    let port = fields
        .get("redirect_to_https")
        .map(|node| reader.integer::<u16>(node, &(1..=65_535)));
    match (tls, port) {
        (None, None) => Some(Serves::Plain),
        (Some(tls), None) => tls.map(Serves::Tls),
        (None, Some(port)) => port.map(Serves::Redirect),
        (Some(_), Some(_)) => {
            let place = fields.key_place("redirect_to_https");
            reader.report(place, "give `tls` or `redirect_to_https`, not both");
            None
        }
    }
}

fn tls(reader: Reader<'_>, node: &Node) -> Option<ListenerTls> {
    let fields = reader.fields(node, &TLS_KEYS)?;
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

/// Port 0 is a fresh one each time.
fn are_distinct(
    reader: Reader<'_>,
    entries: &[Entry],
    private: SocketAddr,
    fields: &Fields<'_>,
) -> bool {
    let is_taken = |address: SocketAddr, by: &[Entry]| {
        address.port() != 0 && by.iter().any(|entry| entry.listen.address == address)
    };
    let mut distinct = true;
    for (index, entry) in entries.iter().enumerate() {
        let address = entry.listen.address;
        if is_taken(address, &entries[..index]) {
            reader.report(entry.address, format!("{address} is listened on already"));
            distinct = false;
        }
    }
    if is_taken(private, entries) {
        let place = fields.key_place("private_listen");
        reader.report(place, "`private_listen` is the same address as `listen`");
        distinct = false;
    }
    distinct
}

/// A port that is mapped outside cannot be known here: 443 is taken for one.
fn redirects_are_reachable(reader: Reader<'_>, entries: &[Entry]) -> bool {
    let tls = entries
        .iter()
        .filter(|entry| matches!(entry.listen.serves, Serves::Tls(_)));
    let ports: Vec<u16> = tls.map(|entry| entry.listen.address.port()).collect();
    let is_known = |port: &u16| *port == HTTPS || ports.contains(port) || ports.contains(&0);
    let mut reachable = true;
    for entry in entries {
        let (Serves::Redirect(port), Some(place)) = (&entry.listen.serves, entry.redirect) else {
            continue;
        };
        if !is_known(port) {
            let problem = format!("no address with `tls` has port {port}");
            reader.report(place, format!("{problem}; 443 may be another one here"));
            reachable = false;
        }
    }
    reachable
}
