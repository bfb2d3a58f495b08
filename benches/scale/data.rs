//! The large installation in a Postgres of its own, as `load.sql` makes it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use portcullis::clock::Clock;
use portcullis::config::BuiltIn;
use portcullis::domain::{Actor, Catalogue};
use portcullis::store::private_postgres::PrivatePostgres;
use portcullis::store::{Author, Db, NewKey, migrate};
use rand::SeedableRng;
use rand::rngs::StdRng;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::timing::now;
use crate::{Result, say};

const LOAD: &str = include_str!("load.sql");
const ROLES: &str = include_str!("../../config/roles.yaml");

/// Those of `load.sql`.
pub const BINDINGS: f64 = 1_000_000.0;
/// Principals with a key that no gateway has seen.
pub const COLD_KEYS: usize = 300;
/// Principals with a key to whom and from whom roles are given and taken.
const PROBES: usize = 10;

/// API keys of a few principals.
#[derive(Deserialize, Serialize)]
pub struct Keys {
    /// The superadmin's.
    pub admin: String,
    /// Of a user with 2,000 bindings.
    pub heavy: String,
    /// Of one member each of the projects of [`cold_project`].
    pub cold: Vec<String>,
    /// Of [`Probe`]s.
    probes: Vec<String>,
}

/// A user who has no role in a project, until it gets one.
pub struct Probe<'a> {
    pub email: String,
    pub key: &'a str,
    pub tenant: String,
    pub project: String,
    /// Number of a dataset of it.
    pub dataset: usize,
}

pub struct Data {
    postgres: PrivatePostgres,
    url: String,
    pub keys: Keys,
}

impl Data {
    /// What is kept in `dir`, made anew if it is missing or was made otherwise.
    pub async fn open(dir: &Path) -> Result<Self> {
        let dir = dir.join(version());
        let kept = dir.join("keys.json");
        if !kept.exists() {
            forget(&dir)?;
        }
        let postgres = PrivatePostgres::start(&dir).await?;
        let mut author = Author::new(Actor::anonymous(), Clock::system(), StdRng::from_os_rng());
        let built_in = BuiltIn::with(Vec::new()).map_err(|_| "config/roles.yaml")?;
        migrate(&postgres.owner_url().parse()?, &mut author, &built_in.roles).await?;
        let keys = match fs::read(&kept) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => make(&postgres, &mut author, &kept).await?,
        };
        let url = postgres.gateway_url();
        Ok(Self {
            postgres,
            url,
            keys,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn probes(&self) -> impl Iterator<Item = Probe<'_>> {
        self.keys.probes.iter().enumerate().map(|(at, key)| {
            let project = probed_project(at);
            Probe {
                email: email(probing_user(at)),
                key,
                tenant: format!("t{:05}", (project - 47_001) / 30 + 101),
                project: format!("p{project:06}"),
                dataset: dataset_of(project),
            }
        })
    }

    pub async fn close(self) {
        self.postgres.stop().await;
    }
}

/// The project that the holder of a cold key is a member of.
pub const fn cold_project(at: usize) -> usize {
    20_001 + at * 257
}

/// Number of a dataset of a project that has 25 resources.
pub const fn dataset_of(project: usize) -> usize {
    (2_500_001 + (project - 1001) * 25).next_multiple_of(10)
}

/// In tenants of 30 projects.
const fn probed_project(at: usize) -> usize {
    50_000 + at * 1000
}

/// Who is not a member of it, which the first request shows.
const fn probing_user(at: usize) -> usize {
    140_000 + at * 7
}

fn email(user: usize) -> String {
    format!("user{user:06}@example.com")
}

/// What the data follow from. (Later migrations are made on them.)
fn version() -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(LOAD.as_bytes());
    hasher.update(ROLES.as_bytes());
    format!("data-{:08x}", hasher.finalize())
}

/// Gigabytes: of all versions one is kept.
fn forget(dir: &Path) -> Result<()> {
    let home = dir.parent().ok_or("no directory")?;
    fs::create_dir_all(home)?;
    // Postgres runs as somebody else if we are root.
    fs::set_permissions(home, fs::Permissions::from_mode(0o711))?;
    for other in fs::read_dir(home)? {
        let other = other?;
        if other.file_name().to_string_lossy().starts_with("data-") {
            fs::remove_dir_all(other.path())?;
        }
    }
    fs::create_dir(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711))?;
    Ok(())
}

async fn make(postgres: &PrivatePostgres, author: &mut Author, kept: &Path) -> Result<Keys> {
    let options: PgConnectOptions = postgres.urls().superuser().parse()?;
    let mut superuser = options.database("portcullis").connect().await?;
    let fast = "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf()";
    statements(&mut superuser, fast).await?;
    for part in LOAD.split("\n--part: ").skip(1) {
        let (name, sql) = part.split_once('\n').ok_or("an empty part")?;
        let begin = now();
        statements(&mut superuser, sql).await?;
        say(&format!("loaded {name}: {:.0?}", now() - begin));
    }
    let safe = "ALTER SYSTEM RESET ALL; SELECT pg_reload_conf(); CHECKPOINT";
    statements(&mut superuser, safe).await?;
    superuser.close().await?;
    let keys = make_keys(&Db::open(&postgres.gateway_url().parse()?, 2), author).await?;
    fs::write(kept, serde_json::to_vec(&keys)?)?;
    Ok(keys)
}

/// One by one: some of them run in no transaction.
async fn statements(connection: &mut PgConnection, sql: &str) -> Result<()> {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    let sql: Vec<&str> = lines.collect();
    for statement in sql.join("\n").split(";\n").flat_map(single) {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Statements on one line, too.
fn single(text: &str) -> impl Iterator<Item = String> {
    text.split("; ")
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

async fn make_keys(db: &Db, author: &mut Author) -> Result<Keys> {
    say("API keys");
    let mut cold = Vec::new();
    for at in 0..COLD_KEYS {
        let user = (cold_project(at) * 7919 + 10_007) % 150_000 + 1;
        cold.push(make_key(db, author, &email(user)).await?);
    }
    let mut probes = Vec::new();
    for at in 0..PROBES {
        probes.push(make_key(db, author, &email(probing_user(at))).await?);
    }
    Ok(Keys {
        admin: make_key(db, author, "admin@example.com").await?,
        heavy: make_key(db, author, &email(149_001)).await?,
        cold,
        probes,
    })
}

async fn make_key(db: &Db, author: &mut Author, holder: &str) -> Result<String> {
    let new = NewKey {
        principal: holder.parse()?,
        projects: Vec::new(),
        permissions: Vec::new(),
        description: String::new(),
        networks: Vec::new(),
        rate: None,
        expires_at: None,
    };
    let created = db.create_key(author, &new, &Catalogue::new([])).await?;
    Ok(created.token.reveal().expose_secret().to_owned())
}
