-- name: save_orders
-- Make and lock every order that the batch touches, in id order, and replace copies by newer ones
-- only. Version 0 (an order that is only named) replaces nothing, but locks the row all the same.
-- A snapshot whose lines were cut for size keeps the lines that are known.
-- Once the tables were emptied to be rebuilt, a copy is whole when an event that was decided after
-- that told all claims of its order; and it stays so.
-- Returns the rows that are new, newer, or whole now.
-- $1 order ids (distinct), $2 shops, $3 versions, $4 contexts, $5 when an event that tells all
-- claims was decided, or null (pairwise)
INSERT INTO order_copy (order_id, shop, order_version, context, is_whole)
SELECT order_id, shop, order_version, context,
       coalesce(all_claims_told_at >= (SELECT began_at FROM rebuild),
                NOT EXISTS (SELECT FROM rebuild))
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::jsonb[], $5::timestamptz[])
       AS told(order_id, shop, order_version, context, all_claims_told_at)
 ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE
   SET shop = CASE WHEN order_copy.order_version < excluded.order_version
                   THEN excluded.shop ELSE order_copy.shop END,
       order_version = greatest(order_copy.order_version, excluded.order_version),
       context = CASE WHEN order_copy.order_version >= excluded.order_version
                      THEN order_copy.context
                      WHEN excluded.context @> '{"lines_cut": true}'
                      THEN jsonb_set(excluded.context, '{order,products}',
                                     coalesce(order_copy.context #> '{order,products}', '[]'))
                      ELSE excluded.context END,
       is_whole = order_copy.is_whole OR excluded.is_whole,
       updated_at = now()
 WHERE order_copy.order_version < excluded.order_version
    OR (excluded.is_whole AND NOT order_copy.is_whole)
RETURNING order_id, is_whole;

-- name: read_orders
-- Orders to decide about; their rows are locked already. $1 order ids
SELECT order_id, shop, order_version, context, claim_sequence, is_whole
  FROM order_copy
 WHERE order_id = ANY ($1::uuid[]);
