-- name: append_rows
-- Add packed rows and, in the same round trip, store the positions after the batch that made them.
-- Sorted before the defaults are computed, so ids rise in the order given. The positions are empty
-- if no batch ends here.
-- $1 shards, $2 packed, $3 records, $4 unpacked bytes (in step), $5 caused at, $6 number of shards,
-- $7 group, $8 topics, $9 partitions, $10 offsets, $11 timestamps, $12 checksums (in step)
WITH moved AS (
    UPDATE position
       SET next_offset = last.last_offset + 1, updated_at = now(), tries = 0,
           last_offset = last.last_offset, last_timestamp_ms = last.timestamp_ms,
           last_crc32 = last.crc32
      FROM unnest($8::text[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[])
           AS last(topic, partition, last_offset, timestamp_ms, crc32)
     WHERE position.consumer_group = $7
       AND position.topic = last.topic AND position.partition = last.partition
)
INSERT INTO outbox (shard, packed, records, unpacked_bytes, caused_at, shards)
SELECT shard, packed, records, unpacked_bytes, $5::timestamptz, $6::smallint
  FROM unnest($1::smallint[], $2::bytea[], $3::integer[], $4::integer[])
       WITH ORDINALITY AS added(shard, packed, records, unpacked_bytes, nth)
 ORDER BY nth;

-- name: read_outbox
-- The oldest visible rows of each held shard, from all segments, in id order within the shard: as
-- many as stay within the bytes unpacked, and always the oldest. Of arrays written by the version
-- before only the compressed size is known. is_last marks the last row of a shard without further
-- rows. $1 shards, $2 rows and $3 bytes a shard
SELECT o.id, o.shard, o.slot, o.packed, o.records, o.unpacked_bytes,
       o.topics, o.keys, o.headers, o."values", o.caused_at, o.created_at, o.is_last
  FROM unnest($1::smallint[]) AS held(shard)
 CROSS JOIN LATERAL (
       SELECT oldest.*,
              row_number() OVER in_order AS number,
              row_number() OVER in_order < $2 AND lead(oldest.id) OVER in_order IS NULL AS is_last,
              sum(coalesce(oldest.unpacked_bytes, pg_column_size(oldest."values"))) OVER in_order
                  AS bytes
         FROM (SELECT * FROM outbox WHERE outbox.shard = held.shard ORDER BY outbox.id LIMIT $2)
              AS oldest
       WINDOW in_order AS (ORDER BY oldest.id)
       ) AS o
 WHERE o.number = 1 OR o.bytes <= $3
 ORDER BY o.shard, o.id;

-- name: find_service
-- The service whose schema this connection works in.
SELECT current_schema()::text;

-- name: count_old_relays
-- Running relays that do not read packed rows: they hold only the member's lock.
-- $1 class of members, $2 class of those that read packed rows
SELECT count(*)
  FROM (SELECT pid
          FROM pg_locks
         WHERE locktype = 'advisory' AND granted
           AND classid IN ($1::integer::oid, $2::integer::oid)
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         GROUP BY pid
        HAVING bool_and(classid = $1::integer::oid)) AS old;

-- name: lock_packed
-- The oldest packed rows of some shards, without rows locked by another process.
-- $1 shards, $2 rows a shard
SELECT o.id, o.shard, o.slot, o.packed, o.records, o.unpacked_bytes
  FROM unnest($1::smallint[]) AS wanted(shard)
 CROSS JOIN LATERAL (
       SELECT * FROM outbox
        WHERE outbox.shard = wanted.shard AND outbox.packed IS NOT NULL
        ORDER BY outbox.id
        LIMIT $2
          FOR UPDATE SKIP LOCKED
       ) AS o
 ORDER BY o.shard, o.id;

-- name: lock_packed_row
-- One packed row. $1 shard, $2 id
SELECT id, shard, slot, packed, records, unpacked_bytes
  FROM outbox
 WHERE shard = $1 AND id = $2 AND packed IS NOT NULL
   FOR UPDATE;

-- name: unpack_row
-- Replace the packed records by arrays, which the version before reads.
-- $1 shard, $2 id, $3 segment, $4 topics, $5 keys, $6 headers, $7 values, $8 bytes of these
UPDATE outbox
   SET packed = NULL, topics = $4, keys = $5, headers = $6, "values" = $7, unpacked_bytes = $8
 WHERE shard = $1 AND id = $2 AND slot = $3;

-- name: find_waiting_rows
-- The oldest rows that wait, of all shards. $1 rows
SELECT id, shard, slot, packed, records, unpacked_bytes, topics, keys, headers, "values",
       caused_at, created_at, false AS is_last
  FROM outbox
 ORDER BY shard, id
 LIMIT $1;

-- name: read_packed
-- The oldest packed rows of a shard. $1 shard, $2 rows
SELECT packed, records, unpacked_bytes
  FROM outbox
 WHERE shard = $1 AND packed IS NOT NULL
 ORDER BY id
 LIMIT $2;

-- name: delete_published
-- Delete rows whose every record Kafka has acknowledged. With the segment only one table partition
-- is searched. $1 shards, $2 ids, $3 segments (pairwise)
DELETE FROM outbox
 USING unnest($1::smallint[], $2::bigint[], $3::smallint[]) AS done(shard, id, slot)
 WHERE outbox.shard = done.shard AND outbox.id = done.id AND outbox.slot = done.slot;

-- name: measure_outbox
-- How many rows wait for publication, counted up to 10,000 a shard: after hours without Kafka
-- counting all would read gigabytes. The age in seconds of the oldest row, and the size of the
-- segments on disk. $1 shards
SELECT coalesce(sum(waiting.rows), 0)::bigint AS rows,
       coalesce(extract(epoch FROM clock_timestamp() - min(waiting.oldest)), 0)::float8
           AS oldest_age_seconds,
       (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
         WHERE inhparent = 'outbox'::regclass)::bigint AS bytes
  FROM generate_series(0, $1::integer - 1) AS each(shard)
 CROSS JOIN LATERAL (
       SELECT (SELECT count(*)
                 FROM (SELECT FROM outbox WHERE outbox.shard = each.shard LIMIT 10000) AS counted)
                  AS rows,
              (SELECT created_at FROM outbox WHERE outbox.shard = each.shard
                ORDER BY id LIMIT 1) AS oldest
       ) AS waiting;

-- name: find_worn_segments
-- Segments of more than $1 bytes that are not written to now.
SELECT segment.relname::text AS segment
  FROM pg_inherits
  JOIN pg_class AS segment ON segment.oid = inhrelid
 WHERE inhparent = 'outbox'::regclass
   AND segment.relname <> 'outbox_' || outbox_slot()
   AND pg_total_relation_size(segment.oid) > $1
 ORDER BY segment.relname;

-- name: has_rows
-- Whether the locked segment holds a row that is not published. {segment} is its table
SELECT EXISTS (SELECT FROM ONLY {segment});

-- name: claim_shards
-- Store the number of shards if none is stored; returns the stored one. $1 shards
WITH stored AS (
    INSERT INTO outbox_shards (shards) VALUES ($1)
        ON CONFLICT (is_only_row) DO UPDATE SET shards = outbox_shards.shards
    RETURNING shards
)
SELECT shards FROM stored;

-- name: find_shards
-- The stored number of shards; no row if none is stored.
SELECT shards FROM outbox_shards;

-- name: has_waiting_rows
-- Whether anything waits for publication.
SELECT EXISTS (SELECT FROM outbox);

-- name: change_shards
-- Store another number of shards. $1 shards
UPDATE outbox_shards SET shards = $1;

-- name: block_writers
-- Let no session add a row until the end of the transaction.
LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE;

-- name: try_lease
-- Take one advisory lock of this session; false where another session holds it. $1 class, $2 key
SELECT pg_try_advisory_lock($1, $2);

-- name: release_lease
-- Release one advisory lock of this session. $1 class, $2 key
SELECT pg_advisory_unlock($1, $2);

-- name: count_members
-- How many relays run: each holds one lock of the members' class. $1 class
SELECT count(*)
  FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND classid = $1::integer::oid
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: find_other_shards
-- Other numbers of shards that running relays use. $1 class of the lock, $2 shards
SELECT DISTINCT objid::bigint::integer AS shards
  FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND classid = $1::integer::oid
   AND objid <> $2::integer::oid
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: share_lease
-- Show, for as long as this session lives, that it uses this number. $1 class, $2 shards
SELECT pg_try_advisory_lock_shared($1, $2);

-- name: end_when_silent
-- Let the server end this session when it sends no statement for so long. $1 duration such as 10000ms
SELECT set_config('idle_session_timeout', $1, false);

-- name: find_pending
-- Which of the shards have rows to publish. $1 shards
SELECT held.shard
  FROM unnest($1::smallint[]) AS held(shard)
 WHERE EXISTS (SELECT FROM outbox WHERE outbox.shard = held.shard);

-- name: delete_marked
-- Delete rows that a marker names as published. $1 shard, $2 ids, $3 times of creation (in step)
DELETE FROM outbox
 USING unnest($2::bigint[], $3::timestamptz[]) AS done(id, created_at)
 WHERE outbox.shard = $1 AND outbox.id = done.id AND outbox.created_at = done.created_at;

-- name: commit_durably
-- Commits of this session wait for the disk: the next publication relies on them.
SELECT set_config('synchronous_commit', 'on', false);

-- name: commit_at_once
-- Commits of this session do not wait for the disk. After a crash of the server, rows deleted up to
-- three times its wal_writer_delay before may be there again; they are published once more.
SELECT set_config('synchronous_commit', 'off', false);

-- name: plan_by_index
-- Plan each statement of this session once, for any parameters, by index and nested loops: that is
-- right for an empty outbox and for one of millions of rows, whatever the statistics say.
SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false);
