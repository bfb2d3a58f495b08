//! Decisions for other proxies: they describe a request, hear whether it may go on and as whom, and
//! forward it themselves.
//!
//! What is described is judged by the same code as what comes here to be forwarded, and leaves the
//! same event. What only whoever carries the exchange can do is refused.

use http::{HeaderMap, HeaderName, Method, header};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use super::client::{Client, X_REQUEST_ID};
use super::exchange::{Exchange, Outcome};
use super::gateway::Gateway;
use super::stages::drain;
use crate::policy::{CanonicalRequest, Decision, Denial, Facts, Malformed, Permit};

/// Where Traefik, Caddy and nginx ask: by fields that describe the request.
const FORWARD_AUTH: &str = "/.portcullis/forward-auth";
/// Where Envoy asks: by the request itself, with this before its path.
const EXT_AUTHZ: &str = "/.portcullis/ext-authz";
/// What else a backend must not believe of the client: it is told, or told to be nothing.
const CLEARED: [HeaderName; 2] = [header::AUTHORIZATION, header::COOKIE];

/// Fields that describe a request: its method, its target, its host.
struct Fields {
    method: HeaderName,
    target: HeaderName,
    host: HeaderName,
}

/// As Traefik and Caddy name them.
const FORWARDED: Fields = Fields {
    method: HeaderName::from_static("x-forwarded-method"),
    target: HeaderName::from_static("x-forwarded-uri"),
    host: HeaderName::from_static("x-forwarded-host"),
};
/// As nginx's documentation names them.
const ORIGINAL: Fields = Fields {
    method: HeaderName::from_static("x-original-method"),
    target: HeaderName::from_static("x-original-uri"),
    host: header::HOST,
};
/// Fields about the body, which is not here, and about the connection.
const ELSEWHERE: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
];

/// The request that a proxy asks about.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its target, as the proxy will forward it.
    pub(super) target: Vec<u8>,
    /// Whether whoever asks understands no answer but yes, 401 and 403.
    pub(super) is_terse: bool,
}

impl Asked {
    /// Whether the request that was understood is the one that a backend gets, which reads it
    /// itself: the path letter by letter, and nothing in the query that some read otherwise.
    pub(super) fn is_sent(&self, request: &CanonicalRequest) -> bool {
        let end = self.target.iter().position(|byte| *byte == b'?');
        let (path, query) = self.target.split_at(end.unwrap_or(self.target.len()));
        let is_plain =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$'()*,/:@?=&%+".contains(byte);
        path == request.path().encoded().as_bytes() && query.iter().all(is_plain)
    }
}

impl Gateway {
    /// Whether this is a question of a proxy that may ask. To anybody else there is no such path.
    pub(super) fn is_asked(session: &Session, exchange: &Exchange) -> bool {
        let peer = exchange.connection.as_deref().and_then(|it| it.peer);
        let path = session.req_header().uri.path();
        let asks = path == FORWARD_AUTH || ext_authz(path).is_some();
        asks && peer.is_some_and(|peer| exchange.rules.may_ask(peer))
    }

    /// Answers it.
    pub(super) async fn answer_question(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let (described, asked) = match describe(session.req_header()) {
            Ok(described) => described,
            Err(malformed) => {
                let denial = Denial::from(malformed);
                return self
                    .refuse(session, exchange, denial, Facts::default())
                    .await;
            }
        };
        let question = std::mem::replace(session.req_header_mut(), described);
        exchange.asked = Some(asked);
        identify(session.req_header(), exchange);
        let decided = self.admit(session, exchange).await;
        let told = match decided {
            Ok(Decision::Permitted(permit)) => self.tell(session, exchange, permit).map(Ok),
            Ok(Decision::Denied(denial, facts)) => Ok(Err((denial, facts))),
            Err(error) => Err(error),
        };
        *session.req_header_mut() = question;
        match told? {
            Ok(header) => {
                self.record(exchange);
                exchange.leave();
                let downstream = session.as_downstream_mut();
                downstream.write_response_header(Box::new(header)).await?;
                downstream
                    .write_response_body(bytes::Bytes::new(), true)
                    .await?;
                drain(session).await;
                Ok(())
            }
            Err((denial, facts)) => self.refuse(session, exchange, denial, facts).await,
        }
    }

    /// As whom it may go on: what the backend would be told, and an empty field for what it would
    /// not, so that nothing of the client's is left.
    fn tell(
        &self,
        session: &Session,
        exchange: &mut Exchange,
        permit: Permit,
    ) -> pingora::Result<ResponseHeader> {
        let upstream = exchange
            .rules
            .upstreams
            .find(&permit.route().upstream)
            .cloned();
        exchange.upstream = upstream;
        exchange.outcome = Outcome::Permitted(Box::new(permit));
        let built = self.upstream_head(session, exchange)?;
        let mut header = ResponseHeader::build(http::StatusCode::OK, Some(16))?;
        header.insert_header(header::CONTENT_LENGTH, 0)?;
        header.insert_header(header::CACHE_CONTROL, "no-store")?;
        header.insert_header(X_REQUEST_ID, exchange.request_id())?;
        let told = exchange.upstream.iter().flat_map(|it| it.told());
        for name in told.chain(CLEARED) {
            let value = built.headers.get(&name).cloned();
            header.insert_header(
                name,
                value.map_or_else(Vec::new, |it| it.as_bytes().to_vec()),
            )?;
        }
        exchange.status = Some(http::StatusCode::OK);
        exchange.rate.tell(&mut header)?;
        Ok(header)
    }
}

