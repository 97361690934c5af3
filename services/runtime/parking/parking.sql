-- name: find_first_parked
-- The first row of the queue. Where there is none, no parking key needs to be computed.
SELECT id FROM parked ORDER BY id, nth LIMIT 1;

-- name: find_held_keys
-- Of the parking keys, those that parked rows have, each with the first position that has it. Rows
-- that this batch retries do not count. $1 keys, $2 ids, $3 nths of such rows (pairwise)
SELECT wanted.name, first.id, first.nth
  FROM unnest($1::text[]) AS wanted(name)
 CROSS JOIN LATERAL (
       SELECT id, nth
         FROM parked_name
        WHERE parked_name.name = wanted.name
          AND (id, nth) NOT IN (SELECT * FROM unnest($2::bigint[], $3::integer[]))
        ORDER BY id, nth
        LIMIT 1) AS first;

-- name: park
-- Insert rows in this order: at the end of the queue, or with an id after the rows of that id.
-- An item that has a row already (its record was read twice) keeps that row. $1 ids or null,
-- $2 which of its id's, from 1, $3 indexes, $4 item ids, $5 topics, $6 partitions, $7 offsets, $8 keys,
-- $9 headers, $10 values, $11 record timestamps, $12 types, $13 kinds, $14 errors, $15 tracebacks,
-- $16 attempts, $17 seconds to the next retry or null (all pairwise), $18 business time; $19 keys,
-- $20 the number, from 1, of the row that has each
WITH coming AS (
    SELECT new.*, coalesce(present.nth, 0) + new.nth AS next_nth
      FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::uuid[], $5::text[],
                  $6::integer[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[],
                  $11::timestamptz[], $12::text[], $13::text[], $14::text[], $15::text[],
                  $16::integer[], $17::float8[])
           WITH ORDINALITY
        AS new(id, nth, index, item_id, topic, partition, "offset", key, headers, value,
               record_timestamp, type, kind, error, traceback, attempts, seconds, number)
      LEFT JOIN LATERAL (SELECT max(nth) AS nth FROM parked WHERE parked.id = new.id) AS present
        ON true
     ORDER BY number
), placed AS (
    INSERT INTO parked (id, nth, index, item_id, topic, partition, "offset", key, headers, value,
                        record_timestamp, type, kind, error, traceback, parked_at, attempts,
                        last_tried_at, next_try_at)
    SELECT coalesce(id, nextval(pg_get_serial_sequence('parked', 'id'))), next_nth, index, item_id,
           topic, partition, "offset", key, headers, value, record_timestamp, type, kind, error,
           traceback, $18::timestamptz, attempts, clock_timestamp(),
           clock_timestamp() + seconds * interval '1 second'
      FROM coming
        ON CONFLICT (topic, partition, "offset", index) DO NOTHING
    RETURNING id, nth, index, topic, partition, "offset"
)
INSERT INTO parked_name (name, id, nth)
SELECT DISTINCT named.name, placed.id, placed.nth
  FROM placed
  JOIN coming USING (topic, partition, "offset", index)
  JOIN unnest($19::text[], $20::bigint[]) AS named(name, number) USING (number);

-- name: delete_parked
-- Delete the rows of items that have their outcome, or wait. $1 ids, $2 nths (pairwise)
DELETE FROM parked USING unnest($1::bigint[], $2::integer[]) AS ended(id, nth)
 WHERE parked.id = ended.id AND parked.nth = ended.nth;

-- name: update_parked
-- Update rows that failed again, or that are behind another row now. $1 ids, $2 nths, $3 kinds,
-- $4 errors, $5 tracebacks, $6 attempts, $7 seconds to the next retry or null (all pairwise);
-- $8 new keys, $9 ids and $10 nths of the rows that have them (pairwise)
WITH failed AS (
    UPDATE parked
       SET kind = again.kind, error = again.error, traceback = again.traceback,
           attempts = again.attempts, last_tried_at = clock_timestamp(),
           next_try_at = clock_timestamp() + again.seconds * interval '1 second'
      FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::integer[],
                  $7::float8[]) AS again(id, nth, kind, error, traceback, attempts, seconds)
     WHERE parked.id = again.id AND parked.nth = again.nth
)
INSERT INTO parked_name (name, id, nth)
SELECT * FROM unnest($8::text[], $9::bigint[], $10::integer[])
    ON CONFLICT DO NOTHING;

