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
