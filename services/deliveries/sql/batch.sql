-- name: lock_destinations
-- The destinations that commands of the batch name. $1 shops, $2 names (in step)
SELECT d.id, d.shop, d.name, d.target, d.state, d.reason, d.secret, d.former_secret, d.former_until,
       d.applied,
       (SELECT count(*) FROM replay WHERE replay.destination = d.id AND replay.ended_at IS NULL)
           AS replays
  FROM destination AS d
  JOIN unnest($1::text[], $2::text[]) AS named(shop, name) USING (shop, name)
 ORDER BY d.shop, d.name
   FOR UPDATE OF d;

-- name: lock_shops
-- One lock for each shop whose destinations change: their number is bounded, and two commands of one
-- new destination must not both find none. $1 shops, sorted
SELECT pg_advisory_xact_lock(hashtextextended('deliveries/' || shop, 0))
  FROM unnest($1::text[]) AS shop;

-- name: count_destinations
-- How many destinations each shop has, and the name of the one that is a feed. $1 shops
SELECT wanted.shop, (SELECT count(*) FROM destination AS d
                     WHERE d.shop = wanted.shop AND d.state <> 'removed') AS number,
       (SELECT d.name FROM destination AS d
         WHERE d.shop = wanted.shop AND d.target ->> 'kind' = 'feed' AND d.state <> 'removed'
         LIMIT 1) AS feed
  FROM unnest($1::text[]) AS wanted(shop);

-- name: renew_ids
-- A removed destination that is made again gets a new id: what waits for the former one is not its own.
-- $1 shops, $2 names (in step)
UPDATE destination SET id = DEFAULT
  FROM unnest($1::text[], $2::text[]) AS made(shop, name)
 WHERE destination.shop = made.shop AND destination.name = made.name;

-- name: save_destinations
-- Insert or replace destinations. A new secret may be shown again. Since `matched_since` every event
-- that the destination gets is in event_body. `updated_at` says since when the destination has its
-- target and state, or was resumed: a replay or a new secret does not set it, as it would put off that
-- a destination without success is disabled.
-- $1 shops, $2 names, $3 targets, $4 states, $5 reasons, $6 secrets, $7 former secrets,
-- $8 until when they are valid, $9 applied items as array texts, $10 whether what waits is tried at
-- once (in step), $11 now
INSERT INTO destination AS d (shop, name, target, state, reason, secret, former_secret, former_until,
                              applied, retries_now, created_at, updated_at, matched_since)
SELECT shop, name, target, state, reason, secret, former_secret, former_until, applied::uuid[],
       retries_now, $11, $11, $11
  FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::text[], $5::text[], $6::bytea[], $7::bytea[],
              $8::timestamptz[], $9::text[], $10::boolean[])
       AS sent(shop, name, target, state, reason, secret, former_secret, former_until, applied,
               retries_now)
 ORDER BY shop, name
    ON CONFLICT (shop, name) DO UPDATE
   SET target = EXCLUDED.target, state = EXCLUDED.state, reason = EXCLUDED.reason,
       secret_shown_at = CASE WHEN d.secret = EXCLUDED.secret THEN d.secret_shown_at END,
       secret = EXCLUDED.secret, former_secret = EXCLUDED.former_secret,
       former_until = EXCLUDED.former_until, applied = EXCLUDED.applied,
       retries_now = d.retries_now OR EXCLUDED.retries_now,
       updated_at = CASE WHEN d.target = EXCLUDED.target AND d.state = EXCLUDED.state
                          AND NOT EXCLUDED.retries_now
                         THEN d.updated_at ELSE $11 END,
       matched_since = CASE WHEN d.state <> 'removed'
                             AND d.target -> 'filters' = EXCLUDED.target -> 'filters'
                             AND d.target -> 'event_groups' = EXCLUDED.target -> 'event_groups'
                             AND d.target -> 'only_notify' = EXCLUDED.target -> 'only_notify'
                            THEN d.matched_since ELSE $11 END
RETURNING d.id, d.shop, d.name;

