//! What is set up: roles, tables, policies, grants, functions.

use sqlx::PgConnection;

use super::super::Result;
use super::{Report, text};

/// A table that tenants share, with its policies and what the gateway may do with it.
pub(super) struct Table {
    pub(super) name: &'static str,
    policies: &'static [&'static str],
    grants: &'static [&'static str],
}

const USUAL: &[&str] = &[
    "tenant_delete DELETE",
    "tenant_insert INSERT",
    "tenant_select SELECT",
    "tenant_update UPDATE",
];

pub(super) const TABLES: &[Table] = &[
    Table {
        name: "tenants",
        policies: USUAL,
        grants: &[
            "INSERT",
            "SELECT",
            "UPDATE (key_rules)",
            "UPDATE (session_rules)",
        ],
    },
    Table {
        name: "projects",
        policies: USUAL,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (name)",
            "UPDATE (owner_id)",
            "UPDATE (session_rules)",
        ],
    },
    Table {
        name: "retired_projects",
        policies: USUAL,
        grants: &["SELECT"],
    },
    Table {
        name: "principals",
        policies: &[
            "member_select SELECT",
            "tenant_delete DELETE",
            "tenant_insert INSERT",
            "tenant_select SELECT",
            "tenant_update UPDATE",
        ],
        grants: &[
            "INSERT",
            "SELECT",
            "UPDATE (disabled_at)",
            "UPDATE (disabled_for)",
            "UPDATE (made_for)",
        ],
    },
    Table {
        name: "roles",
        policies: &[
            "built_in_select SELECT",
            "tenant_delete DELETE",
            "tenant_insert INSERT",
            "tenant_select SELECT",
            "tenant_update UPDATE",
        ],
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE (permissions)"],
    },
    Table {
        name: "bindings",
        policies: USUAL,
        grants: &["DELETE", "INSERT", "SELECT"],
    },
    Table {
        name: "resources",
        policies: USUAL,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (external_id)",
            "UPDATE (labels)",
            "UPDATE (project_id)",
        ],
    },
    Table {
        name: "api_keys",
        policies: USUAL,
        grants: &[
            "INSERT",
            "SELECT",
            "UPDATE (approved_for)",
            "UPDATE (expires_at)",
            "UPDATE (revoked_at)",
        ],
    },
    Table {
        name: "api_key_usage",
        policies: &[
            "tenant_insert INSERT",
            "tenant_select SELECT",
            "tenant_update UPDATE",
        ],
        grants: &["INSERT", "SELECT", "UPDATE"],
    },
    Table {
        name: "audit_events",
        policies: &["tenant_insert INSERT", "tenant_select SELECT"],
        grants: &["INSERT", "SELECT"],
    },
];

const OF_THE_PLATFORM: &[&str] = &[
    "platform_delete DELETE",
    "platform_insert INSERT",
    "platform_select SELECT",
    "platform_update UPDATE",
];

/// What belongs to people, who belong to no tenant.
pub(super) const PEOPLE: &[Table] = &[
    Table {
        name: "passwords",
        policies: OF_THE_PLATFORM,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (changed_at)",
            "UPDATE (hash)",
        ],
    },
    Table {
        name: "sessions",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE (revoked_at)"],
    },
    Table {
        name: "session_activity",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE"],
    },
    Table {
        name: "sign_in_failures",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE"],
    },
    Table {
        name: "one_time_links",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT"],
    },
    Table {
        name: "totp",
        policies: OF_THE_PLATFORM,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (last_step)",
            "UPDATE (sealed)",
        ],
    },
    Table {
        name: "passkeys",
        policies: OF_THE_PLATFORM,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (last_used_at)",
            "UPDATE (passkey)",
        ],
    },
    Table {
        name: "recovery_codes",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE (used_at)"],
    },
    Table {
        name: "identities",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE (last_at)"],
    },
    Table {
        name: "scim_resources",
        policies: OF_THE_PLATFORM,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (document)",
            "UPDATE (external_id)",
            "UPDATE (name)",
            "UPDATE (principal_id)",
            "UPDATE (updated_at)",
        ],
    },
    Table {
        name: "provider_messages",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT"],
    },
    Table {
        name: "provider_sessions",
        policies: OF_THE_PLATFORM,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (ask_at)",
            "UPDATE (checked_at)",
            "UPDATE (sealed)",
        ],
    },
    Table {
        name: "providers",
        policies: OF_THE_PLATFORM,
        grants: &[
            "DELETE",
            "INSERT",
            "SELECT",
            "UPDATE (sealed)",
            "UPDATE (settings)",
            "UPDATE (updated_at)",
        ],
    },
    Table {
        name: "revoked_tokens",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT"],
    },
    Table {
        name: "signing_keys",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT", "UPDATE (served_until)"],
    },
    Table {
        name: "ceremonies",
        policies: OF_THE_PLATFORM,
        grants: &["DELETE", "INSERT", "SELECT"],
    },
];

