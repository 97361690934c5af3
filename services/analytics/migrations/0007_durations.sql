-- Histograms of how long parcels take, kept by the triggers below and read for percentiles.
CREATE TABLE parcel_duration (
    shop text NOT NULL,
    carrier text NOT NULL,  -- '': not known.
    country text NOT NULL,  -- '': not known.
    duration text NOT NULL,
    ended_on date NOT NULL,  -- Local to the destination.
    bucket integer NOT NULL,
    stripe smallint NOT NULL,
    parcels bigint NOT NULL,
    PRIMARY KEY (shop, carrier, country, duration, ended_on, bucket, stripe)
) WITH (fillfactor = 50);

-- The bucket of a duration of 0 or more: services/analytics/domain/durations.py.
CREATE FUNCTION duration_bucket(duration interval) RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    seconds bigint := round(extract(epoch FROM duration));
    doublings integer := width_bucket(seconds, ARRAY[
        128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576,
        2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912,
        1073741824, 2147483648, 4294967296, 8589934592, 17179869184]::bigint[]);
BEGIN
    RETURN doublings * 64 + (seconds >> doublings);
END
$$;

-- Keeps parcel_duration equal to the histograms over parcel_fact: adds what a statement wrote, and
-- subtracts what it replaced or deleted. Returns, and times below 0 (a clock is wrong), are left
-- out. Runs once a statement, whatever the number of rows.
CREATE FUNCTION count_durations() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    added parcel_duration[];
    removed parcel_duration[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW(shop, carrier, country, duration, ended_on, bucket, 0, parcels)
                         ::parcel_duration)
          INTO added
          FROM (SELECT shop, coalesce(carrier, '') AS carrier, coalesce(country, '') AS country,
                       duration, ended_on, duration_bucket(took) AS bucket, count(*) AS parcels
                  FROM new_rows CROSS JOIN LATERAL (VALUES
                       ('placed_to_shipped', handed_over_on, handed_over_at - placed_at),
                       ('shipped_to_delivered', delivered_on, delivered_at - handed_over_at),
                       ('placed_to_delivered', delivered_on, delivered_at - placed_at)
                       ) AS timed (duration, ended_on, took)
                 WHERE NOT is_return AND took >= interval '0'
                 GROUP BY 1, 2, 3, 4, 5, 6) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW(shop, carrier, country, duration, ended_on, bucket, 0, -parcels)
                         ::parcel_duration)
          INTO removed
          FROM (SELECT shop, coalesce(carrier, '') AS carrier, coalesce(country, '') AS country,
                       duration, ended_on, duration_bucket(took) AS bucket, count(*) AS parcels
                  FROM old_rows CROSS JOIN LATERAL (VALUES
                       ('placed_to_shipped', handed_over_on, handed_over_at - placed_at),
                       ('shipped_to_delivered', delivered_on, delivered_at - handed_over_at),
                       ('placed_to_delivered', delivered_on, delivered_at - placed_at)
                       ) AS timed (duration, ended_on, took)
                 WHERE NOT is_return AND took >= interval '0'
                 GROUP BY 1, 2, 3, 4, 5, 6) AS sums;
    END IF;
    INSERT INTO parcel_duration AS kept
    SELECT shop, carrier, country, duration, ended_on, bucket, (SELECT counter_stripe()),
           sum(parcels)
      FROM unnest(added || removed)
     GROUP BY shop, carrier, country, duration, ended_on, bucket
    HAVING sum(parcels) <> 0
        ON CONFLICT (shop, carrier, country, duration, ended_on, bucket, stripe) DO UPDATE
       SET parcels = kept.parcels + excluded.parcels;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_new_durations AFTER INSERT ON parcel_fact
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_durations();
CREATE TRIGGER count_changed_durations AFTER UPDATE ON parcel_fact
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_durations();
CREATE TRIGGER count_deleted_durations AFTER DELETE ON parcel_fact
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_durations();

-- Parcels from before. Writers of parcel_fact wait from the first trigger until this is committed,
-- so that none is missed or counted twice; only figures are late meanwhile.
INSERT INTO parcel_duration
SELECT shop, coalesce(carrier, ''), coalesce(country, ''), duration, ended_on,
       duration_bucket(took), 0, count(*)
  FROM parcel_fact CROSS JOIN LATERAL (VALUES
       ('placed_to_shipped', handed_over_on, handed_over_at - placed_at),
       ('shipped_to_delivered', delivered_on, delivered_at - handed_over_at),
       ('placed_to_delivered', delivered_on, delivered_at - placed_at)
       ) AS timed (duration, ended_on, took)
 WHERE NOT is_return AND took >= interval '0'
 GROUP BY 1, 2, 3, 4, 5, 6;
