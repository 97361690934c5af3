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
       told = CASE WHEN stored_order.told IS NULL THEN excluded.told ELSE
           -- What was published last is in the newer one, the rest in both.
           CASE WHEN (excluded.told -> 'version')::bigint > (stored_order.told -> 'version')::bigint
                THEN excluded.told ELSE stored_order.told END
           || jsonb_build_object(
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

-- name: read_sequences
-- The numbers of the last events of shops on campaigns.events. $1 shops
SELECT shop, sequence FROM campaign_book WHERE shop = ANY ($1::text[]);

-- name: save_published_of_shop
-- Store what was published of a shop on campaigns.events; what an earlier recall stored stays. A
-- stored book continues after it. $1 shop, $2 sequence, $3 digests of events
WITH raised AS (
    UPDATE campaign_book SET sequence = greatest(sequence, $2) WHERE shop = $1
)
INSERT INTO campaign_published AS stored (shop, sequence, events)
VALUES ($1, $2, $3::bigint[])
    ON CONFLICT (shop) DO UPDATE
   SET sequence = greatest(stored.sequence, excluded.sequence),
       events = ARRAY(SELECT DISTINCT unnest(stored.events || excluded.events));