/// What Envoy puts its prefix before.
fn ext_authz(path: &str) -> Option<&str> {
    path.strip_prefix(EXT_AUTHZ)
        .filter(|rest| rest.starts_with('/'))
}

/// The request that is asked about, without what is not here.
fn describe(sent: &RequestHeader) -> Result<(RequestHeader, Asked), Malformed> {
    let (method, target, host, is_terse) = told(sent)?;
    let headers = &sent.headers;
    let built = RequestHeader::build(method, &target, Some(headers.len()));
    let mut built = built.map_err(|_| Malformed::Target)?;
    let mut put = |name: &HeaderName, value: &[u8]| {
        let put = built.append_header(name.clone(), value.to_vec());
        put.map_err(|_| Malformed::Field)
    };
    put(&header::HOST, &host)?;
    for (name, value) in headers {
        if *name != header::HOST && !ELSEWHERE.contains(name) {
            put(name, value.as_bytes())?;
        }
    }
    Ok((built, Asked { target, is_terse }))
}

/// Method, target and host, and whether nginx asks. Whoever describes it in two ways may mean
/// either, or have let a field of the client's through.
fn told(sent: &RequestHeader) -> Result<(Method, Vec<u8>, Vec<u8>, bool), Malformed> {
    let headers = &sent.headers;
    if ext_authz(sent.uri.path()).is_some() {
        let target = sent.raw_path().get(EXT_AUTHZ.len()..);
        let target = target.ok_or(Malformed::Target)?.to_vec();
        return Ok((
            sent.method.clone(),
            target,
            required(headers, &header::HOST)?,
            false,
        ));
    }
    let has = |name: &HeaderName| headers.contains_key(name);
    let by = |fields: &Fields| has(&fields.method) || has(&fields.target);
    let (fields, is_terse) = match (by(&FORWARDED), by(&ORIGINAL)) {
        (true, false) => (FORWARDED, false),
        (false, true) => (ORIGINAL, true),
        _ => return Err(Malformed::Description),
    };
    let method = required(headers, &fields.method)?;
    let method = Method::from_bytes(&method).map_err(|_| Malformed::Method)?;
    let (target, host) = (
        required(headers, &fields.target)?,
        required(headers, &fields.host)?,
    );
    Ok((method, target, host, is_terse))
}

fn required(headers: &HeaderMap, name: &HeaderName) -> Result<Vec<u8>, Malformed> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line.as_bytes().to_vec()),
        _ => Err(Malformed::Description),
    }
}

/// Who is at the other end of the proxy.
fn identify(described: &RequestHeader, exchange: &mut Exchange) {
    let peer = exchange.connection.as_deref().and_then(|it| it.peer);
    let fresh = exchange.event_id.0;
    let rules = std::sync::Arc::clone(&exchange.rules);
    let client = Client::identify(peer, false, &described.headers, &rules.askers, || fresh);
    exchange.client = Some(client);
    exchange.method = Some(described.method.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(line: (&str, &str), fields: &[(&'static str, &str)]) -> Result<String, Malformed> {
        let mut sent = RequestHeader::build(line.0, line.1.as_bytes(), None).unwrap();
        for (name, value) in fields {
            sent.append_header(*name, *value).unwrap();
        }
        let (described, asked) = describe(&sent)?;
        let host = described.headers.get("host").unwrap().to_str().unwrap();
        let target = String::from_utf8(asked.target).unwrap();
        Ok(format!("{} {host} {target}", described.method))
    }

    #[test]
    fn a_request_is_described_in_one_way_or_not_at_all() {
        let ask = ("GET", FORWARD_AUTH);
        let (host, method, uri) = (
            ("host", "a"),
            ("x-original-method", "PUT"),
            ("x-original-uri", "/b?c"),
        );
        assert_eq!(described(ask, &[host, method, uri]).unwrap(), "PUT a /b?c");
        let traefik = [
            host,
            ("x-forwarded-method", "POST"),
            ("x-forwarded-uri", "/d"),
            ("x-forwarded-host", "e"),
        ];
        assert_eq!(described(ask, &traefik).unwrap(), "POST e /d");
        let both = [&traefik[..], &[uri]].concat();
        for (what, fields) in [
            ("nothing", &[host][..]),
            ("no method", &[host, uri]),
            ("no target", &[host, method]),
            ("no host", &traefik[..3]),
            ("twice", &[host, method, uri, uri]),
            ("both ways", &both),
        ] {
            assert_eq!(
                described(ask, fields),
                Err(Malformed::Description),
                "{what}"
            );
        }
        let envoy = ("DELETE", "/.portcullis/ext-authz/f?g=1");
        assert_eq!(described(envoy, &[host]).unwrap(), "DELETE a /f?g=1");
    }

    #[test]
    fn what_is_about_the_body_stays_behind() {
        let fields = [
            ("host", "a"),
            ("content-length", "5"),
            ("expect", "100-continue"),
            ("cookie", "b=1"),
        ];
        let mut sent = RequestHeader::build("POST", b"/.portcullis/ext-authz/", None).unwrap();
        for (name, value) in fields {
            sent.append_header(name, value).unwrap();
        }
        let (described, _) = describe(&sent).unwrap();
        let mut names: Vec<_> = described.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cookie", "host"]);
    }
}
