-- name: read_outbox
-- The oldest visible rows of each held shard, in id order within the shard: as many as stay
-- within the bytes, as stored, but the oldest always. $1 shards, $2 rows and $3 bytes a shard
SELECT o.id, o.shard, o.topics, o.keys, o.headers, o."values", o.caused_at
  FROM unnest($1::smallint[]) AS held(shard)
 CROSS JOIN LATERAL (
       SELECT oldest.*,
              row_number() OVER in_order AS number,
              sum(pg_column_size(oldest."values")) OVER in_order AS bytes
         FROM (SELECT * FROM outbox WHERE outbox.shard = held.shard ORDER BY outbox.id LIMIT $2)
              AS oldest
       WINDOW in_order AS (ORDER BY oldest.id)
       ) AS o
 WHERE o.number = 1 OR o.bytes <= $3
 ORDER BY o.shard, o.id;

-- name: delete_published
-- Remove rows whose every record Kafka has acknowledged. $1 shards, $2 ids (pairwise)
DELETE FROM outbox
 USING unnest($1::smallint[], $2::bigint[]) AS done(shard, id)
 WHERE outbox.shard = done.shard AND outbox.id = done.id;

-- name: measure_outbox
-- How many rows wait for publication, and the age in seconds of the oldest.
SELECT count(*) AS rows,
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_seconds
  FROM outbox;

-- name: try_lease
-- Take one advisory lock of this session; false where another session holds it. $1 class, $2 key
SELECT pg_try_advisory_lock($1, $2);

-- name: release_lease
-- Give one advisory lock of this session back. $1 class, $2 key
SELECT pg_advisory_unlock($1, $2);

-- name: count_members
-- How many relays are alive: each holds one lock of the members' class. $1 class
SELECT count(*)
  FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND classid = $1::integer::oid
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
