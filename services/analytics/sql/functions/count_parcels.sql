-- Keeps fact_count equal to what parcel_fact has: parcels by phase, deliveries by punctuality, and
-- parcels not delivered by promised day. Adds what a statement wrote, and subtracts what it replaced
-- or deleted. Runs once a statement, whatever the number of rows.
CREATE FUNCTION count_parcels() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    added fact_count[];
    removed fact_count[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW(figure, value, detail, 0, facts)::fact_count)
          INTO added
          FROM (SELECT figure, value, detail, count(*) AS facts
                  FROM new_rows CROSS JOIN LATERAL (VALUES
                       ('parcel', phase, CASE WHEN is_return THEN 'return' ELSE 'delivery' END, true),
                       ('delivery', on_time, '', delivered_on IS NOT NULL AND NOT is_return),
                       ('undelivered', to_char(promised_on, 'YYYY-MM-DD'), '',
                        promised_on IS NOT NULL AND delivered_on IS NULL AND NOT is_return
                        AND phase NOT LIKE 'return%')
                       ) AS named (figure, value, detail, is_counted)
                 WHERE is_counted
                 GROUP BY 1, 2, 3) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW(figure, value, detail, 0, -facts)::fact_count)
          INTO removed
          FROM (SELECT figure, value, detail, count(*) AS facts
                  FROM old_rows CROSS JOIN LATERAL (VALUES
                       ('parcel', phase, CASE WHEN is_return THEN 'return' ELSE 'delivery' END, true),
                       ('delivery', on_time, '', delivered_on IS NOT NULL AND NOT is_return),
                       ('undelivered', to_char(promised_on, 'YYYY-MM-DD'), '',
                        promised_on IS NOT NULL AND delivered_on IS NULL AND NOT is_return
                        AND phase NOT LIKE 'return%')
                       ) AS named (figure, value, detail, is_counted)
                 WHERE is_counted
                 GROUP BY 1, 2, 3) AS sums;
    END IF;
    INSERT INTO fact_count AS kept
    SELECT figure, value, detail, (SELECT counter_stripe()), sum(facts)
      FROM unnest(added || removed)
     GROUP BY figure, value, detail
    HAVING sum(facts) <> 0
        ON CONFLICT (figure, value, detail, stripe) DO UPDATE
       SET facts = kept.facts + excluded.facts;
    RETURN NULL;
END
$$;
