-- What a replica of the version before writes: as `write_batch`, which is the present one's. It would
-- drop from an order the campaign that was chosen and the credit (decision 0193), so it is refused
-- where a shop of the batch has campaigns. The error is transient to it, so its batch is applied by
-- the replica that takes its place.
CREATE FUNCTION save_batch(
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
