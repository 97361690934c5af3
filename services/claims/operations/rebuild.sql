-- name: begin_rebuild
-- The claims of an order are complete only after an event decided since then. $1 business time
INSERT INTO rebuild (began_at) VALUES ($1)
    ON CONFLICT (is_only_row) DO UPDATE SET began_at = excluded.began_at;

-- name: delete_claims
-- All claims; snapshots restore them.
DELETE FROM claim;

-- name: delete_order_copies
-- All copies of orders; after the claims, which reference them.
DELETE FROM order_copy;

-- name: delete_anchors
-- The resolved anchors; an anchor that something waits for stays.
DELETE FROM anchor WHERE order_id IS NOT NULL;
