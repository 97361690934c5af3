-- What is published is compressed with lz4 where the server was built with it (decision 0081): the
-- default, pglz, is most of what the outbox costs. Rows that are there stay as they are.
DO $$
DECLARE
    part regclass;
BEGIN
    IF EXISTS (SELECT FROM pg_settings
                WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        FOR part IN SELECT relid FROM pg_partition_tree('outbox') LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN "values" SET COMPRESSION lz4', part);
        END LOOP;
    END IF;
END
$$;
