-- name: set_lock_timeout
-- How long the statements after this wait for a lock. $1 duration such as 10s
SELECT set_config('lock_timeout', $1, false);

-- name: lock_database
-- One migration at a time works on a database; given back when the session ends.
SELECT pg_advisory_lock(hashtextextended('orderflow migrate', 0));

-- name: close_to_public
-- What Postgres lets every login do and nobody here needs: temporary tables, and tables in the
-- schema `public` (databases made before version 15). Only the owner of the database can say so.
DO $$
BEGIN
    IF (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database())
    THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
        IF to_regnamespace('public') IS NOT NULL THEN
            REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        END IF;
    END IF;
END
$$;

-- name: find_role
-- Whether a role is there. $1 role
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1);

-- name: create_role
-- A role that owns nothing and cannot log in until it is given a password.
CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;

-- name: is_member
-- Whether this login can take on the role by SET ROLE. $1 role
SELECT pg_has_role($1, 'SET');

-- name: take_on_role
-- Lets one login serve every service, each connection under the service's own role.
GRANT {role} TO CURRENT_USER;

-- name: quote_literal
-- A text as an SQL literal. $1 text
SELECT quote_literal($1::text);

-- name: set_password
-- Lets the role log in by itself.
ALTER ROLE {role} LOGIN PASSWORD {password};

-- name: create_schema
-- The service's room in the database.
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: create_ledger
-- What was applied to this schema, and the SHA-256 of the file that was.
CREATE TABLE IF NOT EXISTS {schema}.migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: grant_rows
-- Rows of the service's own schema, for tables there now and to come; the ledger to read only,
-- the audit to add to and read only. Sequences are drawn from and never set: an order's numbers
-- depend on them.
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
REVOKE UPDATE ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE UPDATE ON SEQUENCES FROM {role};
REVOKE INSERT, UPDATE, DELETE ON {schema}.migration FROM {role};
DO $$
BEGIN
    IF to_regclass('{schema}.operator_act') IS NOT NULL THEN
        REVOKE UPDATE, DELETE ON {schema}.operator_act FROM {role};
    END IF;
END
$$;

-- name: find_ledger
-- The ledger of a schema, or null. $1 schema
SELECT to_regclass(format('%I.migration', $1::text))::text;

-- name: read_ledger
-- What was applied to the schema.
SELECT name, sha256 FROM {schema}.migration;

-- name: note_migration
-- Remember a file as applied. $1 name, $2 SHA-256
INSERT INTO {schema}.migration (name, sha256) VALUES ($1, $2);
