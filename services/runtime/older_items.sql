-- name: find_older
-- Which of these items are remembered. $1 uuids of orders, $2 digests (pairwise)
SELECT * FROM find_older_items($1, $2);

-- name: save_older
-- Remember items; those that are remembered already stay. $1 uuids of orders, $2 digests (pairwise)
INSERT INTO older_item (owner, digest)
SELECT owner, digest FROM unnest($1::uuid[], $2::bigint[]) AS older(owner, digest)
    ON CONFLICT DO NOTHING;

-- name: find_expired_partition
-- The partition whose rows are all older than 30 days, unless it is empty.
SELECT name
  FROM (SELECT 'older_item_' || (older_item_slot() + 1) % 5 AS name) AS next
 WHERE pg_relation_size(name::regclass) > 0;
