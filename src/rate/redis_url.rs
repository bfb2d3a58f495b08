//! Where Redis or Valkey is.

use std::fmt;
use std::str::FromStr;

use redis::{Client, ConnectionAddr};
use secrecy::{ExposeSecret as _, SecretString};

/// A URL that was understood. Redacted in `Debug`: it may hold a password.
#[derive(Clone)]
pub struct RedisUrl {
    client: Client,
    text: SecretString,
}

/// No URL of a Redis. Says nothing of what was wrong: it may be the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Redis URL")]
pub struct MalformedRedisUrl;

impl RedisUrl {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Host and port, or the socket's path: fit for a log.
    pub(super) fn address(&self) -> &ConnectionAddr {
        self.client.get_connection_info().addr()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.address())
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text.expose_secret() == other.text.expose_secret()
    }
}

impl Eq for RedisUrl {}

impl FromStr for RedisUrl {
    type Err = MalformedRedisUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let client = Client::open(text).map_err(|_| MalformedRedisUrl)?;
        let text = text.into();
        Ok(Self { client, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_redis_and_valkey_are_understood() {
        for text in [
            "redis://127.0.0.1",
            "redis://:s3cret@127.0.0.1:6380/2",
            "rediss://user:s3cret@cache.example.com",
            "valkey://127.0.0.1:6379",
            "unix:///run/redis.sock",
        ] {
            let url: RedisUrl = text.parse().unwrap();
            assert!(!format!("{url:?}").contains("s3cret"));
        }
        for text in [
            "",
            "127.0.0.1:6379",
            "http://h",
            "redis://h:port",
            "redis://h/one",
        ] {
            assert!(text.parse::<RedisUrl>().is_err(), "{text}");
        }
    }
}
