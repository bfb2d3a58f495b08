//! `upstreams:`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use openssl::x509::X509;

use super::node::{Node, Value};
use super::reader::{Fields, Reader};
use super::route;
use super::settings::{Address, Circuit, Health, HostRewrite, Timeouts, Upstream, UpstreamTls};
use crate::domain::Slug;

const KEYS: [&str; 9] = [
    "url",
    "addresses",
    "timeouts",
    "tls",
    "http2",
    "health",
    "circuit",
    "host",
    "objects",
];
const TIMEOUT_KEYS: [&str; 4] = ["connect", "read", "write", "idle"];
const HEALTH_KEYS: [&str; 5] = ["path", "interval", "timeout", "healthy", "unhealthy"];
const MILLISECOND: Duration = Duration::from_millis(1);
/// The longest that any time-out may be.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// By name. A name stays when its definition is wrong (`None`), so that routes to it are
/// not wrong as well.
pub(super) fn read(
    reader: Reader<'_>,
    parent: &Fields<'_>,
) -> BTreeMap<Arc<str>, Option<Upstream>> {
    let Some(node) = parent.get("upstreams") else {
        return BTreeMap::new();
    };
    let entries = reader.entries(node);
    let names = entries.iter().map(|(name, ..)| Arc::from(*name)).collect();
    let entries = entries.into_iter();
    let upstreams: BTreeMap<_, _> = entries
        .map(|(name, key, value)| {
            let slug = reader.parsed(key, "a short name", str::parse::<Slug>);
            let name: Arc<str> = name.into();
            let upstream = upstream(reader, Arc::clone(&name), value, &names);
            (name, slug.and(upstream))
        })
        .collect();
    refuse_chains(reader, node, &upstreams);
    upstreams
}

/// Whose objects they are is said in one place.
fn refuse_chains(
    reader: Reader<'_>,
    node: &Node,
    upstreams: &BTreeMap<Arc<str>, Option<Upstream>>,
) {
    let objects = |name: &str| upstreams.get(name)?.as_ref()?.objects.as_deref();
    for (name, key, _) in reader.entries(node) {
        if let Some(other) = objects(name)
            && (other == name || objects(other).is_some())
        {
            let problem =
                format!("`objects: {other}` must name another upstream, one without `objects`");
            reader.report(key.place, problem);
        }
    }
}

/// Where an upstream is: what `url:`, or `addresses:` with `tls:`, say.
struct Location {
    addresses: Vec<Address>,
    tls: bool,
}

fn upstream(
    reader: Reader<'_>,
    name: Arc<str>,
    node: &Node,
    names: &BTreeSet<Arc<str>>,
) -> Option<Upstream> {
    let fields = reader.fields(node, &KEYS)?;
    let location = location(reader, &fields);
    let timeouts = timeouts(reader, &fields);
    let health = health(reader, &fields);
    let circuit = circuit(reader, &fields);
    let http2 = fields.get("http2");
    let host = host(reader, &fields);
    let objects = fields.get("objects");
    let objects = objects.and_then(|node| route::known_upstream(reader, node, names));
    let location = location?;
    let tls = if location.tls {
        Some(tls(reader, &fields, &location.addresses)?)
    } else {
        None
    };
    let authority = authority(&location);
    Some(Upstream {
        name,
        addresses: location.addresses,
        tls,
        http2: http2.is_some_and(|node| reader.boolean(node).unwrap_or_default()),
        host: host.unwrap_or(HostRewrite::Upstream(authority)),
        timeouts: timeouts?,
        health: health?,
        circuit: circuit?,
        objects,
        identity: Vec::new(),
        assertion: None,
    })
}

