-- name: find_destinations
-- Destinations for an operator, with what waits for them: at most 10,000 rows of each are counted.
-- $1 shop or null, $2 with removed ones, $3 shop and $4 name of the last one before, $5 rows
SELECT d.shop, d.name, d.state, d.reason, d.target, d.created_at, d.updated_at,
       d.secret_shown_at IS NOT NULL AS is_secret_shown,
       coalesce(h.failures, 0) AS failures, h.failing_since, h.open_until,
       -- In the order of an index: no plan reads the whole table.
       (SELECT count(*) FROM (SELECT FROM backlog WHERE backlog.destination = d.id
                               ORDER BY backlog.id LIMIT 10000) AS b) AS backlog,
       (SELECT count(*) FROM (SELECT FROM message_group AS g
                               WHERE g.destination = d.id AND g.due_at >= '9999-01-01T00:00Z'
                               ORDER BY g.due_at LIMIT 10000) AS l) AS held_orders,
       (SELECT backlog.created_at FROM backlog WHERE backlog.destination = d.id
         ORDER BY backlog.id LIMIT 1) AS oldest_at
  FROM (SELECT * FROM destination
         WHERE ($1::text IS NULL OR shop = $1) AND ($2 OR state <> 'removed')
           AND (shop, name) > ($3, $4)
         ORDER BY shop, name
         LIMIT $5) AS d
  LEFT JOIN LATERAL (
       SELECT * FROM destination_health WHERE destination_health.destination = d.id LIMIT 1
       ) AS h ON true
 ORDER BY d.shop, d.name;

-- name: find_attempts
-- Attempts of a destination, newest first. $1 shop, $2 name, $3 rows
SELECT a.at, a.event_id, a.order_id, a.number, a.status, a.error, a.answer, a.milliseconds, a.verdict
  FROM attempt AS a
  JOIN destination AS d ON d.id = a.destination
 WHERE d.shop = $1 AND d.name = $2
 ORDER BY a.at DESC
 LIMIT $3;

-- name: find_attempts_in_vain
-- The same of those in vain. $1 shop, $2 name, $3 rows
SELECT a.at, a.event_id, a.order_id, a.number, a.status, a.error, a.answer, a.milliseconds, a.verdict
  FROM attempt AS a
  JOIN destination AS d ON d.id = a.destination
 WHERE d.shop = $1 AND d.name = $2 AND a.verdict <> 'delivered'
 ORDER BY a.at DESC
 LIMIT $3;

-- name: show_secret
-- Take the secret of a destination to show it; no row where there is none, or it was shown.
-- $1 shop, $2 name
UPDATE destination SET secret_shown_at = now()
 WHERE shop = $1 AND name = $2 AND state <> 'removed' AND secret_shown_at IS NULL
   AND secret IS NOT NULL
RETURNING secret;

-- name: ask_retries
-- Let the sender try at once what is held or waits for its next attempt. $1 shop, $2 name
UPDATE destination SET retries_now = true WHERE shop = $1 AND name = $2 AND state = 'active';

-- name: ask_feed_retries
-- Let the sender try at once what waits for the feed of a shop. $1 shop
UPDATE destination SET retries_now = true
 WHERE shop = $1 AND target ->> 'kind' = 'feed' AND state = 'active'
   AND EXISTS (SELECT FROM destination_health WHERE destination_health.destination = destination.id);
