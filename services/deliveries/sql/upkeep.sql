-- name: find_worn_segments
-- Segments of fresh deliveries of more than $1 bytes that are not written to now.
SELECT segment.relname::text AS segment
  FROM pg_inherits
  JOIN pg_class AS segment ON segment.oid = inhrelid
 WHERE inhparent = 'delivery'::regclass
   AND segment.relname <> 'delivery_' || delivery_segment()
   AND pg_total_relation_size(segment.oid) > $1
 ORDER BY segment.relname;

-- name: has_rows
-- Whether a table holds a row. {segment} is the table
SELECT EXISTS (SELECT FROM ONLY {segment});

-- name: has_needed_bodies
-- Whether a body of a day's table is still to be sent. $1 day
SELECT EXISTS (SELECT FROM backlog WHERE body_day = $1)
    OR EXISTS (SELECT FROM delivery WHERE body_day = $1);

-- name: find_next_day
-- The day's tables that are written to next: the oldest.
SELECT ((day_number() + 1) % 9)::smallint;

-- name: carry_bodies
-- Copy bodies that are still to be sent to the tables of today, some at a time; how many rows of the
-- backlog follow them. A row that another session has locked is passed over: it may be sent just now.
-- $1 day, $2 rows
WITH late AS MATERIALIZED (
    SELECT id, event_id FROM backlog WHERE body_day = $1 LIMIT $2 FOR UPDATE SKIP LOCKED
), copied AS (
    INSERT INTO event_body (event_id, shop, order_id, topic, type, sequence, order_version, headers,
                            value, fulfilments, recorded_at, is_copy)
    SELECT event_id, shop, order_id, topic, type, sequence, order_version, headers, value,
           fulfilments, recorded_at, true
      FROM event_body
      JOIN (SELECT DISTINCT event_id FROM late) AS wanted USING (event_id)
     WHERE event_body.day = $1
        ON CONFLICT (event_id, day) DO NOTHING
), moved AS (
    UPDATE backlog SET body_day = day_number()
      FROM late
     WHERE backlog.id = late.id
 RETURNING 1
)
SELECT count(*) FROM moved;

-- name: drop_logs
-- Drop fulfilment logs of orders that had no event for 90 days, some at a time. $1 rows
DELETE FROM fulfilment_log
 WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM fulfilment_log WHERE changed_on < current_date - 90
        LIMIT $1 FOR UPDATE SKIP LOCKED));
