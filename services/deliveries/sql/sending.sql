-- name: plan_by_index
-- Plan each statement of this session once, for any parameters, by index and nested loops, as the
-- relay's session does: right for no rows waiting and for a million, whatever the statistics say.
SELECT set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('enable_hashjoin', 'off', false),
       set_config('enable_mergejoin', 'off', false);

-- name: read_fresh
-- The oldest rows that were not tried yet, of each held shard, without those that the process has;
-- and whether an earlier event of the order waits. NOT IN looks each id up in a hash; with <> ALL each
-- row would be compared with all of them. $1 shards, $2 rows a shard, $3 ids to leave out
SELECT fresh.id, fresh.segment, fresh.shard, fresh.destination, fresh.order_id, fresh.event_id,
       fresh.body_day, fresh.body_bytes, blocked.is_blocked IS NOT NULL AS is_blocked
  FROM unnest($1::smallint[]) AS held(shard)
 CROSS JOIN LATERAL (
       SELECT * FROM delivery
        WHERE delivery.shard = held.shard AND delivery.id NOT IN (SELECT unnest($3::bigint[]))
        ORDER BY delivery.id
        LIMIT $2
       ) AS fresh
  LEFT JOIN LATERAL (
       SELECT true AS is_blocked FROM message_group
        WHERE message_group.destination = fresh.destination
          AND message_group.order_id = fresh.order_id
        LIMIT 1
       ) AS blocked ON true
 ORDER BY fresh.id;

-- name: read_due
-- The oldest row of each group that is due: so many groups of each destination.
-- $1 destinations, $2 groups (in step), $3 now
SELECT head.id, head.shard, head.destination, head.order_id, head.event_id, head.body_day,
       head.body_bytes, head.replay, due.attempts, due.skipped,
       destination.target ->> 'kind' = 'feed' AS is_feed
  FROM unnest($1::bigint[], $2::integer[]) AS wanted(destination, groups)
  JOIN destination ON destination.id = wanted.destination AND destination.state = 'active'
 CROSS JOIN LATERAL (
       SELECT * FROM message_group
        WHERE message_group.destination = wanted.destination AND message_group.due_at <= $3
        ORDER BY message_group.due_at
        LIMIT wanted.groups
       ) AS due
 CROSS JOIN LATERAL (
       SELECT * FROM backlog
        WHERE backlog.destination = due.destination AND backlog.order_id = due.order_id
        ORDER BY backlog.id
        LIMIT 1
       ) AS head
 ORDER BY due.due_at;

-- name: read_targets
-- Where to send, as it is now. $1 destinations
SELECT id, shop, name, target, state, secret, former_secret, former_until
  FROM destination
 WHERE id = ANY($1::bigint[]);

-- name: read_states
-- $1 destinations
SELECT id, state, target ->> 'kind' = 'feed' AS is_feed
  FROM destination
 WHERE id = ANY($1::bigint[]);

-- name: read_bodies
-- $1 event ids, $2 days (in step)
SELECT wanted.event_id, body.shop, body.type, body.sequence, body.order_version, body.headers,
       body.value, body.fulfilments, log.entries
  FROM unnest($1::uuid[], $2::smallint[]) AS wanted(event_id, day)
 CROSS JOIN LATERAL (
       SELECT * FROM event_body
        WHERE event_body.event_id = wanted.event_id AND event_body.day = wanted.day
        LIMIT 1
       ) AS body
  LEFT JOIN LATERAL (
       SELECT entries FROM fulfilment_log
        WHERE body.fulfilments IS NOT NULL
          AND fulfilment_log.shop = body.shop AND fulfilment_log.order_id = body.order_id
        LIMIT 1
       ) AS log ON true;

-- name: read_health
-- The destinations of these shards that failed or have groups. $1 shards
SELECT destination, shard, failures, failing_since, open_until, probes
  FROM destination_health
 WHERE shard = ANY($1::smallint[]);

-- name: end_fresh
-- Delete rows that were delivered or dropped. $1 shards, $2 ids, $3 segments (in step)
DELETE FROM delivery
 USING unnest($1::smallint[], $2::bigint[], $3::smallint[]) AS done(shard, id, segment)
 WHERE delivery.shard = done.shard AND delivery.id = done.id AND delivery.segment = done.segment;

-- name: end_backlog
-- Delete rows that were delivered or given up. $1 ids
DELETE FROM backlog WHERE id = ANY($1::bigint[]);

