//! How people sign in.

use portcullis::config::{Offline, ProviderKind, Settings};

use super::with_head;

#[test]
fn sessions() {
    let head = "version: 1
upstreams: { m: { url: 'http://h' } }
routes: [ { route: GET /a, upstream: m, authenticated: true, event: thing.read } ]
";
    let shown = with_head(
        head,
        &[
            ("unknown key", "sign_in: { idel: 1h }"),
            ("too short", "sign_in: { idle: 1s, lifetime: 91d }"),
            ("none at all", "sign_in: { max_concurrent_sessions: 0 }"),
            (
                "an operation that no route has",
                "sign_in: { sensitive_operations: [thing.read, thing.raed], re_auth_max_age: 1s }",
            ),
            (
                "where nobody is known",
                "sign_in: { sensitive_operations: [asset.read, re_authentication.read] }",
            ),
            ("no file", "sign_in: { breached_passwords: /nowhere/list }"),
            (
                "another file",
                "sign_in: { breached_passwords: /etc/passwd }",
            ),
            ("no key", "sign_in: { secrets: { key: c2hvcnQ= } }"),
            ("no key either", "sign_in: { secrets: {} }"),
            ("two keys", "sign_in: { secrets: { key: x, key_file: y } }"),
            (
                "no key file",
                "sign_in: { secrets: { key_file: /nowhere/key } }",
            ),
            (
                "not a key file",
                "sign_in: { secrets: { key_file: /etc/passwd, former: [short] } }",
            ),
            (
                "providers without an address",
                "sign_in: { providers: [ { name: a, tenant: b, oidc: { issuer: 'https://c', client_id: d } } ] }",
            ),
            (
                "what is no provider",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: A b, tenants: x }, { name: a, \
                 tenant: b, oidc: { issuer: 'http://c.example/?x' }, google: { client_id: d } } ] }",
            ),
            (
                "open to the world",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, google: { \
                 client_id: d, allowed_domains: [] } }, { name: c, tenant: b, github: { client_id: d, \
                 allowed_organizations: [] } } ] }",
            ),
            (
                "two of a name, and roles of nobody",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, oidc: { issuer: \
                 'https://c', client_id: d } }, { name: a, tenant: b, domains: [nodot, 'x..y'], oidc: { issuer: \
                 'https://c', client_id: d }, group_role_mapping: [ { role: editor }, { group: g, role: owner }, \
                 { group: g, role: editor, project: 'A B' } ], link_by_email: true } ] }",
            ),
            ("no such word", "sign_in: { mfa: always }"),
            ("a boolean", "sign_in: { mfa: false }"),
            ("no URL", "sign_in: { public_url: ml.example.com }"),
            (
                "more than an origin",
                "sign_in: { public_url: 'https://ml.example.com/x' }",
            ),
            (
                "a name in it",
                "sign_in: { public_url: 'https://ann@ml.example.com' }",
            ),
            (
                "mail without an address",
                "sign_in: { mail: { from: a@example.com, log: true } }",
            ),
            (
                "mail nowhere",
                "sign_in: { public_url: 'https://m.example', mail: { from: a@example.com } }",
            ),
            (
                "mail from nobody, two ways",
                "sign_in: { public_url: 'https://m.example', mail: { log: false, file: /nowhere } }",
            ),
            (
                "an open wire",
                "sign_in: { public_url: 'https://m.example', mail: { from: a@example.com, smtp: { host: mail.example, tls: none, port: 0, username: a, ca_file: /etc/passwd } } }",
            ),
            ("no list", "sign_in: { sensitive_operations: thing.read }"),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn saml() {
    let head = "version: 1
upstreams: { m: { url: 'http://h' } }
routes: [ { route: GET /a, upstream: m, authenticated: true, event: thing.read } ]
";
    let shown = with_head(
        head,
        &[
            (
                "no SAML",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, saml: {} }, { name: c, \
                 tenant: b, saml: { idp_entity_id: 'a b', idp_sso_url: 'http://idp.example', idp_certificate: x, \
                 sign_requests: true, binding: artifact, name_id_format: transient, metadata_refresh: 1m, assertions: \
                 encrypted, attribute_mapping: { mail: x } } } ] }",
            ),
            (
                "no SAML metadata",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, saml: { idp_entity_id: \
                 'https://c', idp_metadata_file: /nowhere, idp_metadata_url: 'ftp://x', idp_slo_url: 'https://c', \
                 sp_key: x } }, { name: d, tenant: b, saml: { idp_entity_id: 'https://c', idp_metadata_file: \
                 /etc/passwd } } ] }",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn known_providers() {
    let shown = with_head(
        "version: 1\nupstreams: { m: { url: 'http://h' } }\n",
        &[
            (
                "known providers",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, okta: { domain: \
                 'https://x', authorization_server: a/b, client_id: d } }, { name: c, tenant: b, entra: { tenant_id: \
                 common, client_id: d } }, { name: e, tenant: b, keycloak: { url: 'https://k/', client_id: d } }, { \
                 name: f, tenant: b, auth0: { client_id: d } }, { name: g, tenant: b, gitlab: { url: 'http://g', \
                 client_id: d } } ] }",
            ),
            (
                "bringing anybody",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, auto_provision_users: \
                 true, oidc: { issuer: 'https://c', client_id: d } } ] }",
            ),
            (
                "two tenants' people",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, domains: [x.example, \
                 y.example], oidc: { issuer: 'https://c', client_id: d } }, { name: c, tenant: d, domains: [Y.example], \
                 oidc: { issuer: 'https://c', client_id: d } } ] }",
            ),
            (
                "asked too often, or not at all",
                "sign_in: { public_url: 'https://m.example', providers: [ { name: a, tenant: b, recheck: 5s, oidc: { \
                 issuer: 'https://c', client_id: d } }, { name: c, tenant: b, recheck: 5m, saml: { idp_entity_id: x, \
                 idp_metadata_url: 'https://c/m' } } ] }",
            ),
        ],
    );
    insta::assert_snapshot!(shown);
}

