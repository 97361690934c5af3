-- name: find_waiting
-- The oldest replay of each destination that has one. $1 shards
SELECT DISTINCT ON (destination) id, destination, shard, stage
  FROM replay
 WHERE shard = ANY($1::smallint[]) AND ended_at IS NULL
 ORDER BY destination, asked_at, id;

-- name: lock_replay
-- A replay and its destination as it is now; a removed one that was made again has another id.
-- $1 replay
SELECT r.id, r.destination, r.shard, r.selection, r.stage, r.cursor, r.kept, r.topics, r.states, r.detail,
       d.shop, d.name, d.target, d.state, d.matched_since
  FROM replay AS r
  LEFT JOIN destination AS d ON d.id = r.destination AND d.state <> 'removed'
 WHERE r.id = $1 AND r.ended_at IS NULL
   FOR UPDATE OF r;

-- name: read_destination
-- $1 destination
SELECT shop, name, target, matched_since FROM destination WHERE id = $1 AND state <> 'removed';

-- name: count_backlog
-- How much waits for a destination, counted up to a limit. $1 destination, $2 at most
SELECT count(*) FROM (SELECT FROM backlog WHERE destination = $1 LIMIT $2) AS counted;

-- name: find_days
-- The tables whose bodies stay for a day at least: not the one that is emptied next.
SELECT array_agg(day::smallint)
  FROM generate_series(0, 8) AS day
 WHERE day NOT IN ((day_number() + 1) % 9, (day_number() + 2) % 9);

-- name: find_kept_since
-- The oldest body of a shop in these tables: what was matched later is kept. $1 shop, $2 days
SELECT recorded_at
  FROM event_body
 WHERE shop = $1 AND NOT is_copy AND day = ANY($2::smallint[])
 ORDER BY recorded_at
 LIMIT 1;

-- name: find_kept_until
-- The newest body of a shop. $1 shop
SELECT recorded_at
  FROM event_body
 WHERE shop = $1 AND NOT is_copy
 ORDER BY recorded_at DESC
 LIMIT 1;

-- name: find_first_events
-- The topics of which the first event of an order is kept. $1 shop, $2 order, $3 since then
SELECT DISTINCT topic
  FROM event_body
 WHERE order_id = $2 AND shop = $1 AND sequence = 1 AND NOT is_copy AND recorded_at >= $3;

-- name: find_orders
-- The next bodies of a shop by time; `is_first`: no earlier one of its order lies in the time.
-- $1 shop, $2 after this time, $3 and this event, $4 until, $5 rows, $6 since
SELECT body.recorded_at, body.event_id, body.order_id, earlier.is_earlier IS NULL AS is_first
  FROM (SELECT recorded_at, event_id, order_id
          FROM event_body
         WHERE shop = $1 AND NOT is_copy AND (recorded_at, event_id) > ($2, $3::uuid)
           AND recorded_at < $4
         ORDER BY recorded_at, event_id
         LIMIT $5) AS body
  LEFT JOIN LATERAL (
       SELECT true AS is_earlier
         FROM event_body AS other
        WHERE other.order_id = body.order_id AND other.shop = $1 AND NOT other.is_copy
          AND other.recorded_at >= $6
          AND (other.recorded_at, other.event_id) < (body.recorded_at, body.event_id)
        LIMIT 1
       ) AS earlier ON true
 ORDER BY body.recorded_at, body.event_id;

-- name: find_events_of_orders
-- What is kept of these orders of a shop. $1 shop, $2 orders, $3 since, $4 until
SELECT event_id, day, order_id, topic, sequence, order_version, recorded_at,
       octet_length(value) AS body_bytes
  FROM event_body
 WHERE order_id = ANY($2::uuid[]) AND shop = $1 AND NOT is_copy
   AND recorded_at >= $3 AND recorded_at < $4;