pub(super) async fn roles(connection: &mut PgConnection, report: &mut Report) -> Result<()> {
    let powers = "SELECT power FROM pg_roles r, LATERAL (VALUES
            ('superuser', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
            ('LOGIN', r.rolcanlogin)) AS powers (power, has)
        WHERE has AND rolname = 'portcullis_gateway'";
    let found = text(connection, powers).await?;
    report.compare("portcullis_gateway", "the role has no powers", &found, &[]);
    let groups = "SELECT r.rolname::text FROM pg_roles r
        WHERE pg_has_role('portcullis_gateway', r.oid, 'MEMBER') AND r.rolname <> 'portcullis_gateway'";
    let found = text(connection, groups).await?;
    report.compare(
        "portcullis_gateway",
        "the role is a member of nothing",
        &found,
        &[],
    );
    let owners = format!(
        "SELECT DISTINCT r.rolname || CASE WHEN r.rolsuper THEN ', a superuser'
             WHEN r.rolbypassrls THEN ', with BYPASSRLS' ELSE '' END
         FROM ({SHARED}) AS shared JOIN pg_class c ON c.oid = shared.oid JOIN pg_roles r ON r.oid = c.relowner"
    );
    let owners = text(connection, &owners).await?;
    let one_plain = owners.len() == 1 && !owners[0].contains(',');
    report.add(
        "schema public",
        "one role owns the tables, no superuser, without BYPASSRLS",
        (!one_plain).then(|| owners.join("; ")),
    );
    Ok(())
}

/// Tables of tenants and people by what they have, partitions included: a new one is not forgotten.
const SHARED: &str = "
    SELECT c.oid, c.relname::text AS name FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND (c.relname IN ('tenants', 'api_key_usage', 'passwords', 'sessions', 'session_activity', 'sign_in_failures',
            'totp', 'passkeys', 'recovery_codes', 'ceremonies', 'one_time_links',
            'identities', 'provider_messages', 'provider_sessions', 'signing_keys', 'revoked_tokens')
        OR EXISTS (SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))";

