-- name: find_destinations
-- Destinations for an operator, with what waits for them. $1 shop or null, $2 with removed ones
SELECT d.shop, d.name, d.state, d.reason, d.target, d.created_at, d.updated_at,
       d.secret_shown_at IS NOT NULL AS is_secret_shown,
       coalesce(h.failures, 0) AS failures, h.failing_since, h.open_until,
       (SELECT count(*) FROM (SELECT FROM backlog WHERE backlog.destination = d.id LIMIT 10000) AS b)
           AS backlog,
       (SELECT count(*) FROM (SELECT FROM message_group WHERE message_group.destination = d.id
                                AND message_group.due_at >= '9999-01-01T00:00Z' LIMIT 10000) AS l)
           AS held_orders,
       (SELECT min(backlog.created_at) FROM backlog WHERE backlog.destination = d.id) AS oldest_at
  FROM destination AS d
  LEFT JOIN destination_health AS h ON h.destination = d.id
 WHERE ($1::text IS NULL OR d.shop = $1) AND ($2 OR d.state <> 'removed')
 ORDER BY d.shop, d.name
 LIMIT 10000;

-- name: find_attempts
-- Attempts of a destination, newest first. $1 shop, $2 name, $3 only those in vain, $4 rows
SELECT a.at, a.event_id, a.order_id, a.number, a.status, a.error, a.answer, a.milliseconds, a.verdict
  FROM attempt AS a
  JOIN destination AS d ON d.id = a.destination
 WHERE d.shop = $1 AND d.name = $2 AND (NOT $3 OR a.verdict <> 'delivered')
 ORDER BY a.at DESC
 LIMIT $4;

-- name: show_secret
-- Take the secret of a destination to show it; no row where there is none, or it was shown.
-- $1 shop, $2 name
UPDATE destination SET secret_shown_at = now()
 WHERE shop = $1 AND name = $2 AND state <> 'removed' AND secret_shown_at IS NULL
RETURNING secret;

-- name: ask_retries
-- Let the sender try at once what is held or waits for its next attempt. $1 shop, $2 name
UPDATE destination SET retries_now = true WHERE shop = $1 AND name = $2 AND state = 'active';
