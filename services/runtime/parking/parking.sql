-- name: find_first_parked
-- The head of the queue; seldom there is one, and without it no name needs to be known.
SELECT id FROM parked ORDER BY id, nth LIMIT 1;

-- name: find_held_names
-- Of the names, those that parked items have, each with the first place that has it. Rows that are
-- being tried again just now do not count. $1 names, $2 ids, $3 nths of such rows (pairwise)
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
-- Items join the queue, in this order; those with an id stay at that place, after what is there.
-- One that is in the queue already (its record was read twice) stays as it is. $1 ids or null,
-- $2 which of its id's, $3 indexes, $4 item ids, $5 topics, $6 partitions, $7 offsets, $8 keys,
-- $9 headers, $10 values, $11 record timestamps, $12 types, $13 kinds, $14 errors, $15 tracebacks,
-- $16 attempts, $17 seconds to the next try or null (all pairwise), $18 business time; $19 names,
-- $20 the number, from 1, of the row each is of
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

-- name: leave_parking
-- Items that have their outcome, or wait, are parked no longer. $1 ids, $2 nths (pairwise)
DELETE FROM parked USING unnest($1::bigint[], $2::integer[]) AS ended(id, nth)
 WHERE parked.id = ended.id AND parked.nth = ended.nth;

-- name: park_again
-- Items that failed again, or that were found behind another one. $1 ids, $2 nths, $3 kinds,
-- $4 errors, $5 tracebacks, $6 attempts, $7 seconds to the next try or null (all pairwise);
-- $8 names, $9 ids and $10 nths of the rows they are of
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

-- name: lock_drain
-- One drain of a schema's queue at a time: wait for the other one.
SELECT pg_advisory_xact_lock(hashtextextended('orderflow.parking.' || current_schema(), 0));

-- name: try_lock_drain
-- The same, or false where another one is under way.
SELECT pg_try_advisory_xact_lock(hashtextextended('orderflow.parking.' || current_schema(), 0));

-- name: find_due
-- What may be tried again by itself, in order: what has rested long enough, what stands behind
-- nothing any more, and what stands behind those. $1 at most
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
-- Rows of the queue by place, in order, each with its names. $1 ids, $2 nths (pairwise)
SELECT parked.*,
       ARRAY (SELECT name FROM parked_name AS its
               WHERE its.id = parked.id AND its.nth = parked.nth) AS names
  FROM parked
  JOIN unnest($1::bigint[], $2::integer[]) AS wanted(id, nth)
    ON parked.id = wanted.id AND parked.nth = wanted.nth
 ORDER BY parked.id, parked.nth;

-- name: select_parked
-- Places that an operator means, in order; null: any. $1 ids, $2 and $3 places (pairwise), $4 topic,
-- $5 partition, $6 offset, $7 index, $8 key, $9 name, $10 kind, $11 part of the error, $12 parked
-- before, $13 whether to leave out what stands behind others, $14 at most
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

-- name: read_queue
-- The whole queue in order: places and names, to see who stands behind whom.
SELECT parked.id, parked.nth, array_remove(array_agg(its.name), NULL) AS names
  FROM parked
  LEFT JOIN parked_name AS its ON its.id = parked.id AND its.nth = parked.nth
 GROUP BY parked.id, parked.nth
 ORDER BY parked.id, parked.nth;

-- name: edit_parked
-- An operator's value in the place of the sender's. $1 id, $2 nth, $3 value
UPDATE parked SET value = $3 WHERE id = $1 AND nth = $2;
