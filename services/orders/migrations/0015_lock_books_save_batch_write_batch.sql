-- Written by `make schema`.

CREATE OR REPLACE FUNCTION lock_books(
    shops text[], changing boolean[], known bigint[],  -- And digests of known documents; pairwise.
    code_shops text[], codes text[],                   -- Codes of discounts, pairwise.
    entry_shops text[], kinds text[], ids text[],      -- Entries by name, pairwise.
    OUT books locked_book[],
    OUT entries bytea[]
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
    group_lock record;
BEGIN
    FOR group_lock IN
        SELECT hashtext(shop) & 255 AS key, bool_or(is_changing) AS is_alone
          FROM unnest(shops, changing) AS each(shop, is_changing)
         GROUP BY 1
         ORDER BY 1
    LOOP
        IF group_lock.is_alone THEN
            PERFORM pg_advisory_xact_lock(1128353104, group_lock.key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(1128353104, group_lock.key);
        END IF;
    END LOOP;

    SELECT array_agg(ROW(
               book.shop, book.digest,
               CASE WHEN book.digest IS DISTINCT FROM wanted.digest THEN book.document END,
               book.sequence
           )::locked_book)
      INTO books
      FROM unnest(shops, known) AS wanted(shop, digest)
      JOIN campaign_book AS book ON book.shop = wanted.shop;
    IF books IS NULL THEN
        RETURN;
    END IF;

    SELECT array_agg(found.document)
      INTO entries
      FROM (SELECT entry.document
              FROM unnest(entry_shops, kinds, ids) AS wanted(shop, kind, entry_id)
              JOIN campaign_entry AS entry
                ON entry.shop = wanted.shop AND entry.kind = wanted.kind
               AND entry.entry_id = wanted.entry_id
             UNION
            SELECT entry.document
              FROM unnest(code_shops, codes) AS wanted(shop, code)
              JOIN campaign_entry AS entry
                ON entry.shop = wanted.shop AND entry.code = wanted.code) AS found;
END
$$;

CREATE OR REPLACE FUNCTION save_batch(
    -- Parcels, pairwise; owners are order ids as array literals.
    parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[],
    -- Orders, pairwise; a placeholder has no document.
    orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[],
    order_documents bytea[], applied_items bytea[],
    -- Names, pairwise; the order id is null where something waits for the name.
    names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[]
) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM campaign_book WHERE shop = ANY (order_shops)) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_in_use',
            MESSAGE = 'a shop of this batch has campaigns, which this version of the service does not '
                'know',
            HINT = 'Replace this replica by the version of the others: it applies the batch.';
    END IF;
    PERFORM write_batch(
        parcels_new, numbers, parcel_documents, parcel_owners,
        orders_new, ids, order_shops, order_numbers, versions, order_documents, applied_items,
        names_new, name_shops, kinds, name_values, named_ids
    );
END
$$;

CREATE OR REPLACE FUNCTION write_batch(
    -- Parcels, pairwise; owners are order ids as array literals.
    parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[],
    -- Orders, pairwise; a placeholder has no document.
    orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[],
    order_documents bytea[], applied_items bytea[],
    -- Names, pairwise; the order id is null where something waits for the name.
    names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[]
) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
BEGIN
    IF true = ANY (parcels_new) THEN
        INSERT INTO stored_parcel (number, document, owners)
        SELECT each.number, each.document, each.owners::uuid[]
          FROM unnest(parcels_new, numbers, parcel_documents, parcel_owners)
               AS each(is_new, number, document, owners)
         WHERE each.is_new
         ORDER BY each.number;
    END IF;
    IF false = ANY (parcels_new) THEN
        UPDATE stored_parcel
           SET document = each.document, old_document = NULL, owners = each.owners::uuid[],
               changed_at = now()
          FROM unnest(parcels_new, numbers, parcel_documents, parcel_owners)
               AS each(is_new, number, document, owners)
         WHERE NOT each.is_new AND stored_parcel.number = each.number;
    END IF;

    IF true = ANY (orders_new) THEN
        INSERT INTO stored_order (order_id, shop, order_number, version, document, applied)
        SELECT each.order_id, each.shop, each.order_number, each.version, each.document, each.applied
          FROM unnest(orders_new, ids, order_shops, order_numbers, versions, order_documents,
                      applied_items)
               AS each(is_new, order_id, shop, order_number, version, document, applied)
         WHERE each.is_new
         ORDER BY each.order_id;
    END IF;
    IF false = ANY (orders_new) THEN  -- Shop and number differ only from a placeholder's.
        UPDATE stored_order
           SET shop = each.shop, order_number = each.order_number, version = each.version,
               document = each.document, old_document = NULL, applied = each.applied,
               changed_at = now()
          FROM unnest(orders_new, ids, order_shops, order_numbers, versions, order_documents,
                      applied_items)
               AS each(is_new, order_id, shop, order_number, version, document, applied)
         WHERE NOT each.is_new AND stored_order.order_id = each.order_id;
    END IF;

    IF true = ANY (names_new) THEN
        INSERT INTO reference (shop, kind, value, order_id)
        SELECT each.shop, each.kind, each.value, each.order_id
          FROM unnest(names_new, name_shops, kinds, name_values, named_ids)
               AS each(is_new, shop, kind, value, order_id)
         WHERE each.is_new
         ORDER BY each.shop, each.kind, each.value;
    END IF;
    IF false = ANY (names_new) THEN
        UPDATE reference
           SET order_id = each.order_id
          FROM unnest(names_new, name_shops, kinds, name_values, named_ids)
               AS each(is_new, shop, kind, value, order_id)
         WHERE NOT each.is_new AND reference.shop = each.shop AND reference.kind = each.kind
           AND reference.value = each.value;
    END IF;
END
$$;
