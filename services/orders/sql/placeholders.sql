-- name: save_placeholders
-- Record the names that items wait for and that no order has. $1 shops, $2 kinds, $3 values,
-- $4 order ids or nulls (pairwise), $5 business time
INSERT INTO placeholder (shop, kind, value, order_id, awaited_at)
SELECT shop, kind, value, order_id, $5::timestamptz
  FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
       AS awaited(shop, kind, value, order_id)
 ORDER BY shop, kind, value
    ON CONFLICT (shop, kind, value) DO UPDATE SET awaited_at = excluded.awaited_at;

-- name: lock_unneeded_placeholders
-- Lock names that nothing waits for any more, oldest first, except rows that another transaction
-- holds. $1 business time before which they were last waited for, $2 at most
SELECT shop, kind, value, order_id
  FROM placeholder
 WHERE awaited_at <= $1
   AND NOT EXISTS (
       SELECT FROM waiting
        WHERE waits_for = concat_ws('/', 'order', placeholder.shop, placeholder.kind,
                                    placeholder.value))
 ORDER BY awaited_at
 LIMIT $2
   FOR UPDATE SKIP LOCKED;

-- name: delete_unplaced_orders
-- Delete those of the orders that were never placed, except rows that another transaction holds.
-- $1 order ids
DELETE FROM stored_order
 WHERE order_id IN (
       SELECT order_id
         FROM stored_order
        WHERE order_id = ANY ($1::uuid[])
          AND document IS NULL AND old_document IS NULL AND told IS NULL
        ORDER BY order_id
          FOR UPDATE SKIP LOCKED);

-- name: delete_unused_references
-- Delete those of the references that name no order, except rows that another transaction holds.
-- $1 shops, $2 kinds, $3 values (pairwise)
DELETE FROM reference
 WHERE ctid = ANY (ARRAY (
       SELECT held.ctid
         FROM unnest($1::text[], $2::text[], $3::text[]) AS unneeded(shop, kind, value)
        CROSS JOIN LATERAL (
              SELECT reference.ctid
                FROM reference
               WHERE reference.shop = unneeded.shop AND reference.kind = unneeded.kind
                 AND reference.value = unneeded.value AND reference.order_id IS NULL
                 FOR UPDATE SKIP LOCKED) AS held));

-- name: delete_placeholders
-- Delete those of the names whose row is gone or has its order now. $1 shops, $2 kinds, $3 values
-- (pairwise)
DELETE FROM placeholder
 USING unnest($1::text[], $2::text[], $3::text[]) AS unneeded(shop, kind, value)
 WHERE placeholder.shop = unneeded.shop AND placeholder.kind = unneeded.kind
   AND placeholder.value = unneeded.value
   AND NOT EXISTS (
       SELECT FROM stored_order
        WHERE stored_order.order_id = placeholder.order_id
          AND document IS NULL AND old_document IS NULL AND told IS NULL)
   AND NOT EXISTS (
       SELECT FROM reference
        WHERE reference.shop = placeholder.shop AND reference.kind = placeholder.kind
          AND reference.value = placeholder.value AND reference.order_id IS NULL);