-- name: find_given_up
-- Events of a destination that were given up, do not wait, and were not delivered by a replay since.
-- $1 destination, $2 after this time, $3 and this event, $4 rows
SELECT given.at, given.event_id
  FROM attempt AS given
  LEFT JOIN LATERAL (
       SELECT true AS is_waiting FROM backlog
        WHERE backlog.destination = given.destination AND backlog.order_id = given.order_id
          AND backlog.event_id = given.event_id
        LIMIT 1
       ) AS waits ON true
  LEFT JOIN LATERAL (
       SELECT true AS is_delivered FROM attempt AS later
        WHERE later.destination = given.destination AND later.event_id = given.event_id
          AND later.replay IS NOT NULL AND later.verdict = 'delivered' AND later.at >= given.at
        LIMIT 1
       ) AS sent ON true
 WHERE given.destination = $1 AND given.verdict = 'exhausted'
   AND (given.at, given.event_id) > ($2, $3::uuid)
   AND waits.is_waiting IS NULL AND sent.is_delivered IS NULL
 ORDER BY given.at, given.event_id
 LIMIT $4;

-- name: find_events
-- Where the bodies of these events of a shop are; of several copies the first one last, which says
-- when the event was taken in. $1 shop, $2 event ids
SELECT event_id, day, order_id, topic, sequence, order_version, recorded_at,
       octet_length(value) AS body_bytes
  FROM event_body
 WHERE event_id = ANY($2::uuid[]) AND shop = $1
 ORDER BY is_copy DESC;

-- name: read_values
-- $1 event ids, $2 days (in step)
SELECT wanted.event_id, body.type, body.value
  FROM unnest($1::uuid[], $2::smallint[]) AS wanted(event_id, day)
 CROSS JOIN LATERAL (
       SELECT type, value FROM event_body
        WHERE event_body.event_id = wanted.event_id AND event_body.day = wanted.day
        LIMIT 1
       ) AS body;

-- name: read_positions
-- How far this service has read topics: what comes later is matched when it is read.
-- $1 group, $2 topics
SELECT topic, partition, next_offset
  FROM position
 WHERE consumer_group = $1 AND topic = ANY($2::text[]);

-- name: save_bodies
-- Keep events that were read from topics; returns the day's table that has them.
-- $1 event ids, $2 shop, $3 orders, $4 topics, $5 types, $6 sequences, $7 order versions, $8 headers,
-- $9 values, $10 times (in step)
WITH today AS (
    SELECT day_number() AS day
), stored AS (
    INSERT INTO event_body (event_id, day, shop, order_id, topic, type, sequence, order_version,
                            headers, value, recorded_at, is_copy)
    SELECT event_id, today.day, $2, order_id, topic, type, sequence, order_version, headers, value,
           at, true
      FROM unnest($1::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                  $8::bytea[], $9::bytea[], $10::timestamptz[])
           AS sent(event_id, order_id, topic, type, sequence, order_version, headers, value, at),
           today
        ON CONFLICT (event_id, day) DO NOTHING
)
SELECT day FROM today;

-- name: add_rows
-- Put events behind what waits for a destination; the ids rise in the order given.
-- $1 shard, $2 destination, $3 replay, $4 orders, $5 event ids, $6 days, $7 body bytes (in step)
INSERT INTO backlog (id, shard, destination, order_id, event_id, body_day, body_bytes, created_at,
                     replay)
SELECT nextval('delivery_id'), $1, $2, order_id, event_id, day, body_bytes, clock_timestamp(), $3
  FROM (SELECT *
          FROM unnest($4::uuid[], $5::uuid[], $6::smallint[], $7::integer[])
               WITH ORDINALITY AS sent(order_id, event_id, day, body_bytes, nth)
         ORDER BY nth) AS event;

-- name: retry_group
-- Let what waits of one order be tried now. $1 destination, $2 order, $3 now
UPDATE message_group SET due_at = $3, attempts = 0
 WHERE destination = $1 AND order_id = $2 AND due_at > $3;

-- name: ask_retries
-- Let what waits of a destination be tried now, however much it is: `release` does it in parts.
-- $1 destination
UPDATE destination SET retries_now = true WHERE id = $1;

-- name: make_health
-- A destination with groups has a row. $1 destination, $2 shard
INSERT INTO destination_health (destination, shard) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: save_progress
-- $1 replay, $2 stage, $3 cursor, $4 kept, $5 from topics, $6 states, $7 detail, $8 when it ended
UPDATE replay
   SET stage = $2, cursor = $3, kept = $4, topics = $5, states = $6, detail = $7, ended_at = $8
 WHERE id = $1;

-- name: forget_replays
-- Replays that ended long ago, some at a time. $1 before, $2 rows
DELETE FROM replay
 USING (SELECT id FROM replay WHERE ended_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
 WHERE replay.id = old.id;