-- name: count_parked
-- How many items are parked.
SELECT count(*) FROM parked;

-- name: lock_retries
-- Lock the retries of a schema's queue for this transaction; wait where another one holds the lock.
SELECT pg_advisory_xact_lock(hashtextextended('orderflow.parking.' || current_schema(), 0));

-- name: try_lock_retries
-- The same lock without waiting; false where another transaction holds it.
SELECT pg_try_advisory_xact_lock(hashtextextended('orderflow.parking.' || current_schema(), 0));

-- name: find_due
-- Rows that the service may retry, in order: those whose delay is over, those marked behind that are
-- behind nothing any more, and the rows behind all of these. $1 at most
WITH due AS (
    SELECT id, nth
      FROM parked
     WHERE next_try_at <= clock_timestamp()
        OR (kind = 'behind'
            AND NOT EXISTS (
                SELECT
                  FROM parked_name AS mine
                  JOIN parked_name AS theirs USING (name)
                 WHERE mine.id = parked.id AND mine.nth = parked.nth
                   AND (theirs.id, theirs.nth) < (parked.id, parked.nth)))
     ORDER BY id, nth
     LIMIT $1
), queued AS (
    SELECT theirs.id, theirs.nth
      FROM due
      JOIN parked_name AS mine USING (id, nth)
      JOIN parked_name AS theirs USING (name)
      JOIN parked ON parked.id = theirs.id AND parked.nth = theirs.nth
     WHERE (theirs.id, theirs.nth) > (due.id, due.nth) AND parked.kind = 'behind'
     UNION
    SELECT id, nth FROM due
)
SELECT id, nth FROM queued ORDER BY id, nth LIMIT $1;

-- name: read_parked
-- Rows of the queue by position, in order, each with its parking keys. $1 ids, $2 nths (pairwise)
SELECT parked.*,
       ARRAY (SELECT name FROM parked_name AS its
               WHERE its.id = parked.id AND its.nth = parked.nth) AS names
  FROM parked
  JOIN unnest($1::bigint[], $2::integer[]) AS wanted(id, nth)
    ON parked.id = wanted.id AND parked.nth = wanted.nth
 ORDER BY parked.id, parked.nth;

-- name: select_parked
-- Positions that an operator selects, in order; null: any. $1 ids, $2 and $3 positions (pairwise),
-- $4 topic, $5 partition, $6 offset, $7 index, $8 key of the record, $9 parking key, $10 kind,
-- $11 part of the error, $12 parked before, $13 whether to leave out rows that are behind others,
-- $14 at most
SELECT id, nth
  FROM parked
 WHERE ($1::bigint[] IS NULL OR id = ANY ($1))
   AND ($2::bigint[] IS NULL
        OR (id, nth) IN (SELECT * FROM unnest($2::bigint[], $3::integer[])))
   AND ($4::text IS NULL OR topic = $4)
   AND ($5::integer IS NULL OR partition = $5)
   AND ($6::bigint IS NULL OR "offset" = $6)
   AND ($7::integer IS NULL OR index = $7)
   AND ($8::bytea IS NULL OR key = $8)
   AND ($9::text IS NULL
        OR EXISTS (SELECT FROM parked_name AS its
                    WHERE its.name = $9 AND its.id = parked.id AND its.nth = parked.nth))
   AND ($10::text IS NULL OR kind = $10)
   AND ($11::text IS NULL OR strpos(lower(error), lower($11)) > 0)
   AND ($12::timestamptz IS NULL OR parked_at < $12)
   AND NOT ($13 AND kind = 'behind')
 ORDER BY id, nth
 LIMIT $14;

-- name: read_keys
-- The whole queue in order: positions and parking keys, which say what is behind what.
SELECT parked.id, parked.nth, array_remove(array_agg(its.name), NULL) AS names
  FROM parked
  LEFT JOIN parked_name AS its ON its.id = parked.id AND its.nth = parked.nth
 GROUP BY parked.id, parked.nth
 ORDER BY parked.id, parked.nth;

-- name: edit_parked
-- Replace the sender's value by an operator's. $1 id, $2 nth, $3 value
UPDATE parked SET value = $3 WHERE id = $1 AND nth = $2;