-- name: find_versions
-- A number for each shop that has destinations, made of the place of each row and the transaction that
-- wrote it: another one after every write. $1 shops
SELECT wanted.shop, version.number AS version
  FROM unnest($1::text[]) AS wanted(shop)
 CROSS JOIN LATERAL (
       SELECT bit_xor(hashtidextended(found.place, found.writer::text::bigint)) AS number
         FROM (SELECT ctid AS place, xmin AS writer FROM destination
                WHERE destination.shop = wanted.shop
                LIMIT 20000) AS found  -- As in find_destinations.
       ) AS version
 WHERE version.number IS NOT NULL;

-- name: save_replays
-- $1 ids, $2 destinations, $3 shards, $4 selections, $5 who asked, $6 why (in step), $7 now
INSERT INTO replay (id, destination, shard, selection, asked_by, reason, asked_at)
SELECT id, destination, shard, selection, asked_by, reason, $7
  FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::jsonb[], $5::text[], $6::text[])
       AS asked(id, destination, shard, selection, asked_by, reason)
    ON CONFLICT (id) DO NOTHING;

-- name: find_destinations
-- What the shops of a batch's events have. $1 shops
SELECT found.id, wanted.shop, found.target
  FROM unnest($1::text[]) AS wanted(shop)
 CROSS JOIN LATERAL (
       SELECT id, target FROM destination
        WHERE destination.shop = wanted.shop AND destination.state <> 'removed'
        LIMIT 20000  -- More than a shop may have; it keeps the plan to one look at the index a shop.
       ) AS found
 ORDER BY found.id;

-- name: find_known_events
-- Which events were taken before, today or yesterday: the outbox repeats some of the last moments.
-- $1 event ids
SELECT body.event_id
  FROM event_body AS body
 WHERE body.event_id = ANY($1::uuid[])
   AND body.day IN (day_number(), ((day_number() + 8) % 9)::smallint);

-- name: lock_logs
-- Lock and read the fulfilment logs of orders, and begin those that are not there. $1 shops, $2 orders
-- (in step)
INSERT INTO fulfilment_log AS log (shop, order_id)
SELECT shop, order_id
  FROM unnest($1::text[], $2::uuid[]) AS wanted(shop, order_id)
 ORDER BY shop, order_id
    ON CONFLICT (shop, order_id) DO UPDATE SET changed_on = current_date
RETURNING log.shop, log.order_id, log.entries;

-- name: save_logs
-- Replace fulfilment logs by longer ones. $1 shops, $2 orders, $3 entries (in step)
UPDATE fulfilment_log AS log SET entries = sent.entries
  FROM unnest($1::text[], $2::uuid[], $3::bytea[]) AS sent(shop, order_id, entries)
 WHERE log.shop = sent.shop AND log.order_id = sent.order_id;

-- name: save_matches
-- Store the bodies of events that destinations get, and a row for each of their deliveries; the ids rise
-- in the order given.
-- $1 event ids, $2 shops, $3 orders, $4 topics, $5 types, $6 sequences, $7 order versions, $8 headers,
-- $9 values, $10 entries of the fulfilment log (in step), $11 now, $12 shards, $13 destinations,
-- $14 numbers of the events, from 1 (in step)
WITH today AS (
    SELECT day_number() AS day
), event AS MATERIALIZED (
    SELECT *
      FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bigint[],
                  $7::bigint[], $8::bytea[], $9::bytea[], $10::integer[])
           WITH ORDINALITY
           AS sent(event_id, shop, order_id, topic, type, sequence, order_version, headers, value,
                   fulfilments, number)
), stored AS (
    INSERT INTO event_body (event_id, day, shop, order_id, topic, type, sequence, order_version,
                            headers, value, fulfilments, recorded_at)
    SELECT event_id, today.day, shop, order_id, topic, type, sequence, order_version, headers, value,
           fulfilments, $11
      FROM event, today
        ON CONFLICT (event_id, day) DO NOTHING
)
INSERT INTO delivery (shard, destination, order_id, event_id, body_day, body_bytes)
SELECT matched.shard, matched.destination, event.order_id, event.event_id, today.day,
       octet_length(event.value)
  FROM unnest($12::smallint[], $13::bigint[], $14::integer[])
       WITH ORDINALITY AS matched(shard, destination, number, nth)
  JOIN event USING (number)
 CROSS JOIN today
 ORDER BY matched.nth;