-- name: defer
-- Move rows to the backlog. $1 shards, $2 ids, $3 segments (in step)
WITH moved AS (
    DELETE FROM delivery
     USING unnest($1::smallint[], $2::bigint[], $3::smallint[]) AS late(shard, id, segment)
     WHERE delivery.shard = late.shard AND delivery.id = late.id
       AND delivery.segment = late.segment
 RETURNING delivery.id, delivery.shard, delivery.destination, delivery.order_id,
           delivery.event_id, delivery.body_day, delivery.body_bytes, delivery.created_at
)
INSERT INTO backlog (id, shard, destination, order_id, event_id, body_day, body_bytes, created_at)
SELECT id, shard, destination, order_id, event_id, body_day, body_bytes, created_at FROM moved;

-- name: make_groups
-- Let later events of these orders wait. A group in which something waits stays as it is.
-- $1 destinations, $2 orders, $3 shards (in step), $4 now
INSERT INTO message_group (destination, order_id, shard, due_at)
SELECT destination, order_id, shard, $4
  FROM unnest($1::bigint[], $2::uuid[], $3::smallint[]) AS made(destination, order_id, shard)
 ORDER BY destination, order_id
    ON CONFLICT (destination, order_id) DO UPDATE
   SET due_at = EXCLUDED.due_at
 WHERE message_group.due_at IS NULL;

-- name: save_groups
-- When the oldest event of each of these orders is tried again, and how often it was.
-- $1 destinations, $2 orders, $3 shards, $4 attempts, $5 due at, $6 skipped (in step)
INSERT INTO message_group (destination, order_id, shard, attempts, due_at, skipped)
SELECT destination, order_id, shard, attempts, due_at, skipped
  FROM unnest($1::bigint[], $2::uuid[], $3::smallint[], $4::integer[], $5::timestamptz[],
              $6::integer[]) AS sent(destination, order_id, shard, attempts, due_at, skipped)
 ORDER BY destination, order_id
    ON CONFLICT (destination, order_id) DO UPDATE
   SET attempts = EXCLUDED.attempts, due_at = EXCLUDED.due_at, skipped = EXCLUDED.skipped;

-- name: end_groups
-- End the groups of these orders that have nothing left and no skipped event to report. One look at
-- the index for each: as an anti-join it would read the whole backlog.
-- $1 destinations, $2 orders (in step)
DELETE FROM message_group
 USING unnest($1::bigint[], $2::uuid[]) AS done(destination, order_id)
 WHERE message_group.destination = done.destination AND message_group.order_id = done.order_id
   AND message_group.skipped = 0
   AND (SELECT count(*)
          FROM (SELECT FROM backlog
                 WHERE backlog.destination = done.destination
                   AND backlog.order_id = done.order_id
                 LIMIT 1) AS next) = 0;

-- name: rest_groups
-- Groups that have nothing left, but a skipped event to report, are not due until an event comes: as
-- due ones they would be read before all others. $1 destinations, $2 orders (in step)
UPDATE message_group SET due_at = NULL
  FROM unnest($1::bigint[], $2::uuid[]) AS done(destination, order_id)
 WHERE message_group.destination = done.destination AND message_group.order_id = done.order_id
   AND (SELECT count(*)
          FROM (SELECT FROM backlog
                 WHERE backlog.destination = done.destination
                   AND backlog.order_id = done.order_id
                 LIMIT 1) AS next) = 0;

-- name: save_health
-- $1 destinations, $2 shards, $3 failures, $4 failing since, $5 open until, $6 probes (in step)
INSERT INTO destination_health (destination, shard, failures, failing_since, open_until, probes)
SELECT *
  FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::timestamptz[], $5::timestamptz[],
              $6::integer[])
 ORDER BY 1
    ON CONFLICT (destination) DO UPDATE
   SET failures = EXCLUDED.failures, failing_since = EXCLUDED.failing_since,
       open_until = EXCLUDED.open_until, probes = EXCLUDED.probes;

-- name: end_health
-- Forget destinations that work again and have no groups. $1 shards
DELETE FROM destination_health AS health
 WHERE health.shard = ANY($1::smallint[]) AND health.failures = 0
   AND NOT EXISTS (SELECT FROM message_group WHERE message_group.destination = health.destination)
RETURNING health.destination;

-- name: save_attempts
-- $1 destinations, $2 event ids, $3 orders, $4 numbers, $5 times, $6 statuses, $7 errors, $8 answers,
-- $9 milliseconds, $10 verdicts, $11 replays (in step)
INSERT INTO attempt (destination, event_id, order_id, number, at, status, error, answer,
                     milliseconds, verdict, replay)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::integer[], $5::timestamptz[],
                     $6::smallint[], $7::text[], $8::text[], $9::integer[], $10::text[],
                     $11::uuid[]);