fn location(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Location> {
    match (fields.get("url"), fields.get("addresses")) {
        (Some(url), None) => {
            let location = self::url(reader, url);
            if let Some(location) = &location
                && wants_tls(fields)
                && !location.tls
            {
                reader.report(
                    fields.key_place("tls"),
                    "`tls` with an `http:` URL; write `https:`",
                );
                return None;
            }
            location
        }
        (None, Some(addresses)) => Some(Location {
            addresses: self::addresses(reader, addresses)?,
            tls: wants_tls(fields),
        }),
        (Some(_), Some(_)) => {
            let place = fields.key_place("addresses");
            reader.report(place, "`url` and `addresses` together; write one of them");
            None
        }
        (None, None) => {
            reader.report(fields.place, "`url` or `addresses` is missing");
            None
        }
    }
}

fn wants_tls(fields: &Fields<'_>) -> bool {
    fields
        .get("tls")
        .is_some_and(|node| !matches!(node.value, Value::Bool(false)))
}

fn url(reader: Reader<'_>, node: &Node) -> Option<Location> {
    const EXPECTED: &str = "a URL; write `http://host:port` or `https://host:port`";
    reader.parsed(node, EXPECTED, |text| {
        let bad = || format!("`{text}` is not {EXPECTED}");
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(bad()),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("a URL of an upstream has no path: requests keep their own".to_owned());
        }
        let authority = uri.authority().ok_or_else(bad)?;
        if authority.as_str().contains('@') {
            return Err("a URL of an upstream has no user and no password".to_owned());
        }
        let address = address(authority, Some(if tls { 443 } else { 80 })).ok_or_else(bad)?;
        Ok(Location {
            addresses: vec![address],
            tls,
        })
    })
}

fn addresses(reader: Reader<'_>, node: &Node) -> Option<Vec<Address>> {
    const EXPECTED: &str = "an address; write `host:port`";
    let items = reader.list(node);
    if items.is_empty() {
        reader.report(node.place, "an upstream needs at least one address");
    }
    let addresses: Vec<_> = items
        .iter()
        .filter_map(|item| {
            reader.parsed(item, EXPECTED, |text| {
                let authority = text.parse::<Authority>().ok();
                let address = authority.and_then(|authority| address(&authority, None));
                address.ok_or_else(|| format!("`{text}` is not {EXPECTED}"))
            })
        })
        .collect();
    (!items.is_empty() && addresses.len() == items.len()).then_some(addresses)
}

fn address(authority: &Authority, default_port: Option<u16>) -> Option<Address> {
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    // `host:` and `host:99999` have a colon but no port.
    let colon = authority.as_str().len() > host.len();
    let port = if colon { None } else { default_port };
    Some(Address {
        host: bare.unwrap_or(host).to_ascii_lowercase(),
        port: authority.port_u16().or(port).filter(|port| *port > 0)?,
    })
    .filter(|address| !address.host.is_empty())
}

/// What the backend itself would expect in `Host`.
fn authority(location: &Location) -> Box<str> {
    let default = if location.tls { 443 } else { 80 };
    location
        .addresses
        .first()
        .map_or_else(Box::default, |address| {
            let text = address.to_string();
            match text.strip_suffix(&format!(":{default}")) {
                Some(host) if address.port == default => host.into(),
                _ => text.into(),
            }
        })
}

/// `None` for the default, the upstream's own authority.
fn host(reader: Reader<'_>, fields: &Fields<'_>) -> Option<HostRewrite> {
    const EXPECTED: &str = "`upstream`, `client` or a host";
    let node = fields.get("host")?;
    let rewrite = reader.parsed(node, EXPECTED, |text| match text {
        "upstream" => Ok(None),
        "client" => Ok(Some(HostRewrite::Client)),
        _ => match text.parse::<Authority>() {
            Ok(authority) if !authority.as_str().contains('@') => {
                Ok(Some(HostRewrite::Literal(text.into())))
            }
            _ => Err(format!("`{text}` is not {EXPECTED}")),
        },
    });
    rewrite.flatten()
}

