-- name: read_versions
-- The versions of those of the orders that there are, placeholders included. $1 order ids
SELECT order_id, version FROM shop_order WHERE order_id = ANY ($1::uuid[]);

-- name: save_told
-- Note what was told of orders. One that is not there any more is named, as one that somebody waits
-- for is; what is changed by it is told again by `republish --since`.
-- $1 order ids, $2 shops, $3 order numbers, $4 told (pairwise)
INSERT INTO shop_order (order_id, shop, order_number, version, told)
SELECT order_id, shop, order_number, 0, told
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[])
    AS heard(order_id, shop, order_number, told)
 ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE SET told = excluded.told, changed_at = now();
