-- A row's records in one value, packed and compressed by the service that writes it (decision 0094).
-- A row has one of two forms. The version before writes and reads arrays only: it fails at a packed
-- row, whose arrays are null, before it publishes or deletes anything of it.
ALTER TABLE outbox
    ADD COLUMN packed bytea,
    ADD COLUMN records integer,         -- Null in arrays that the version before wrote,
    ADD COLUMN unpacked_bytes integer,  -- as this is. For packed: without compression.
    ALTER COLUMN topics DROP NOT NULL,
    ALTER COLUMN keys DROP NOT NULL,
    ALTER COLUMN headers DROP NOT NULL,
    ALTER COLUMN "values" DROP NOT NULL,
    ADD CONSTRAINT outbox_has_one_form CHECK (
        CASE WHEN packed IS NULL
             THEN num_nulls(topics, keys, headers, "values") = 0
             ELSE num_nonnulls(topics, keys, headers, "values") = 0
                  AND records > 0 AND unpacked_bytes > 0
         END
    );

-- Compressed already: Postgres shall not try it again.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree('outbox') LOOP
        EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN packed SET STORAGE EXTERNAL', part);
    END LOOP;
END
$$;
