-- name: insert_references
-- New names; order id null where somebody waits for the name. A unique violation: see insert_orders.
-- $1 shops, $2 kinds, $3 values, $4 order ids (pairwise)
INSERT INTO reference (shop, kind, value, order_id)
SELECT *
  FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS new(shop, kind, value, order_id)
 ORDER BY shop, kind, value;

-- name: update_references
-- Names that were waited for and now name an order. $1 shops, $2 kinds, $3 values, $4 order ids
UPDATE reference
   SET order_id = found.order_id
  FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS found(shop, kind, value, order_id)
 WHERE reference.shop = found.shop AND reference.kind = found.kind
   AND reference.value = found.value;
