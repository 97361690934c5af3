-- name: find_all
-- Orders in id order, from after one on; placeholders are left out. $1 order id, $2 at most
SELECT order_id, changed_at
  FROM stored_order
 WHERE order_id > $1 AND (document IS NOT NULL OR old_document IS NOT NULL)
 ORDER BY order_id
 LIMIT $2;

-- name: find_chosen
-- Those of some orders that there are, in id order, from after one on.
-- $1 order ids, $2 order id, $3 at most
SELECT order_id, changed_at
  FROM stored_order
 WHERE order_id = ANY ($1::uuid[]) AND order_id > $2 AND (document IS NOT NULL OR old_document IS NOT NULL)
 ORDER BY order_id
 LIMIT $3;

-- name: find_of_shop
-- Orders of a shop in id order, from after one on. $1 shop, $2 order id, $3 at most
SELECT order_id, changed_at
  FROM stored_order
 WHERE shop = $1 AND order_id > $2 AND (document IS NOT NULL OR old_document IS NOT NULL)
 ORDER BY order_id
 LIMIT $3;

-- name: find_changed
-- Orders by when their rows last changed, from after one on; null shop: of all shops. One that
-- changes meanwhile moves to the end and is found there.
-- $1 since, $2 until (not included; may be infinity), $3 shop, $4 change and $5 id of the one
-- before, $6 at most
SELECT order_id, changed_at
  FROM stored_order
 WHERE changed_at >= greatest($1::timestamptz, $4::timestamptz) AND changed_at < $2::timestamptz
   AND ($3::text IS NULL OR shop = $3)
   AND (changed_at, order_id) > ($4::timestamptz, $5::uuid)
   AND (document IS NOT NULL OR old_document IS NOT NULL)
 ORDER BY changed_at, order_id
 LIMIT $6;

-- name: count_backlog
-- How many rows wait for publication, counted up to a limit. $1 the limit
SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS counted;
