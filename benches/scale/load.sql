-- A large installation, the same each time. Each part begins with its name, which is shown.
--
-- Skew: 10 tenants have 2,000 projects each, 90 have 300, 900 have 30, 9,000 two or three.
-- The first tenant owns half of all resources. Fifty users have 2,000 bindings each, the rest
-- about five. `data.rs` counts on these numbers.

--part: settings
-- As the superuser: rows go in without triggers and foreign keys, which they fit.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET work_mem = '256MB';
-- Ids as the gateway makes them: sorted by time, else by chance.
CREATE FUNCTION pg_temp.made(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(1733000000000 + n), 12, '0') || '7' || substr(md5(kind || n), 1, 3)
        || '8' || substr(md5(kind || n), 4, 15))::uuid $$;
CREATE FUNCTION pg_temp.tenant_of(project bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN project <= 20000 THEN (project - 1) / 2000 + 1
        WHEN project <= 47000 THEN (project - 20001) / 300 + 11
        WHEN project <= 74000 THEN (project - 47001) / 30 + 101
        ELSE (project - 74001) % 9000 + 1001 END $$;
CREATE FUNCTION pg_temp.project_of(resource bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN resource <= 2500000 THEN (resource - 1) / 2500 + 1
        WHEN resource <= 4975000 THEN (resource - 2500001) / 25 + 1001
        ELSE resource - 4975000 + 1000 END $$;
CREATE FUNCTION pg_temp.role(wanted text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT id FROM public.roles WHERE name = wanted AND tenant_id IS NULL $$;

--part: 10,000 tenants
INSERT INTO tenants (id, slug, name)
SELECT pg_temp.made('tenant', n), 't' || lpad(n::text, 5, '0'), 'Tenant ' || n
FROM generate_series(1, 10000) AS n;

--part: 150,000 users and 20,000 service accounts
INSERT INTO principals (id, kind, email, name, tenant_id)
SELECT pg_temp.made('user', n), 'user', 'user' || lpad(n::text, 6, '0') || '@example.com', 'User ' || n, NULL
FROM generate_series(1, 150000) AS n;
INSERT INTO principals (id, kind, email, name, tenant_id)
SELECT pg_temp.made('account', n), 'service_account', NULL, 'robot-' || n % 2, pg_temp.made('tenant', (n + 1) / 2)
FROM generate_series(1, 20000) AS n;

--part: 100,000 projects
INSERT INTO projects (id, tenant_id, slug, name, owner_id)
SELECT pg_temp.made('project', n), pg_temp.made('tenant', pg_temp.tenant_of(n)),
    'p' || lpad(n::text, 6, '0'), 'Project ' || n, pg_temp.made('user', n * 7919 % 150000 + 1)
FROM generate_series(1, 100000) AS n;

--part: 5,000,000 resources (minutes)
INSERT INTO resources (id, tenant_id, project_id, upstream, type, external_id, labels, created_by)
SELECT pg_temp.made('resource', n), pg_temp.made('tenant', pg_temp.tenant_of(pg_temp.project_of(n))),
    pg_temp.made('project', pg_temp.project_of(n)), 'app',
    CASE n % 10 WHEN 0 THEN 'dataset' WHEN 1 THEN 'experiment' WHEN 2 THEN 'experiment' ELSE 'run' END,
    CASE n % 10 WHEN 0 THEN 'ds-' || n WHEN 1 THEN n::text WHEN 2 THEN n::text ELSE md5('run' || n) END,
    CASE n % 4 WHEN 0 THEN '{"environment": "production"}'
        WHEN 1 THEN '{"environment": "staging"}' ELSE '{}' END::jsonb,
    'user:' || pg_temp.made('user', n % 150000 + 1)
FROM generate_series(1, 5000000) AS n;

--part: 1,000,000 bindings
-- Eight members in each project.
INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
SELECT pg_temp.made('binding', n), pg_temp.made('user', (p * 7919 + (k + 1) * 10007) % 150000 + 1), role,
    'project', pg_temp.made('tenant', pg_temp.tenant_of(p)), pg_temp.made('project', p)
FROM (SELECT n, (n - 1) / 8 + 1 AS p, (n - 1) % 8 AS k FROM generate_series(1, 800000) AS n) AS numbered,
    LATERAL (SELECT CASE WHEN k <= 3 THEN viewer WHEN k <= 6 THEN editor ELSE scientist END AS role
        FROM (SELECT pg_temp.role('viewer') AS viewer, pg_temp.role('editor') AS editor,
            pg_temp.role('data_scientist') AS scientist OFFSET 0) AS roles) AS chosen;
-- Five in all projects of each of the ten big tenants.
INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id)
SELECT pg_temp.made('binding', 800000 + n), pg_temp.made('user', 149001 + (p - 1) / 2000 * 5 + (n - 1) / 20000),
    auditor, 'project', pg_temp.made('tenant', pg_temp.tenant_of(p)), pg_temp.made('project', p)
FROM (SELECT n, (n - 1) % 20000 + 1 AS p FROM generate_series(1, 100000) AS n) AS numbered,
    (SELECT pg_temp.role('auditor') AS auditor OFFSET 0) AS roles;
-- Every service account in its tenant.
INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id)
SELECT pg_temp.made('binding', 900000 + n), pg_temp.made('account', n), member, 'tenant',
    pg_temp.made('tenant', (n + 1) / 2)
FROM generate_series(1, 20000) AS n, (SELECT pg_temp.role('client_user') AS member OFFSET 0) AS roles;
-- The rest on single resources, some that forbid, some under a condition.
INSERT INTO bindings (id, principal_id, role_id, scope, tenant_id, project_id, resource_id, effect, condition)
SELECT pg_temp.made('binding', 920000 + n), pg_temp.made('user', n * 31 % 150000 + 1), viewer, 'resource',
    pg_temp.made('tenant', pg_temp.tenant_of(pg_temp.project_of(n * 62))),
    pg_temp.made('project', pg_temp.project_of(n * 62)), pg_temp.made('resource', n * 62),
    CASE WHEN n % 16 = 0 THEN 'deny' ELSE 'allow' END,
    CASE WHEN n % 8 = 1 THEN 'resource.environment != "' || (ARRAY['production', 'staging', 'test'])[n % 3 + 1] || '"' END
FROM generate_series(1, 80000) AS n, (SELECT pg_temp.role('viewer') AS viewer OFFSET 0) AS roles;

--part: an administrator
INSERT INTO principals (id, kind, email, name) VALUES (pg_temp.made('user', 0), 'user', 'admin@example.com', 'Admin');
INSERT INTO bindings (id, principal_id, role_id, scope)
VALUES (pg_temp.made('binding', 0), pg_temp.made('user', 0), pg_temp.role('superadmin'), 'platform');
UPDATE policy_version SET version = version + 1;

--part: statistics
VACUUM ANALYZE tenants;
VACUUM ANALYZE principals;
VACUUM ANALYZE projects;
VACUUM ANALYZE bindings;
VACUUM ANALYZE resources;
