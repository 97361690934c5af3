-- name: find_destination
-- A destination for an operator, with its circuit and what waits, counted up to 10,000.
-- $1 shop, $2 name
SELECT d.id, d.shop, d.name, d.target, d.state, d.reason, d.created_at, d.updated_at,
       coalesce(h.failures, 0) AS failures, h.failing_since, h.open_until,
       (SELECT count(*) FROM (SELECT FROM backlog WHERE backlog.destination = d.id LIMIT 10000) AS b)
           AS waiting,
       (SELECT count(*) FROM (SELECT FROM message_group WHERE message_group.destination = d.id
                                AND message_group.due_at >= '9999-01-01T00:00Z' LIMIT 10000) AS g)
           AS held_orders
  FROM destination AS d
  LEFT JOIN destination_health AS h ON h.destination = d.id
 WHERE d.shop = $1 AND d.name = $2;

-- name: find_groups
-- Orders of a destination whose events wait, held ones first, with the oldest event of each.
-- $1 destination, $2 rows
SELECT waiting.order_id, waiting.attempts, nullif(waiting.due_at, '9999-01-01T00:00Z') AS due_at,
       head.event_id, head.created_at AS waits_since, body.type, body.sequence
  FROM (SELECT order_id, attempts, due_at FROM message_group
         WHERE destination = $1 AND due_at IS NOT NULL
         ORDER BY due_at DESC
         LIMIT $2) AS waiting
  LEFT JOIN LATERAL (
       SELECT event_id, body_day, created_at FROM backlog
        WHERE backlog.destination = $1 AND backlog.order_id = waiting.order_id
        ORDER BY backlog.id
        LIMIT 1
       ) AS head ON true
  LEFT JOIN LATERAL (
       SELECT type, sequence FROM event_body
        WHERE event_body.event_id = head.event_id AND event_body.day = head.body_day
        LIMIT 1
       ) AS body ON true
 ORDER BY waiting.due_at DESC;

-- name: find_replays
-- The newest replays of a destination. $1 destination, $2 rows
SELECT id, selection, stage, kept, topics, states, detail, asked_by, reason, asked_at, ended_at
  FROM replay
 WHERE destination = $1
 ORDER BY asked_at DESC
 LIMIT $2;

-- name: find_replay
-- How far a replay came. $1 replay
SELECT stage, kept, topics, states, detail, ended_at FROM replay WHERE id = $1;

-- name: find_attempts
-- The newest attempts of a destination. $1 destination, $2 rows
SELECT at, event_id, order_id, number, status, error, milliseconds, verdict, replay
  FROM attempt
 WHERE destination = $1
 ORDER BY at DESC
 LIMIT $2;
