-- Written by `make schema`.

CREATE OR REPLACE FUNCTION lock_rows(
    shops text[], kinds text[], reference_values text[],  -- Names of orders, pairwise.
    numbers text[],                                       -- Normalised tracking numbers.
    ids uuid[],                                           -- Of orders that are named by id.
    awaited text[],                                       -- What items may wait for.
    is_final boolean,
    OUT waits waiting[],
    OUT tracked locked_parcel[],
    OUT named reference[],
    OUT stored locked_order[],
    OUT is_contended boolean,
    OUT is_any_parked boolean
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
    before bigint[];
    owned uuid[];
BEGIN
    SELECT array_agg(item::waiting ORDER BY item.id), array_agg(item.id ORDER BY item.id)
      INTO waits, before
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    IF before IS NOT NULL AND NOT is_final THEN
        RETURN;
    END IF;

    WITH locked AS MATERIALIZED (
        SELECT number, document, old_document, owners
          FROM stored_parcel WHERE number = ANY (numbers) ORDER BY number FOR UPDATE
    )
    SELECT (SELECT array_agg(ROW(
                number, coalesce(document, convert_to(old_document::text, 'UTF8'))
            )::locked_parcel) FROM locked),
           (SELECT array_agg(owner) FROM locked, unnest(coalesce(owners, ARRAY (
                SELECT (owner ->> 'order_id')::uuid
                  FROM jsonb_array_elements(old_document -> 'owners') AS owner
            ))) AS owner)
      INTO tracked, owned;

    SELECT array_agg(locked::reference)
      INTO named
      FROM (SELECT reference.*
              FROM reference
              JOIN unnest(shops, kinds, reference_values) AS wanted(shop, kind, value)
                ON reference.shop = wanted.shop AND reference.kind = wanted.kind
               AND reference.value = wanted.value
             ORDER BY reference.shop, reference.kind, reference.value
               FOR UPDATE OF reference) AS locked;

    ids := ids || ARRAY (SELECT unnest(order_id || others) FROM unnest(named)) || owned;
    SELECT array_agg(ROW(
               order_id, coalesce(document, convert_to(old_document::text, 'UTF8')), applied, told
           )::locked_order)
      INTO stored
      FROM (SELECT order_id, document, old_document, applied, told
              FROM stored_order WHERE order_id = ANY (ids) ORDER BY order_id FOR UPDATE) AS locked;

    SELECT array_agg(item::waiting ORDER BY item.id),
           array_agg(item.id ORDER BY item.id) IS DISTINCT FROM before
      INTO waits, is_contended
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;

    PERFORM FROM parked ORDER BY id, nth LIMIT 1;
    is_any_parked := FOUND;
END
$$;
