-- Large orders and long tracking are compressed with lz4 where the server was built with it
-- (decision 0081). Rows that are there stay as they are until they change.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings
                WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE shop_order ALTER COLUMN document SET COMPRESSION lz4;
        ALTER TABLE parcel ALTER COLUMN document SET COMPRESSION lz4;
    END IF;
END
$$;
