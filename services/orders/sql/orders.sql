-- name: lock_orders
-- Orders by id, placeholders included, locked in id order. $1 order ids
SELECT order_id, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document, applied, told
  FROM stored_order
 WHERE order_id = ANY ($1::uuid[])
 ORDER BY order_id
   FOR UPDATE;

-- name: lock_orders_at_once
-- Orders by id, locked in id order; fails where another transaction has one locked. $1 order ids
SELECT order_id, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document, applied, told
  FROM stored_order
 WHERE order_id = ANY ($1::uuid[])
 ORDER BY order_id
   FOR UPDATE NOWAIT;

-- name: read_order
-- One order, for showing. $1 order id
SELECT order_id, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document, applied, told
  FROM stored_order
 WHERE order_id = $1 AND (document IS NOT NULL OR old_document IS NOT NULL);

-- name: read_named_orders
-- Orders by their names, not locked; of a number or uuid the id is known. Of a name that several
-- orders have or had, all of them.
-- $1 shops, $2 kinds, $3 values, $4 order ids or null (pairwise)
SELECT wanted.shop, wanted.kind, wanted.value, stored_order.order_id,
       coalesce(document, convert_to(old_document::text, 'UTF8')) AS document, applied, told
  FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS wanted(shop, kind, value, order_id)
  LEFT JOIN reference
    ON reference.shop = wanted.shop AND reference.kind = wanted.kind
   AND reference.value = wanted.value
  CROSS JOIN LATERAL unnest(coalesce(wanted.order_id, reference.order_id) || reference.others)
       AS named(order_id)
  JOIN stored_order ON stored_order.order_id = named.order_id;
