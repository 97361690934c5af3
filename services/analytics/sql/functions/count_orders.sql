-- Keeps fact_count equal to the number of orders by status in order_fact: adds what a
-- statement wrote, and subtracts what it replaced or deleted. Runs once a statement, whatever the
-- number of rows.
CREATE FUNCTION count_orders() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    added fact_count[];
    removed fact_count[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW('order', value, detail, 0, facts)::fact_count)
          INTO added
          FROM (SELECT status AS value,
                       '' AS detail, count(*) AS facts
                  FROM new_rows
                 GROUP BY 1, 2) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW('order', value, detail, 0, -facts)::fact_count)
          INTO removed
          FROM (SELECT status AS value,
                       '' AS detail, count(*) AS facts
                  FROM old_rows
                 GROUP BY 1, 2) AS sums;
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
