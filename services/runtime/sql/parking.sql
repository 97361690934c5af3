-- name: is_anything_parked
-- Whether the queue holds anything at all: seldom, and then no name needs to be known.
SELECT EXISTS (SELECT FROM parked);

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
