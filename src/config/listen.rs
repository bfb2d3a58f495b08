//! `listen:` and `private_listen:`.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::diagnostic::Place;
use super::listen_tls;
use super::node::{Node, Value};
use super::reader::{Fields, Reader};
use super::settings::{Listen, Serves};

const KEYS: [&str; 5] = [
    "address",
    "tls",
    "http2",
    "proxy_protocol",
    "redirect_to_https",
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
    let tls = fields.get("tls").map(|node| listen_tls::read(reader, node));
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