pub(super) async fn tables(connection: &mut PgConnection, report: &mut Report) -> Result<()> {
    let names = text(
        connection,
        &format!("SELECT name FROM ({SHARED}) AS t ORDER BY 1"),
    )
    .await?;
    let all = || TABLES.iter().chain(PEOPLE);
    let missing = all().filter(|table| !names.iter().any(|name| name == table.name));
    for table in missing {
        report.add(table.name, "it is there", Some("missing".to_owned()));
    }
    for name in &names {
        // Names come from the catalogue, of tables that only the owner can make.
        let open = format!(
            "SELECT word FROM pg_class c, LATERAL (VALUES
                 ('not enabled', NOT c.relrowsecurity), ('not forced', NOT c.relforcerowsecurity)
             ) AS words (word, holds) WHERE holds AND c.oid = 'public.{name}'::regclass"
        );
        let open = text(connection, &open).await?;
        report.compare(name, "row-level security is enabled and forced", &open, &[]);
        let known = all().find(|table| table.name == name);
        let (policies, grants) = known.map_or((&[][..], &[][..]), |it| (it.policies, it.grants));
        if known.is_none() && !is_partition(connection, name).await? {
            report.add(
                name,
                "it is known",
                Some("an unknown table of tenants".to_owned()),
            );
        }
        let found = format!(
            "SELECT policyname || ' ' || cmd || CASE permissive WHEN 'PERMISSIVE' THEN '' ELSE ' restrictive' END
                 || CASE roles::text WHEN '{{public}}' THEN '' ELSE ' for ' || roles::text END
             FROM pg_policies WHERE schemaname = 'public' AND tablename = '{name}'"
        );
        let found = text(connection, &found).await?;
        report.compare(name, "its policies are the migrations'", &found, policies);
        let found = text(connection, &granted(name)).await?;
        report.compare(name, "the grants are the migrations'", &found, grants);
    }
    unprotected_triggers(connection, report).await
}

async fn is_partition(connection: &mut PgConnection, name: &str) -> Result<bool> {
    let sql = format!(
        "SELECT 'yes' FROM pg_inherits
         WHERE inhrelid = 'public.{name}'::regclass AND inhparent = 'public.audit_events'::regclass"
    );
    Ok(!text(connection, &sql).await?.is_empty())
}

/// What anybody but the owner may do with it, `portcullis_gateway` unnamed.
fn granted(name: &str) -> String {
    format!(
        "WITH acl AS (
             SELECT a.grantee, a.privilege_type, NULL::name AS attname
             FROM pg_class c, aclexplode(c.relacl) a
             WHERE c.oid = 'public.{name}'::regclass AND a.grantee <> c.relowner
             UNION ALL
             SELECT a.grantee, a.privilege_type, t.attname
             FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
             WHERE t.attrelid = 'public.{name}'::regclass AND a.grantee <> c.relowner)
         SELECT privilege_type || coalesce(' (' || attname || ')', '')
             || CASE WHEN r.rolname = 'portcullis_gateway' THEN ''
                 ELSE ' to ' || coalesce(r.rolname, 'PUBLIC') END
         FROM acl LEFT JOIN pg_roles r ON r.oid = acl.grantee"
    )
}

async fn unprotected_triggers(connection: &mut PgConnection, report: &mut Report) -> Result<()> {
    let open = "SELECT c.relname::text FROM pg_class c
        WHERE (c.oid = 'public.audit_events'::regclass OR c.oid IN (
                SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.audit_events'::regclass))
          AND NOT EXISTS (SELECT FROM pg_trigger t
            WHERE t.tgrelid = c.oid AND t.tgname = 'audit_append_only' AND t.tgenabled = 'A')";
    let open = text(connection, open).await?;
    report.compare("audit_events", "every partition is append-only", &open, &[]);
    Ok(())
}

pub(super) async fn functions(connection: &mut PgConnection, report: &mut Report) -> Result<()> {
    let definers = "SELECT p.proname::text FROM pg_proc p
        WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
          AND has_function_privilege('portcullis_gateway', p.oid, 'EXECUTE')";
    let found = text(connection, definers).await?;
    report.compare(
        "schema public",
        "the gateway runs one function with the owner's rights",
        &found,
        &["audit_ensure_partition"],
    );
    let views = "SELECT c.relname::text FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm', 'f')
          AND has_any_column_privilege('portcullis_gateway', c.oid, 'SELECT')";
    let found = text(connection, views).await?;
    report.compare(
        "schema public",
        "no view shows rows past the policies",
        &found,
        &[],
    );
    let create =
        "SELECT 'CREATE' WHERE has_schema_privilege('portcullis_gateway', 'public', 'CREATE')";
    let found = text(connection, create).await?;
    report.compare(
        "schema public",
        "the gateway cannot create in it",
        &found,
        &[],
    );
    Ok(())
}
