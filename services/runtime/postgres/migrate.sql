-- name: set_lock_timeout
-- How long the statements after this wait for a lock. $1 duration such as 10s
SELECT set_config('lock_timeout', $1, false);

-- name: lock_database
-- Let one migration at a time work on a database; released when the session ends.
SELECT pg_advisory_lock(hashtextextended('orderflow migrate', 0));

-- name: close_to_public
-- Revoke rights that every login has and none needs: temporary tables, and tables in the schema
-- `public` (databases created before version 15). Only the owner of the database can revoke them.
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
-- Whether a role exists. $1 role
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1);

-- name: create_role
-- Create a role that owns nothing and cannot log in until it gets a password.
CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;

-- name: is_member
-- Whether this login can take on the role by SET ROLE. $1 role
SELECT pg_has_role($1, 'SET');

-- name: take_on_role
-- Let this login take on the role; one login can so serve every service.
GRANT {role} TO CURRENT_USER;

-- name: quote_literal
-- A text as an SQL literal. $1 text
SELECT quote_literal($1::text);

-- name: set_password
-- Let the role log in with a password.
ALTER ROLE {role} LOGIN PASSWORD {password};

-- name: create_schema
-- Create the schema of a service.
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: create_migration_table
-- Create the list of migrations applied to this schema, with the SHA-256 of each file.
CREATE TABLE IF NOT EXISTS {schema}.migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: grant_rows
-- Grant rights on rows of present and later tables of the schema. The list of migrations is read
-- only; the audit can be read and added to. Sequences can be drawn from, not set: the numbers of an
-- order's events depend on them.
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

-- name: grant_reads
-- Grant the right to read rows of present and later tables of the schema.
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role};

-- name: find_migration_table
-- The table of applied migrations, null if it is missing. $1 schema
SELECT to_regclass(format('%I.migration', $1::text))::text;

-- name: read_migrations
-- The migrations applied to the schema.
SELECT name, sha256 FROM {schema}.migration;

-- name: note_migration
-- Store a file as applied. $1 name, $2 SHA-256
INSERT INTO {schema}.migration (name, sha256) VALUES ($1, $2);
