-- name: lock_orders
-- Orders by id, placeholders included, locked in id order. $1 order ids
SELECT order_id, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document, applied, told
  FROM stored_order
 WHERE order_id = ANY ($1::uuid[])
 ORDER BY order_id
   FOR UPDATE;

-- name: read_order
-- One order, for showing. $1 order id
SELECT order_id, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document, applied, told
  FROM stored_order
 WHERE order_id = $1 AND (document IS NOT NULL OR old_document IS NOT NULL);
