-- name: read_versions
-- The versions of those of the orders that there are, placeholders included. $1 order ids
SELECT order_id, version FROM stored_order WHERE order_id = ANY ($1::uuid[]);

-- name: save_published
-- Store what was published of orders. An order that is missing gets a placeholder row, as one that
-- an item waits for; a change by it is published again by `republish --since`. What an earlier
-- recall stored stays: its facts may not have been decided again yet.
-- $1 order ids, $2 shops, $3 order numbers, $4 published (pairwise)
INSERT INTO stored_order (order_id, shop, order_number, version, told)
SELECT order_id, shop, order_number, 0, published
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[])
    AS recalled(order_id, shop, order_number, published)
 ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE
   SET changed_at = now(),
       told = CASE WHEN stored_order.told IS NULL THEN excluded.told ELSE jsonb_build_object(
           'order_sequence', greatest((stored_order.told -> 'order_sequence')::bigint,
                                      (excluded.told -> 'order_sequence')::bigint),
           'shipment_sequence', greatest((stored_order.told -> 'shipment_sequence')::bigint,
                                         (excluded.told -> 'shipment_sequence')::bigint),
           'version', greatest((stored_order.told -> 'version')::bigint,
                               (excluded.told -> 'version')::bigint),
           'events', (SELECT jsonb_agg(DISTINCT event)
                        FROM jsonb_array_elements(
                             (stored_order.told -> 'events') || (excluded.told -> 'events')) AS event),
           'notices', (SELECT coalesce(jsonb_agg(DISTINCT notice), '[]')
                         FROM jsonb_array_elements(
                              coalesce(stored_order.told -> 'notices', '[]')
                              || (excluded.told -> 'notices')) AS notice)
       ) || CASE WHEN stored_order.told ? 'erased'
                 THEN jsonb_build_object('erased', stored_order.told -> 'erased') ELSE '{}' END END;
