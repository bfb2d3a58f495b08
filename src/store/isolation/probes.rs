//! What the claims let through, asked as SQL.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use super::super::{Claims, Result};
use super::catalogue::{PEOPLE, TABLES};
use super::{Report, text};
use crate::domain::TenantId;

const OWN: &str = "a member sees rows of the own tenant";
const FOREIGN: &str = "a member sees no row of another tenant";
const NOBODY: &str = "without a claim there is no row";
const ALL: &str = "who may read all tenants sees them";
const WRITES: &str = "a member changes nothing of another tenant";
const PRIVATE: &str = "only the platform sees and changes what belongs to people";
const REVIEWS: &str = "a reviewer changes nothing";
const EXISTING: &str = "its members see its rows and no other tenant's";

/// What Postgres says of a row that a policy, or a missing right, keeps out.
const REFUSED: &str = "42501";

/// Two tenants with a row in every table, made for the probes and rolled back.
pub(super) async fn made(connection: &mut PgConnection, report: &mut Report) -> Result<()> {
    let (own, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut tx = connection.begin().await?;
    tx.execute("SELECT audit_ensure_partition(now())").await?;
    claim(&mut tx, Claims::Gateway).await?;
    for statement in rows_of(own).into_iter().chain(rows_of(other)) {
        tx.execute(AssertSqlSafe(statement)).await?;
    }
    let member = Claims::Member(TenantId(own));
    for table in TABLES {
        reads(&mut tx, report, table.name, own, other).await?;
    }
    people(&mut tx, report, own).await?;
    claim(&mut tx, member).await?;
    let through = written(&mut tx, other).await?;
    report.add("member", WRITES, through);
    claim(&mut tx, Claims::Reviewer).await?;
    let through = written(&mut tx, own).await?;
    report.add("reviewer", REVIEWS, through);
    tx.rollback().await?;
    Ok(())
}

/// A person's password, session and mistakes: nothing of it is a tenant's.
async fn people(tx: &mut PgConnection, report: &mut Report, tenant: Uuid) -> Result<()> {
    let person = Uuid::now_v7();
    claim(tx, Claims::Gateway).await?;
    for statement in rows_of_person(person) {
        tx.execute(AssertSqlSafe(statement)).await?;
    }
    for table in PEOPLE {
        let mut wrong = Vec::new();
        claim(tx, Claims::Gateway).await?;
        if !exists(tx, table.name, "true").await? {
            wrong.push("the gateway sees none".to_owned());
        }
        for claims in [Claims::Member(TenantId(tenant)), Claims::Reviewer] {
            claim(tx, claims).await?;
            if exists(tx, table.name, "true").await? {
                wrong.push(format!("{claims:?} sees some"));
            }
        }
        for (role, claimed) in nobodies(tenant) {
            set(tx, &role, &claimed).await?;
            if exists(tx, table.name, "true").await? {
                wrong.push(format!("role `{role}` sees some"));
            }
        }
        report.add(table.name, PRIVATE, some(&wrong));
    }
    claim(tx, Claims::Member(TenantId(tenant))).await?;
    let [_, changes @ ..] = rows_of_person(person);
    let through = let_through(tx, changes).await?;
    report.add("member", PRIVATE, through);
    Ok(())
}

async fn reads(
    tx: &mut PgConnection,
    report: &mut Report,
    table: &str,
    own: Uuid,
    other: Uuid,
) -> Result<()> {
    claim(tx, Claims::Member(TenantId(own))).await?;
    let (own_row, other_row) = (row(table, own), row(table, other));
    let seen = exists(tx, table, &own_row).await?;
    report.add(table, OWN, (!seen).then(|| "it sees none".to_owned()));
    let seen = exists(tx, table, &other_row).await?;
    report.add(table, FOREIGN, seen.then(|| "it does".to_owned()));
    let mut blind = Vec::new();
    for claims in [Claims::Reviewer, Claims::Superadmin, Claims::Gateway] {
        claim(tx, claims).await?;
        if !exists(tx, table, &own_row).await? || !exists(tx, table, &other_row).await? {
            blind.push(format!("{claims:?} does not"));
        }
    }
    report.add(table, ALL, some(&blind));
    let mut through = Vec::new();
    for (role, tenant) in nobodies(own) {
        set(tx, &role, &tenant).await?;
        if exists(tx, table, "true").await? {
            through.push(format!("role `{role}`, tenant `{tenant}`"));
        }
    }
    report.add(table, NOBODY, some(&through));
    Ok(())
}

/// Existing tenants, as their members see them.
pub(super) async fn existing(
    connection: &mut PgConnection,
    report: &mut Report,
    sample: u32,
) -> Result<()> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut tx = connection.begin_with(begin).await?;
    claim(&mut tx, Claims::Gateway).await?;
    let tenants = format!("SELECT id::text FROM tenants ORDER BY random() LIMIT {sample}");
    for tenant in text(&mut tx, &tenants).await? {
        let Ok(id) = tenant.parse() else { continue };
        let mut wrong = Vec::new();
        for table in TABLES.iter().filter(|table| table.name != "api_key_usage") {
            let (name, own) = (table.name, row(table.name, id));
            claim(&mut tx, Claims::Gateway).await?;
            let all = count(&mut tx, name, &own).await?;
            claim(&mut tx, Claims::Member(TenantId(id))).await?;
            let seen = count(&mut tx, name, &own).await?;
            if all != seen {
                wrong.push(format!("{name}: {seen} of {all} rows"));
            }
            if exists(&mut tx, name, &own.replace(" = ", " <> ")).await? {
                wrong.push(format!("{name}: rows of others"));
            }
        }
        report.add(&format!("tenant {tenant}"), EXISTING, some(&wrong));
    }
    tx.rollback().await?;
    Ok(())
}

