//! The client: its address, its scheme, its request id, as far as they can be believed.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use uuid::Uuid;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Correlates log lines, audit events and the backend's own records.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id taken from a trusted proxy, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// Who is at the other end.
#[derive(Debug)]
pub(super) struct Client {
    /// Its address; `None` for a connection without one (a Unix socket).
    pub(super) ip: Option<IpAddr>,
    /// `http` or `https`, as the client sees it.
    pub(super) scheme: &'static str,
    /// Id of this request.
    pub(super) request_id: String,
}

impl Client {
    /// Reads forwarded fields only if the peer is a trusted proxy. `Forwarded`
    /// (RFC 7239) is never read: two fields that say the same can disagree.
    pub(super) fn identify(
        peer: Option<IpAddr>,
        tls: bool,
        headers: &HeaderMap,
        trusted: &[IpNet],
        fresh_id: impl FnOnce() -> Uuid,
    ) -> Self {
        let is_trusted = |ip: &IpAddr| {
            let ip = ip.to_canonical();
            trusted.iter().any(|net| net.contains(&ip))
        };
        let believed = peer.as_ref().is_some_and(is_trusted);
        // The last line is the one that the proxy has added, if it does not replace the client's.
        let told = |name: &HeaderName| {
            let mut lines = headers.get_all(name).iter().filter(|_| believed);
            lines.next_back()?.to_str().ok()
        };
        let https = match told(&X_FORWARDED_PROTO) {
            Some(proto) => proto.eq_ignore_ascii_case("https"),
            None => tls,
        };
        Self {
            ip: if believed {
                right_most_untrusted(headers, is_trusted).or(peer)
            } else {
                peer
            },
            scheme: if https { "https" } else { "http" },
            request_id: told(&X_REQUEST_ID)
                .filter(|id| is_request_id(id))
                .map_or_else(|| fresh_id().to_string(), str::to_owned),
        }
    }
}

impl Client {
    /// A client whose header was never read.
    pub(super) fn unread(ip: Option<IpAddr>, fresh_id: Uuid) -> Self {
        Self {
            ip,
            scheme: "http",
            request_id: fresh_id.to_string(),
        }
    }
}

/// The right-most hop that no trusted proxy vouches for. A hop that is no address
/// ends the search: what is left of it is hearsay.
fn right_most_untrusted(
    headers: &HeaderMap,
    is_trusted: impl Fn(&IpAddr) -> bool,
) -> Option<IpAddr> {
    let lines = headers.get_all(&X_FORWARDED_FOR).iter().rev();
    // Bytes, for a client may have put anything to the left of what the proxy added.
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut last = None;
    for hop in hops {
        let text = std::str::from_utf8(hop).unwrap_or_default();
        let Ok(ip) = text.trim().parse::<IpAddr>() else {
            break;
        };
        last = Some(ip);
        if !is_trusted(&ip) {
            break;
        }
    }
    last
}

fn is_request_id(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:+/=".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(peer: &str, fields: &[(&'static str, &str)]) -> Client {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        Client::identify(
            Some(peer.parse().unwrap()),
            false,
            &headers,
            &trusted,
            Uuid::nil,
        )
    }

    fn ip(peer: &str, forwarded: &str) -> String {
        let client = identify(peer, &[("x-forwarded-for", forwarded)]);
        client.ip.unwrap().to_string()
    }

    #[test]
    fn an_untrusted_peer_is_itself() {
        assert_eq!(ip("192.0.2.1", "198.51.100.7"), "192.0.2.1");
    }

    #[test]
    fn behind_trusted_proxies_the_right_most_untrusted_hop_counts() {
        assert_eq!(ip("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(
            ip("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"),
            "198.51.100.7"
        );
        assert_eq!(ip("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
    }

    #[test]
    fn hops_that_are_no_addresses_are_not_believed() {
        for junk in [
            "\"198.51.100.7\"",
            "unknown",
            "198.51.100.7:80",
            "",
            "for=198.51.100.7",
        ] {
            assert_eq!(ip("10.0.0.1", junk), "10.0.0.1", "{junk}");
        }
        assert_eq!(ip("10.0.0.1", "junk, 198.51.100.7"), "198.51.100.7");
    }

    #[test]
    fn what_is_no_text_hides_no_hop() {
        let mut headers = HeaderMap::new();
        let junk = [
            &b"\xe9, 198.51.100.7"[..],
            b"\xff,198.51.100.7",
            b"\xff, , 198.51.100.7, 10.0.0.2",
        ];
        for line in junk {
            headers.insert(
                X_FORWARDED_FOR,
                http::HeaderValue::from_bytes(line).unwrap(),
            );
            let trusted = |ip: &IpAddr| *ip == IpAddr::from([10, 0, 0, 2]);
            let hop = right_most_untrusted(&headers, trusted);
            assert_eq!(hop, Some([198, 51, 100, 7].into()));
        }
        headers.append(
            X_FORWARDED_FOR,
            http::HeaderValue::from_bytes(b"\xff").unwrap(),
        );
        assert_eq!(right_most_untrusted(&headers, |_| false), None);
    }

    #[test]
    fn forwarded_is_never_read() {
        let client = identify("10.0.0.1", &[("forwarded", "for=198.51.100.7;proto=https")]);
        assert_eq!(client.ip.unwrap().to_string(), "10.0.0.1");
        assert_eq!(client.scheme, "http");
    }

    #[test]
    fn what_a_proxy_adds_behind_the_clients_own_counts() {
        let proto = |values: [&str; 2]| {
            let lines = values.map(|value| ("x-forwarded-proto", value));
            identify("10.0.0.1", &lines).scheme
        };
        assert_eq!(proto(["https", "http"]), "http");
        assert_eq!(proto(["http", "https"]), "https");
        let ids = [("x-request-id", "evil"), ("x-request-id", "real")];
        assert_eq!(identify("10.0.0.1", &ids).request_id, "real");
    }

    #[test]
    fn request_ids_are_taken_from_trusted_proxies_only() {
        let id = |peer: &str, id: &str| identify(peer, &[("x-request-id", id)]).request_id;
        assert_eq!(id("10.0.0.1", "abc-1"), "abc-1");
        assert_eq!(id("192.0.2.1", "abc-1"), Uuid::nil().to_string());
        assert_eq!(id("10.0.0.1", "a b"), Uuid::nil().to_string());
        assert_eq!(id("10.0.0.1", &"a".repeat(129)), Uuid::nil().to_string());
    }
}
