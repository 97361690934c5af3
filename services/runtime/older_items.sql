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

-- name: wait_briefly
-- How long the transaction may wait for a lock: batches queue behind it for as long.
-- $1 duration such as 50ms
SELECT set_config('lock_timeout', $1, true);

-- name: lock_partition
-- Keep other sessions from the partition until the end of the transaction. {segment} is its table
LOCK TABLE ONLY {segment} IN ACCESS EXCLUSIVE MODE;

-- name: truncate_partition
-- Forget all items of the partition. {segment} is its table
TRUNCATE ONLY {segment};