fn some(wrong: &[String]) -> Option<String> {
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// Claims that are none: absent, half, malformed, of another tongue.
fn nobodies(tenant: Uuid) -> [(String, String); 6] {
    let tenant = tenant.to_string();
    [
        (String::new(), String::new()),
        (String::new(), tenant.clone()),
        ("member".to_owned(), String::new()),
        (
            "member".to_owned(),
            format!("{tenant}' OR true --").replace('\'', "''"),
        ),
        ("member".to_owned(), Uuid::nil().to_string()),
        ("authenticated".to_owned(), tenant),
    ]
}

async fn claim(connection: &mut PgConnection, claims: Claims) -> Result<()> {
    connection
        .execute(AssertSqlSafe(claims.statement()))
        .await?;
    Ok(())
}

async fn set(connection: &mut PgConnection, role: &str, tenant: &str) -> Result<()> {
    let sql = format!(
        "SELECT set_config('request.jwt.claim.role', '{role}', true),
             set_config('request.jwt.claim.tenant_id', '{tenant}', true)"
    );
    connection.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

async fn exists(connection: &mut PgConnection, table: &str, which: &str) -> Result<bool> {
    let sql = format!("SELECT 'yes' WHERE EXISTS (SELECT FROM {table} WHERE {which})");
    Ok(!text(connection, &sql).await?.is_empty())
}

async fn count(connection: &mut PgConnection, table: &str, which: &str) -> Result<String> {
    let sql = format!("SELECT count(*)::text FROM {table} WHERE {which}");
    Ok(text(connection, &sql).await?.join(""))
}

/// The first statement that changed a row of this tenant, if one did.
async fn written(connection: &mut PgConnection, tenant: Uuid) -> Result<Option<String>> {
    let statements = rows_of(tenant).into_iter().chain(changes_of(tenant));
    let_through(connection, statements).await
}

async fn let_through(
    connection: &mut PgConnection,
    statements: impl IntoIterator<Item = String>,
) -> Result<Option<String>> {
    for statement in statements {
        let mut probe = connection.begin().await?;
        let done = probe.execute(AssertSqlSafe(statement.clone())).await;
        probe.rollback().await?;
        let through = match done {
            Ok(done) => done.rows_affected() > 0,
            Err(sqlx::Error::Database(cause)) => cause.code().as_deref() != Some(REFUSED),
            Err(other) => return Err(other.into()),
        };
        if through {
            return Ok(Some(statement));
        }
    }
    Ok(None)
}

/// What finds the rows of a tenant.
fn row(table: &str, tenant: Uuid) -> String {
    match table {
        "tenants" => format!("id = '{tenant}'"),
        "api_key_usage" => format!("key_id = '{}'", key(tenant)),
        _ => format!("tenant_id = '{tenant}'"),
    }
}

/// An id of a key: twelve characters of the tenant's random ones.
fn key(tenant: Uuid) -> String {
    tenant.simple().to_string()[20..].to_owned()
}

/// All ids are the tenant's own, which is one of each kind.
fn rows_of(tenant: Uuid) -> [String; 11] {
    let key = key(tenant);
    [
        format!("INSERT INTO tenants (id, slug, name) VALUES ('{tenant}', 'verify-{key}', 'x')"),
        format!(
            "INSERT INTO principals (id, kind, name, tenant_id)
             VALUES ('{tenant}', 'service_account', 'verify', '{tenant}')"
        ),
        format!(
            "INSERT INTO projects (id, tenant_id, slug, name, owner_id)
             VALUES ('{tenant}', '{tenant}', 'verify', 'x', '{tenant}')"
        ),
        format!(
            "INSERT INTO roles (id, tenant_id, name, scope, permissions)
             VALUES ('{tenant}', '{tenant}', 'verify', 'project', '{{x:read}}')"
        ),
        format!(
            "INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
             VALUES ('{tenant}', '{tenant}', '{tenant}', 'project', '{tenant}', '{tenant}')"
        ),
        format!(
            "INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, created_by)
             VALUES ('{tenant}', '{tenant}', '{tenant}', 'verify', 'verify', '{tenant}', 'verify')"
        ),
        format!(
            "INSERT INTO api_keys (id, principal_id, secret_hash, created_by)
             VALUES ('{key}', '{tenant}', sha256(''), 'verify')"
        ),
        format!("INSERT INTO api_key_usage (key_id, last_used_at) VALUES ('{key}', now())"),
        format!(
            "INSERT INTO audit_events (id, occurred_at, event, result, actor_type, tenant_id)
             VALUES ('{tenant}', now(), 'verify', 'success', 'operator', '{tenant}')"
        ),
        // A name is retired by deleting its project, and in no other way.
        format!(
            "INSERT INTO projects (id, tenant_id, slug, name, owner_id)
             VALUES (gen_random_uuid(), '{tenant}', 'gone-' || left(gen_random_uuid()::text, 8), 'x', '{tenant}')"
        ),
        format!("DELETE FROM projects WHERE tenant_id = '{tenant}' AND slug LIKE 'gone-%'"),
    ]
}

fn rows_of_person(id: Uuid) -> [String; 17] {
    [
        format!(
            "INSERT INTO principals (id, kind, email, name)
             VALUES ('{id}', 'user', 'verify-{id}@example.invalid', 'verify')"
        ),
        format!(
            "INSERT INTO passwords (principal_id, hash, changed_at)
             VALUES ('{id}', '$argon2id$verify', now())"
        ),
        format!(
            "INSERT INTO sessions (id, principal_id, secret_hash, created_at, authenticated_at,
                 expires_at, idle_seconds, user_agent, methods)
             VALUES ('{id}', '{id}', sha256(''), now(), now(), now() + interval '1 hour', 60, '', '{{pwd}}')"
        ),
        format!("INSERT INTO session_activity (session_id, last_active_at) VALUES ('{id}', now())"),
        format!(
            "INSERT INTO sign_in_failures (account, source, failures, last_at)
             VALUES (sha256('{id}'), 'verify', 1, now())"
        ),
        format!(
            "INSERT INTO totp (principal_id, sealed, created_at, last_step)
             VALUES ('{id}', '', now(), 0)"
        ),
        format!(
            "INSERT INTO passkeys (id, principal_id, credential_id, name, passkey, created_at)
             VALUES ('{id}', '{id}', sha256('{id}'), 'verify', '{{}}', now())"
        ),
        format!(
            "INSERT INTO recovery_codes (principal_id, code_hash) VALUES ('{id}', sha256('{id}'))"
        ),
        format!(
            "INSERT INTO ceremonies (id, session_id, state, expires_at)
             VALUES ('{id}', '{id}', '{{}}', now())"
        ),
        format!(
            "INSERT INTO identities (provider, subject, issuer, principal_id, linked_at, last_at)
             VALUES ('verify', '{id}', '', '{id}', now(), now())"
        ),
        format!(
            "INSERT INTO scim_resources (id, tenant_id, kind, name, document, created_at, updated_at)
             SELECT '{id}', id, 'User', 'verify', '{{}}', now(), now() FROM tenants LIMIT 1"
        ),
        format!(
            "INSERT INTO providers (id, name, tenant_id, settings, sealed, created_at, updated_at)
             SELECT '{id}', '{id}', id, '{{}}', '', now(), now() FROM tenants LIMIT 1"
        ),
        format!(
            "INSERT INTO revoked_tokens (id, key_id, revoked_at, expires_at)
             VALUES ('{id}', 'verify', now(), now())"
        ),
        format!(
            "INSERT INTO signing_keys (id, sealed, created_at, signs_from)
             VALUES (rpad('{id}', 43, '0'), '', now(), now())"
        ),
        format!(
            "INSERT INTO provider_messages (provider, digest, expires_at)
             VALUES ('verify', sha256('{id}'), now())"
        ),
        format!(
            "INSERT INTO provider_sessions (session_id, provider, name, there)
             VALUES ('{id}', 'verify', '', '{{}}')"
        ),
        format!(
            "INSERT INTO one_time_links (id, principal_id, purpose, secret_hash, created_at, expires_at)
             VALUES ('{id}', '{id}', 'reset', sha256('{id}'), now(), now() + interval '1 hour')"
        ),
    ]
}

fn changes_of(tenant: Uuid) -> [String; 10] {
    let key = key(tenant);
    [
        format!("UPDATE principals SET disabled_at = now() WHERE tenant_id = '{tenant}'"),
        format!("UPDATE projects SET name = 'y' WHERE tenant_id = '{tenant}'"),
        format!("UPDATE roles SET permissions = '{{y:read}}' WHERE tenant_id = '{tenant}'"),
        format!("UPDATE resources SET labels = '{{}}' WHERE tenant_id = '{tenant}'"),
        format!("UPDATE api_keys SET revoked_at = now() WHERE id = '{key}'"),
        format!("UPDATE api_key_usage SET last_used_at = now() WHERE key_id = '{key}'"),
        format!("DELETE FROM resources WHERE tenant_id = '{tenant}'"),
        format!("DELETE FROM bindings WHERE tenant_id = '{tenant}'"),
        format!("DELETE FROM roles WHERE tenant_id = '{tenant}'"),
        format!("DELETE FROM projects WHERE tenant_id = '{tenant}'"),
    ]
}