fn timeouts(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Timeouts> {
    let seconds = Duration::from_secs;
    let default = Timeouts {
        connect: seconds(2),
        read: seconds(300),
        write: seconds(60),
        idle: seconds(60),
    };
    let Some(node) = fields.get("timeouts") else {
        return Some(default);
    };
    let fields = reader.fields(node, &TIMEOUT_KEYS)?;
    let read = |key, default| fields.duration(key, &(MILLISECOND..=DAY), default);
    Some(Timeouts {
        connect: read("connect", default.connect),
        read: read("read", default.read),
        write: read("write", default.write),
        idle: read("idle", default.idle),
    })
}

fn health(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Health> {
    let mut health = Health {
        path: None,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        healthy: 1,
        unhealthy: 2,
    };
    let Some(node) = fields.get("health") else {
        return Some(health);
    };
    let fields = reader.fields(node, &HEALTH_KEYS)?;
    if let Some(path) = fields.get("path") {
        health.path = Some(health_path(reader, path)?);
    }
    let bounds = Duration::from_millis(100)..=Duration::from_hours(1);
    health.interval = fields.duration("interval", &bounds, health.interval);
    health.timeout = fields.duration("timeout", &(MILLISECOND..=DAY), health.timeout);
    if let Some(node) = fields.get("healthy") {
        health.healthy = reader.integer(node, &(1..=100))?;
    }
    if let Some(node) = fields.get("unhealthy") {
        health.unhealthy = reader.integer(node, &(1..=100))?;
    }
    Some(health)
}

/// The outer `None` is a mistake, the inner one `circuit: false`.
#[expect(clippy::option_option, reason = "a mistake differs from no circuit")]
fn circuit(reader: Reader<'_>, fields: &Fields<'_>) -> Option<Option<Circuit>> {
    let mut circuit = Circuit {
        failures: 5,
        cooldown: Duration::from_secs(10),
    };
    let Some(node) = fields.get("circuit") else {
        return Some(Some(circuit));
    };
    if let Value::Bool(wanted) = node.value {
        return Some(wanted.then_some(circuit));
    }
    let fields = reader.fields(node, &["failures", "cooldown"])?;
    if let Some(node) = fields.get("failures") {
        circuit.failures = reader.integer(node, &(1..=1000))?;
    }
    let bounds = Duration::from_millis(100)..=Duration::from_hours(1);
    circuit.cooldown = fields.duration("cooldown", &bounds, circuit.cooldown);
    Some(Some(circuit))
}

fn health_path(reader: Reader<'_>, node: &Node) -> Option<String> {
    const EXPECTED: &str = "a path; write `/health`";
    reader.parsed(node, EXPECTED, |text| {
        let valid = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
        let path = valid.then(|| text.to_owned());
        path.ok_or_else(|| format!("`{text}` is not {EXPECTED}"))
    })
}

fn tls(reader: Reader<'_>, fields: &Fields<'_>, addresses: &[Address]) -> Option<UpstreamTls> {
    let mut tls = UpstreamTls {
        ca: None,
        server_name: addresses.first()?.host.clone(),
        verify: true,
    };
    let Some(node) = fields.get("tls") else {
        return Some(tls);
    };
    if let Value::Bool(wanted) = node.value {
        if !wanted {
            reader.report(
                node.place,
                "`tls: false` with an `https:` URL; write `http:`",
            );
        }
        return wanted.then_some(tls);
    }
    let fields = reader.fields(node, &["ca_file", "server_name", "verify"])?;
    if let Some(node) = fields.get("ca_file") {
        let path = reader.path(node)?;
        tls.ca = Some(authorities(reader, node, &path)?);
    }
    if let Some(node) = fields.get("server_name") {
        reader.text(node)?.clone_into(&mut tls.server_name);
    }
    if let Some(node) = fields.get("verify") {
        tls.verify = reader.boolean(node)?;
    }
    Some(tls)
}

fn authorities(reader: Reader<'_>, node: &Node, path: &Path) -> Option<Arc<[u8]>> {
    let shown = match &node.value {
        Value::Text(text) => text.as_written(),
        _ => "",
    };
    let problem = match reader.reads.read(path) {
        Ok(pem) if has_certificate(&pem) => return Some(pem.into()),
        Ok(_) => format!("no PEM certificate in the CA file `{shown}`"),
        Err(error) => format!("cannot read the CA file `{shown}`: {error}"),
    };
    reader.report(node.place, problem);
    None
}

/// Whether there is one, and none that cannot be read.
fn has_certificate(pem: &[u8]) -> bool {
    X509::stack_from_pem(pem).is_ok_and(|certificates| !certificates.is_empty())
}