-- name: lock_destinations
-- $1 destinations
SELECT id FROM destination WHERE id = ANY($1::bigint[]) ORDER BY shop, name FOR UPDATE;

-- name: remove_destination
-- End a destination; no row if it is in another state, or has another URL by now.
-- $1 destination, $2 URL, $3 reason, $4 now
UPDATE destination
   SET state = 'removed', reason = $3, updated_at = $4
 WHERE id = $1 AND state = 'active' AND target ->> 'url' = $2
RETURNING shop, name;

-- name: disable_destination
-- Send nothing more; no row if it is in another state by now, or was changed since.
-- $1 destination, $2 reason, $3 now, $4 since when it must not have been changed
UPDATE destination
   SET state = 'disabled', reason = $2, updated_at = $3
 WHERE id = $1 AND state = 'active' AND updated_at <= $4
RETURNING shop, name;

-- name: release
-- Try at once what waits or is held, with closed circuits, where a destination was resumed or has a
-- new URL. A receiver that refused each event for days has a group for each order, so a call makes so
-- many due, the latest ones first, of a few destinations; a destination with fewer is done. Groups are
-- written by the process alone that holds their shard. $1 shards, $2 now, $3 destinations, $4 groups
-- of each
WITH asked AS MATERIALIZED (
    SELECT destination.id
      FROM destination_health AS health
      JOIN destination ON destination.id = health.destination AND destination.retries_now
     WHERE health.shard = ANY($1::smallint[])
     LIMIT $3
       FOR UPDATE OF destination SKIP LOCKED
), late AS MATERIALIZED (
    SELECT asked.id AS destination, found.order_id
      FROM asked
     CROSS JOIN LATERAL (
           SELECT order_id FROM message_group
            WHERE message_group.destination = asked.id AND message_group.due_at > $2
            ORDER BY message_group.due_at DESC
            LIMIT $4
           ) AS found
), cleared AS (
    UPDATE destination SET retries_now = false
      FROM asked
     WHERE destination.id = asked.id
       AND (SELECT count(*) FROM late WHERE late.destination = asked.id) < $4
), released AS (
    UPDATE message_group SET due_at = $2, attempts = 0
      FROM late
     WHERE message_group.destination = late.destination
       AND message_group.order_id = late.order_id
)
UPDATE destination_health AS health
   SET failures = 0, failing_since = NULL, open_until = NULL, probes = 0
  FROM asked
 WHERE health.destination = asked.id
RETURNING health.destination;

-- name: drop_removed
-- Delete what removed destinations have not received, a part at a time. A removed destination that was
-- made again has another id: there is none with the former one. $1 shards, $2 rows
WITH removed AS MATERIALIZED (
    SELECT health.destination
      FROM destination_health AS health
     WHERE health.shard = ANY($1::smallint[])
       AND coalesce((SELECT state FROM destination WHERE id = health.destination), 'removed')
           = 'removed'
), gone AS (
    SELECT backlog.id
      FROM removed
      JOIN backlog ON backlog.destination = removed.destination
     LIMIT $2
)
DELETE FROM backlog USING gone WHERE backlog.id = gone.id;

-- name: drop_groups
-- Delete groups of removed destinations, when nothing of them is left. $1 shards, $2 rows
WITH removed AS MATERIALIZED (
    SELECT health.destination
      FROM destination_health AS health
     WHERE health.shard = ANY($1::smallint[])
       AND coalesce((SELECT state FROM destination WHERE id = health.destination), 'removed')
           = 'removed'
       AND (SELECT count(*)
              FROM (SELECT FROM backlog WHERE backlog.destination = health.destination LIMIT 1)
                   AS next) = 0
), gone AS (
    SELECT message_group.destination, message_group.order_id
      FROM removed
      JOIN message_group ON message_group.destination = removed.destination
     LIMIT $2
)
DELETE FROM message_group USING gone
 WHERE message_group.destination = gone.destination AND message_group.order_id = gone.order_id;

-- name: reset_removed
-- The health of a removed destination says nothing any more. $1 shards
WITH removed AS MATERIALIZED (
    SELECT health.destination
      FROM destination_health AS health
     WHERE health.shard = ANY($1::smallint[]) AND health.failures > 0
       AND coalesce((SELECT state FROM destination WHERE id = health.destination), 'removed')
           = 'removed'
)
UPDATE destination_health AS health
   SET failures = 0, failing_since = NULL, open_until = NULL, probes = 0
  FROM removed
 WHERE health.destination = removed.destination;
