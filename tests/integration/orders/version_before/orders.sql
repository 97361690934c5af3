-- name: lock_orders
-- Orders by id, placeholders included, locked in id order. $1 order ids
SELECT order_id, document, applied, told
  FROM shop_order
 WHERE order_id = ANY ($1::uuid[])
 ORDER BY order_id
   FOR UPDATE;

-- name: insert_orders
-- New orders and placeholders, in id order. A unique violation means that another transaction
-- made one of them just now: the batch is read and decided again.
-- $1 ids, $2 shops, $3 order numbers, $4 versions, $5 documents (null: placeholder), $6 applied
INSERT INTO shop_order (order_id, shop, order_number, version, document, applied)
SELECT *
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::jsonb[], $6::bytea[])
    AS new(order_id, shop, order_number, version, document, applied)
 ORDER BY order_id;

-- name: update_orders
-- Orders that were locked and decided on; shop and number differ only from a placeholder's.
-- $1 ids, $2 shops, $3 order numbers, $4 versions, $5 documents, $6 applied (pairwise)
UPDATE shop_order
   SET shop = changed.shop, order_number = changed.order_number, version = changed.version,
       document = changed.document, applied = changed.applied, changed_at = now()
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::jsonb[], $6::bytea[])
    AS changed(order_id, shop, order_number, version, document, applied)
 WHERE shop_order.order_id = changed.order_id;

-- name: read_order
-- One order, for showing. $1 order id
SELECT order_id, document, applied, told FROM shop_order WHERE order_id = $1 AND document IS NOT NULL;
