-- name: begin_rebuild
-- From this business time on claims are known only as told since. $1 business time
INSERT INTO rebuild (began_at) VALUES ($1)
    ON CONFLICT (is_only_row) DO UPDATE SET began_at = excluded.began_at;

-- name: delete_claims
-- All claims; snapshots bring them back.
DELETE FROM claim;

-- name: delete_order_copies
-- All copies of orders; after the claims that name them.
DELETE FROM order_copy;

-- name: delete_anchors
-- The names of orders that are known; a name that something waits for stays.
DELETE FROM anchor WHERE order_id IS NOT NULL;
