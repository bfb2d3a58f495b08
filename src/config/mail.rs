//! `sign_in.mail:`.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::node::Node;
use super::reader::Reader;
use crate::domain::Email;

const KEYS: [&str; 4] = ["from", "smtp", "file", "log"];
const SMTP_KEYS: [&str; 6] = ["host", "port", "tls", "ca_file", "username", "password"];

/// How people get mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// From whom.
    pub from: Email,
    /// By which way.
    pub way: MailWay,
}

/// By which way mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailWay {
    /// To a server.
    Smtp(Smtp),
    /// Into a directory, a file each.
    File(PathBuf),
    /// Into the log.
    Log,
}

/// A server that takes mail (RFC 5321).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether by TLS.
    pub tls: SmtpTls,
    /// Authorities that vouch for it, PEM, besides the system's.
    pub ca: Option<Arc<[u8]>>,
    /// Name and password.
    pub credentials: Option<(String, Hidden)>,
}

/// Whether a connection to a server that takes mail is encrypted. There is no "if it can be".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// By STARTTLS (RFC 3207), or no mail goes.
    Required,
    /// From its first byte on (RFC 8314).
    Implicit,
    /// Not at all: to this very machine only.
    None,
}

/// A secret. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

pub(super) fn read(reader: Reader<'_>, node: &Node) -> Option<Mail> {
    let fields = reader.fields(node, &KEYS)?;
    let from = fields
        .required("from")
        .and_then(|node| reader.of_type(node, "an e-mail address"));
    let smtp = fields
        .get("smtp")
        .map(|node| smtp(reader, node).map(MailWay::Smtp));
    let file = fields
        .get("file")
        .map(|node| directory(reader, node).map(MailWay::File));
    let log = fields.get("log").map(|node| {
        let on = reader.boolean(node)?;
        if !on {
            reader.report(node.place, "leave `log` out, or set it to true");
        }
        on.then_some(MailWay::Log)
    });
    let mut ways = [smtp, file, log].into_iter().flatten();
    let (Some(way), None) = (ways.next(), ways.next()) else {
        let problem = "one of `smtp`, `file` and `log` says where mail goes";
        reader.report(node.place, problem);
        return None;
    };
    Some(Mail {
        from: from?,
        way: way?,
    })
}

fn smtp(reader: Reader<'_>, node: &Node) -> Option<Smtp> {
    let fields = reader.fields(node, &SMTP_KEYS)?;
    let host = fields.required("host").and_then(|node| reader.text(node));
    let tls = fields.get("tls").map_or(Some(SmtpTls::Required), |node| {
        let words = [
            ("required", SmtpTls::Required),
            ("implicit", SmtpTls::Implicit),
            ("none", SmtpTls::None),
        ];
        reader.choice(node, &words)
    });
    let port = fields
        .get("port")
        .map(|node| reader.integer(node, &(1..=u16::MAX.into())));
    let ca = fields.get("ca_file").map(|node| certificates(reader, node));
    let text = |key| fields.get(key).and_then(|node| reader.text(node));
    let credentials = match (text("username"), text("password")) {
        (Some(name), Some(password)) => Some((name.to_owned(), Hidden(password.to_owned()))),
        (None, None) => None,
        _ => {
            reader.report(node.place, "`username` and `password` go together");
            None
        }
    };
    let (host, tls) = (host?, tls?);
    if tls == SmtpTls::None && !is_here(host) {
        let problem = "without TLS whoever listens can sign in as anybody: `tls: none` is for a \
                       server on this very machine only";
        reader.report(
            fields.get("tls").map_or(node.place, |node| node.place),
            problem,
        );
    }
    let usual = match tls {
        SmtpTls::Required => 587,
        SmtpTls::Implicit => 465,
        SmtpTls::None => 25,
    };
    Some(Smtp {
        host: host.to_owned(),
        port: port.unwrap_or(Some(usual))?,
        tls,
        ca: match ca {
            Some(read) => Some(read?),
            None => None,
        },
        credentials,
    })
}

pub(super) fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn directory(reader: Reader<'_>, node: &Node) -> Option<PathBuf> {
    let path = reader.path(node)?;
    if path.is_dir() {
        return Some(path);
    }
    let problem = format!("{} is no directory", path.display());
    reader.report(node.place, problem);
    None
}

fn certificates(reader: Reader<'_>, node: &Node) -> Option<Arc<[u8]>> {
    let path = reader.path(node)?;
    let read = fs::read(&path).map_err(|error| error.to_string());
    let checked = read.and_then(|pem| {
        let stack = openssl::x509::X509::stack_from_pem(&pem);
        match stack {
            Ok(stack) if !stack.is_empty() => Ok(pem),
            _ => Err("there is no certificate in it".to_owned()),
        }
    });
    match checked {
        Ok(pem) => Some(pem.into()),
        Err(problem) => {
            reader.report(node.place, format!("{}: {problem}", path.display()));
            None
        }
    }
}
