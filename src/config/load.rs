//! From a file's text to [`Settings`], or to all that is wrong with it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backends;
use super::diagnostic::{Diagnostic, Findings, Place};
use super::files::{Files, Reads};
use super::node::{Node, Value};
use super::reader::Reader;
use super::settings::{Essentials, Settings};
use super::variables::{self, Environment};
use super::{catalogue, limits, listen, oauth2, rate, sections, sign_in};

const KEYS: [&str; 25] = [
    "version",
    "listen",
    "private_listen",
    "data_dir",
    "database",
    "trusted_proxies",
    "decisions",
    "limits",
    "workers",
    "log",
    "shutdown",
    "cache",
    "audit",
    "sign_in",
    "oauth2",
    "rate",
    "rate_limits",
    "permissions",
    "upstreams",
    "presets",
    "identity",
    "errors",
    "resources",
    "bodies",
    "routes",
];

impl Settings {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, sorted by place.
    pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Self, Vec<Diagnostic>> {
        Loaded::from_file(path, environment).settings
    }

    /// Checks a text; `name` is its path, for diagnostics and relative paths.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, sorted by place.
    pub fn parse(
        name: &str,
        text: &str,
        environment: &Environment<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        checked(name, text, &Reads::default(), whole(environment))
    }
}

/// Where a configuration is, and what fills in its variables.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The process's own, usually.
    pub environment: fn(&str) -> Option<String>,
}

impl ConfigFile {
    /// Reads and checks it as it is now.
    #[must_use]
    pub fn load(&self) -> Loaded {
        Loaded::from_file(&self.path, &self.environment)
    }
}

/// What became of a file, and which files that rests on.
#[derive(Debug)]
pub struct Loaded {
    /// What it says, or everything that is wrong with it.
    pub settings: Result<Settings, Vec<Diagnostic>>,
    /// The file and those that it names: should one of them change, so may the rest.
    pub files: Files,
}

impl Loaded {
    fn from_file(path: &Path, environment: &Environment<'_>) -> Self {
        let reads = Reads::default();
        let settings = read(path, &reads)
            .and_then(|(name, text)| checked(&name, &text, &reads, whole(environment)));
        Self {
            settings,
            files: reads.into_files(),
        }
    }
}

/// Checks all of it.
fn whole(environment: &Environment<'_>) -> impl FnOnce(Reader<'_>, Node) -> Option<Settings> {
    |reader, mut node| {
        variables::fill_in(reader, &mut node, environment);
        settings(reader, &node)
    }
}

impl Essentials {
    /// Reads these keys and no others, so that a mistake in a route keeps no operator from
    /// revoking a key.
    ///
    /// # Errors
    ///
    /// What is wrong with these keys, or with the YAML as a whole.
    pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Self, Vec<Diagnostic>> {
        let reads = Reads::default();
        let (name, text) = read(path, &reads)?;
        checked(&name, &text, &reads, |reader, mut node| {
            node.retain(&["data_dir", "database", "permissions"]);
            variables::fill_in(reader, &mut node, environment);
            let fields = reader.fields(&node, &KEYS)?;
            Some(Self {
                data_dir: sections::data_dir(reader, &fields)?,
                database: sections::database(reader, &fields),
                permissions: catalogue::permissions(reader, &fields),
            })
        })
    }
}

/// The file's name and text.
fn read(path: &Path, reads: &Reads) -> Result<(String, String), Vec<Diagnostic>> {
    let name = path.to_string_lossy().into_owned();
    let text = reads.read(path).and_then(|bytes| {
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    });
    let text = text.map_err(|error| {
        let findings = Findings::default();
        let file = name.as_str().into();
        findings.add(&file, Place::START, format!("cannot read: {error}"));
        findings.into_sorted()
    })?;
    Ok((name, text))
}

/// What `check` makes of the text, unless it has found anything.
pub(super) fn checked<T>(
    name: &str,
    text: &str,
    reads: &Reads,
    check: impl FnOnce(Reader<'_>, Node) -> Option<T>,
) -> Result<T, Vec<Diagnostic>> {
    let findings = Findings::default();
    let file: Arc<str> = name.into();
    let reader = Reader {
        file: &file,
        directory: Path::new(name).parent().unwrap_or(Path::new("")),
        findings: &findings,
        reads,
    };
    let result = tree(reader, text).and_then(|node| check(reader, node));
    result
        .filter(|_| findings.is_empty())
        .ok_or_else(|| findings.into_sorted())
}

pub(super) fn tree(reader: Reader<'_>, text: &str) -> Option<Node> {
    match Node::parse(text) {
        Ok(node) if matches!(node.value, Value::Null) => {
            reader.report(Place::START, "the file is empty; begin with `version: 1`");
            None
        }
        Ok(node) => Some(node),
        Err((place, message)) => {
            reader.report(place, message);
            None
        }
    }
}

/// A wrong optional value counts as absent here: the findings decide in the end.
fn settings(reader: Reader<'_>, node: &Node) -> Option<Settings> {
    let fields = reader.fields(node, &KEYS)?;
    sections::version(reader, &fields);
    let data_dir = sections::data_dir(reader, &fields);
    let database = sections::database(reader, &fields);
    let log = sections::log(reader, &fields);
    let shutdown = sections::shutdown(reader, &fields);
    let cache = sections::cache(reader, &fields);
    let audit = sections::audit(reader, &fields);
    let sign_in = sign_in::read(reader, &fields);
    let trusted_proxies = sections::trusted_proxies(reader, &fields);
    let askers = sections::askers(reader, &fields);
    let listeners = listen::read(reader, &fields, &trusted_proxies);
    let limits = limits::read(reader, &fields);
    let workers = sections::workers(reader, &fields);
    let rate = rate::of_all(reader, &fields);
    let rate_limits = rate::limits(reader, &fields);
    let backends = backends::read(reader, &fields, sign_in.as_ref());
    let (listen, private_listen) = listeners?;
    let backends = backends?;
    let oauth2 = oauth2::read(reader, &fields, sign_in.as_ref(), &backends.catalogue);
    Some(Settings {
        listen,
        private_listen,
        data_dir: data_dir?,
        database,
        trusted_proxies,
        askers,
        limits: limits?,
        workers,
        log: log?,
        shutdown: shutdown?,
        cache: cache?,
        audit: audit?,
        sign_in,
        oauth2,
        rate,
        rate_limits,
        catalogue: backends.catalogue,
        roles: backends.roles,
        upstreams: backends.upstreams,
        owned_headers: backends.owned,
        provisions: backends.provisions,
        errors: backends.errors,
        resource_types: backends.resource_types,
        routes: backends.routes,
    })
}
