-- name: find_waiting
-- The events of which a body is needed.
SELECT event_id FROM delivery UNION SELECT event_id FROM backlog;

-- name: save_bodies
-- Write bodies as a topic has them: in each table that has one, else in that of today. The entries of
-- a new one are -1 until `number_logs` has run.
-- $1 event ids, $2 shops, $3 orders, $4 topics, $5 types, $6 sequences, $7 order versions, $8 headers,
-- $9 values, $10 times (in step)
WITH sent AS MATERIALIZED (
    SELECT *
      FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::bigint[],
                  $7::bigint[], $8::bytea[], $9::bytea[], $10::timestamptz[])
           AS sent(event_id, shop, order_id, topic, type, sequence, order_version, headers, value, at)
), renewed AS (
    UPDATE event_body AS body
       SET shop = sent.shop, order_id = sent.order_id, topic = sent.topic, type = sent.type,
           sequence = sent.sequence, order_version = sent.order_version, headers = sent.headers,
           value = sent.value
      FROM sent
     WHERE body.event_id = sent.event_id AND body.event_id = ANY($1::uuid[])
 RETURNING body.event_id
)
INSERT INTO event_body (event_id, shop, order_id, topic, type, sequence, order_version, headers, value,
                        fulfilments, recorded_at, is_copy)
SELECT event_id, shop, order_id, topic, type, sequence, order_version, headers, value, -1, at, true
  FROM sent
 WHERE event_id NOT IN (SELECT event_id FROM renewed);

-- name: place_deliveries
-- Where the body of a row is in the table of another day, the row gets that day.
UPDATE delivery SET body_day = body.day
  FROM event_body AS body
 WHERE body.event_id = delivery.event_id
   AND NOT EXISTS (SELECT FROM event_body AS own
                    WHERE own.event_id = delivery.event_id AND own.day = delivery.body_day);

-- name: place_backlog
-- The same of the backlog.
UPDATE backlog SET body_day = body.day
  FROM event_body AS body
 WHERE body.event_id = backlog.event_id
   AND NOT EXISTS (SELECT FROM event_body AS own
                    WHERE own.event_id = backlog.event_id AND own.day = backlog.body_day);

-- name: delete_bodies
-- Delete bodies that no row needs.
DELETE FROM event_body AS body
 WHERE NOT EXISTS (SELECT FROM delivery
                    WHERE delivery.event_id = body.event_id AND delivery.body_day = body.day)
   AND NOT EXISTS (SELECT FROM backlog
                    WHERE backlog.event_id = body.event_id AND backlog.body_day = body.day);

-- name: number_logs
-- How many entries of its order's fulfilment log stand in a body that was lost. The body of an event
-- that is an entry has those up to it. Another has as many as the next event of its order that waits
-- and of which the number is known; the last ones have all. So no body has fewer than it had, and none
-- has more than those that are sent after it. Events of a replay stand behind those of the same replay.
-- Without a log: null.
WITH lost AS MATERIALIZED (
    SELECT event_id, day, shop, order_id FROM event_body WHERE fulfilments = -1
), log AS MATERIALIZED (
    SELECT shop, order_id, convert_from(entries, 'UTF8')::jsonb AS entries
      FROM fulfilment_log
     WHERE entries IS NOT NULL AND (shop, order_id) IN (SELECT shop, order_id FROM lost)
), entry AS (
    SELECT log.order_id, (each.value ->> 'id')::uuid AS event_id, each.place::integer AS place
      FROM log
     CROSS JOIN LATERAL jsonb_array_elements(log.entries) WITH ORDINALITY AS each(value, place)
), waiting AS (
    SELECT id, order_id, event_id, body_day, NULL::uuid AS replay FROM delivery
     UNION ALL
    SELECT id, order_id, event_id, body_day, replay FROM backlog
), following AS (
    SELECT waiting.event_id,
           min(coalesce(entry.place, nullif(body.fulfilments, -1)))
               OVER (PARTITION BY waiting.order_id, waiting.replay ORDER BY waiting.id DESC) AS entries
      FROM waiting
      JOIN log USING (order_id)
      JOIN event_body AS body ON body.event_id = waiting.event_id AND body.day = waiting.body_day
      LEFT JOIN entry ON entry.order_id = waiting.order_id AND entry.event_id = waiting.event_id
), numbered AS (
    SELECT event_id, min(entries) AS entries FROM following GROUP BY event_id
)
UPDATE event_body AS body
   SET fulfilments = CASE WHEN log.entries IS NOT NULL
                          THEN coalesce(numbered.entries, jsonb_array_length(log.entries)) END
  FROM lost
  LEFT JOIN log USING (shop, order_id)
  LEFT JOIN numbered USING (event_id)
 WHERE body.event_id = lost.event_id AND body.day = lost.day;

-- name: forget_kept
-- Of no destination is every event kept that it got until now. $1 business time
UPDATE destination SET matched_since = $1;

-- name: restart_replays
-- Begin replays again that have not ended: bodies that they have not come to are gone.
UPDATE replay SET stage = 'start', cursor = '{}' WHERE ended_at IS NULL AND stage <> 'start';

-- name: count_missing
-- Events that wait and of which there is no body.
SELECT count(DISTINCT waiting.event_id)
  FROM (SELECT event_id, body_day FROM delivery
         UNION ALL
        SELECT event_id, body_day FROM backlog) AS waiting
 WHERE NOT EXISTS (SELECT FROM event_body AS body
                    WHERE body.event_id = waiting.event_id AND body.day = waiting.body_day);