/// Where those are that go by a name of their own.
#[test]
fn known_providers_are_where_they_are() {
    let kinds = [
        (
            "okta: { domain: acme.okta.com, client_id: d }",
            "https://acme.okta.com/",
        ),
        (
            "okta: { domain: Acme.okta.com, authorization_server: default, client_id: d }",
            "https://acme.okta.com/oauth2/default",
        ),
        (
            "entra: { tenant_id: 6A1F0C3E-7f5b-4b52-9d0e-0d7c2b9f4e11, client_id: d }",
            "https://login.microsoftonline.com/6a1f0c3e-7f5b-4b52-9d0e-0d7c2b9f4e11/v2.0",
        ),
        (
            "google: { allowed_domains: [acme.example], client_id: d }",
            "https://accounts.google.com/",
        ),
        (
            "keycloak: { url: 'https://k.example/auth/', realm: acme, client_id: d }",
            "https://k.example/auth/realms/acme",
        ),
        (
            "auth0: { domain: acme.eu.auth0.com, client_id: d }",
            "https://acme.eu.auth0.com/",
        ),
        ("gitlab: { client_id: d }", "https://gitlab.com/"),
        (
            "gitlab: { url: 'https://git.example/gitlab/', client_id: d }",
            "https://git.example/gitlab",
        ),
    ];
    for (kind, issuer) in kinds {
        let text = format!(
            "version: 1\nupstreams: {{ m: {{ url: 'http://h' }} }}\nsign_in: {{ public_url: \
             'https://m.example', providers: [ {{ name: a, tenant: b, {kind} }} ] }}\n"
        );
        let settings = Settings::parse("p.yaml", &text, &super::environment);
        let settings = settings.unwrap_or_else(|told| panic!("{kind}: {told:?}"));
        let provider = &settings.sign_in.unwrap().providers[0];
        let ProviderKind::Oidc(oidc) = &provider.kind else {
            panic!("{kind}");
        };
        assert_eq!(oidc.issuer.as_str(), issuer, "{kind}");
        // Nothing is kept of anybody unless it is used.
        assert_eq!(oidc.offline, Offline::Unasked, "{kind}");
    }
}
