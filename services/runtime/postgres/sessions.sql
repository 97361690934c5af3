-- name: find_different
-- The parameters of this session that are not as they must be. The role counts by its name: a
-- session may have logged in as it, or have taken it on. $1 names, $2 values
SELECT w.name, w.value AS wanted, f.value AS found
  FROM unnest($1::text[], $2::text[]) AS w (name, value)
 CROSS JOIN LATERAL (
       SELECT CASE w.name WHEN 'role' THEN current_user::text
              ELSE current_setting(w.name, true) END) AS f (value)
  LEFT JOIN pg_settings AS s ON s.name = w.name
 WHERE CASE WHEN s.unit = 'ms' THEN s.setting || 'ms' ELSE f.value END IS DISTINCT FROM w.value
 ORDER BY w.name;

-- name: make_alter_role
-- The statement that gives a role a parameter in this database. $1 role, $2 name, $3 value
SELECT format('ALTER ROLE %I IN DATABASE %I SET %I TO %L', $1::text, current_database(), $2::text,
              $3::text);
