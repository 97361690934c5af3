-- name: begin_rebuild
-- The claims of an order are complete only after an event decided since then. $1 business time
INSERT INTO rebuild (began_at) VALUES ($1)
    ON CONFLICT (is_only_row) DO UPDATE SET began_at = excluded.began_at;

-- name: keep_applied_items
-- Remember the command items that claims name, by order: snapshots name only those that were applied
-- until the last event of a claim.
INSERT INTO older_item (owner, digest)
SELECT order_id, applied::bigint
  FROM claim, jsonb_array_elements_text(details -> 'applied') AS applied
    ON CONFLICT DO NOTHING;

-- name: delete_claims
-- All claims; snapshots restore them.
DELETE FROM claim;

-- name: delete_order_copies
-- All copies of orders; after the claims, which reference them.
DELETE FROM order_copy;

-- name: delete_anchors
-- The resolved anchors; an anchor that something waits for stays, and so does a name that orders
-- share: until all their snapshots have come, it would seem to be the name of one.
DELETE FROM anchor WHERE order_id IS NOT NULL AND others IS NULL;
