-- name: find_shops
-- Every shop that has an order, by one probe of an index for each shop.
WITH RECURSIVE shops (shop) AS (
    (SELECT shop FROM stored_order ORDER BY shop LIMIT 1)
     UNION ALL
    SELECT (SELECT stored_order.shop
              FROM stored_order
             WHERE stored_order.shop > shops.shop
             ORDER BY stored_order.shop
             LIMIT 1)
      FROM shops
     WHERE shops.shop IS NOT NULL
)
SELECT shop FROM shops WHERE shop IS NOT NULL;

-- name: find_named
-- Orders that a text names as external id or name, in any of these shops, the first of each name; and
-- whether others have or had the name. $1 shops, $2 the text
SELECT reference.shop, reference.order_id, reference.kind, reference.others IS NOT NULL AS is_shared
  FROM unnest($1::text[]) AS wanted (shop)
  JOIN reference ON reference.shop = wanted.shop
                AND reference.kind = ANY (ARRAY['external_id', 'order_name'])
                AND reference.value = $2
 WHERE reference.order_id IS NOT NULL;

-- name: find_by_ids
-- Orders of these ids, without placeholders of orders that are not there yet. $1 order ids
SELECT order_id, shop, order_number
  FROM stored_order
 WHERE order_id = ANY ($1::uuid[])
   AND (document IS NOT NULL OR old_document IS NOT NULL)
 ORDER BY shop, order_number;
