-- name: measure
-- What waits, counted up to 100,000 rows; destinations by what they get; and the ages of the oldest
-- delivery that waits, fresh or not, and of the oldest fresh one. $1 shards
WITH fresh AS MATERIALIZED (
     SELECT min(first.created_at) AS oldest_at
       FROM unnest($1::smallint[]) AS one(shard)
      CROSS JOIN LATERAL (
            SELECT created_at FROM delivery
             WHERE delivery.shard = one.shard
             ORDER BY delivery.id
             LIMIT 1
            ) AS first
)
SELECT (SELECT count(*) FROM (SELECT FROM backlog LIMIT 100000) AS counted) AS backlog,
       (SELECT count(*) FROM (SELECT FROM message_group WHERE due_at >= '9999-01-01T00:00Z' LIMIT 100000) AS held)
           AS held_groups,
       (SELECT count(*) FROM destination WHERE state = 'disabled') AS disabled,
       (SELECT count(*) FROM destination_health WHERE open_until IS NOT NULL) AS open_circuits,
       coalesce(extract(epoch FROM clock_timestamp() - least(
           (SELECT created_at FROM backlog ORDER BY id LIMIT 1), fresh.oldest_at
       )), 0) AS oldest_age_seconds,
       coalesce(extract(epoch FROM clock_timestamp() - fresh.oldest_at), 0) AS fresh_age_seconds
  FROM fresh;
