//! `sign_in.secrets:`.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::node::Node;
use super::reader::Reader;
use crate::domain::SealingKey;

const KEYS: [&str; 3] = ["key", "key_file", "former"];
const EXPECTED: &str = "32 bytes in base64; `openssl rand -base64 32` makes them";

/// Under what secrets are encrypted that are read again. Redacted in `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Those of now, and of before: the first one seals, all of them open. None: one that is
    /// derived from what is in the database.
    pub keys: Vec<SealingKey>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} keys)", self.keys.len())
    }
}

pub(super) fn read(reader: Reader<'_>, node: &Node) -> Option<Secrets> {
    let fields = reader.fields(node, &KEYS)?;
    let key = match (fields.get("key"), fields.get("key_file")) {
        (Some(node), None) => reader.parsed(node, EXPECTED, key_of),
        (None, Some(node)) => from_file(reader, node),
        _ => {
            let problem = "one of `key` and `key_file` holds the key";
            reader.report(node.place, problem);
            None
        }
    };
    let former = fields
        .get("former")
        .map_or(&[][..], |node| reader.list(node));
    let former = former
        .iter()
        .map(|node| reader.parsed(node, EXPECTED, key_of));
    let keys = std::iter::once(key).chain(former);
    Some(Secrets {
        keys: keys.collect::<Option<_>>()?,
    })
}

fn from_file(reader: Reader<'_>, node: &Node) -> Option<SealingKey> {
    let path = reader.path(node)?;
    let read = reader.reads.read(&path).map_err(|error| error.to_string());
    let found = read.and_then(|bytes| key_of(str::from_utf8(&bytes).unwrap_or_default().trim()));
    found
        .map_err(|problem| reader.report(node.place, format!("{}: {problem}", path.display())))
        .ok()
}

fn key_of(text: &str) -> Result<SealingKey, String> {
    let bytes = BASE64.decode(text).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    // What was given may be nearly the key: it is not repeated.
    bytes
        .map(SealingKey::new)
        .ok_or_else(|| format!("this is no key: it has {EXPECTED}"))
}
