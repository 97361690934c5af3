-- lock_batch anew. Rows are cast to their tables' types before they are gathered: as records they
-- would go through their text form, each document written out and parsed again, at three times the
-- cost. And a session that made its plans while the tables were empty keeps to the names' indexes as
-- they grow: `id + 0` is an order that no index has.

CREATE OR REPLACE FUNCTION lock_batch(
    shops text[], kinds text[], reference_values text[],  -- Names of orders, pairwise.
    numbers text[],                                       -- Normalised tracking numbers.
    ids uuid[],                                           -- Of orders that are named by id.
    awaited text[],                                       -- What items may wait for.
    is_final boolean,
    OUT waits waiting[],
    OUT tracked parcel[],
    OUT named reference[],
    OUT stored shop_order[],
    OUT is_contended boolean,
    OUT is_any_parked boolean
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
-- Planned once a session, and by index whatever the tables' sizes were then: planned for each batch
-- it takes twice as long. No other join than the one that looks each name up.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
    before bigint[];
BEGIN
    SELECT array_agg(item::waiting ORDER BY item.id), array_agg(item.id ORDER BY item.id)
      INTO waits, before
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    IF before IS NOT NULL AND NOT is_final THEN
        RETURN;
    END IF;

    SELECT array_agg(locked::parcel)
      INTO tracked
      FROM (SELECT * FROM parcel WHERE number = ANY (numbers) ORDER BY number FOR UPDATE) AS locked;

    SELECT array_agg(locked::reference)
      INTO named
      FROM (SELECT reference.*
              FROM reference
              JOIN unnest(shops, kinds, reference_values) AS wanted(shop, kind, value)
                ON reference.shop = wanted.shop AND reference.kind = wanted.kind
               AND reference.value = wanted.value
             ORDER BY reference.shop, reference.kind, reference.value
               FOR UPDATE OF reference) AS locked;

    ids := ids || ARRAY (SELECT order_id FROM unnest(named) WHERE order_id IS NOT NULL)
               || ARRAY (SELECT (owner ->> 'order_id')::uuid
                           FROM unnest(tracked) AS owned,
                                jsonb_array_elements(owned.document -> 'owners') AS owner);
    SELECT array_agg(locked::shop_order)
      INTO stored
      FROM (SELECT * FROM shop_order WHERE order_id = ANY (ids) ORDER BY order_id FOR UPDATE)
        AS locked;

    SELECT array_agg(item::waiting ORDER BY item.id),
           array_agg(item.id ORDER BY item.id) IS DISTINCT FROM before
      INTO waits, is_contended
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;

    PERFORM FROM parked ORDER BY id, nth LIMIT 1;
    is_any_parked := FOUND;
END
$$;
