-- What a replica of the version before writes: as `save_batch`, which is the present one's. It would
-- drop what it does not know of a number that is or was on several shipments (decision 0155), so it is
-- refused while a process of a present version runs: the lock is that of its relay
-- (`outbox/leases.py`). The error is transient to it, so its batch is applied by the replica that
-- takes its place.
CREATE FUNCTION save_rows(
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
    IF EXISTS (
        SELECT FROM stored_parcel AS held
         WHERE held.number = ANY (numbers)
           AND (cardinality(held.owners) > 1
                AND position(convert_to('"came_at"', 'UTF8') IN held.document) > 0
                OR position(convert_to('"private":[', 'UTF8') IN held.document) > 0)
    ) AND EXISTS (
        SELECT FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND classid = 1271430833::oid
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_in_use',
            MESSAGE = 'a tracking number of this batch is or was on several shipments, which this '
                'version of the service does not know',
            HINT = 'Replace this replica by the version of the others: it applies the batch.';
    END IF;
    PERFORM save_batch(
        parcels_new, numbers, parcel_documents, parcel_owners,
        orders_new, ids, order_shops, order_numbers, versions, order_documents, applied_items,
        names_new, name_shops, kinds, name_values, named_ids
    );
END
$$;
