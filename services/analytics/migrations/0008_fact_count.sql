-- Numbers of facts by what is shown of them on dashboards, kept by the triggers below. A number is the
-- sum over its stripes. The rows are few: their keys are words of the contract, or days.
--   figure       value                        detail
--   order        status
--   parcel       phase                        delivery or return
--   delivery     early, on_time, late, unknown: the day of a delivery against the promised one
--   undelivered  promised day (YYYY-MM-DD), of parcels that are not delivered nor on their way back
--   claim        status, or withdrawn         reason
CREATE TABLE fact_count (
    figure text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    detail text COLLATE "C" NOT NULL,
    stripe smallint NOT NULL,
    facts bigint NOT NULL,
    PRIMARY KEY (figure, value, detail, stripe)
) WITH (fillfactor = 50);

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

CREATE TRIGGER count_new_orders AFTER INSERT ON order_fact
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_orders();
CREATE TRIGGER count_changed_orders AFTER UPDATE ON order_fact
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_orders();
CREATE TRIGGER count_deleted_orders AFTER DELETE ON order_fact
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_orders();

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

CREATE TRIGGER count_new_parcels AFTER INSERT ON parcel_fact
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_parcels();
CREATE TRIGGER count_changed_parcels AFTER UPDATE ON parcel_fact
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_parcels();
CREATE TRIGGER count_deleted_parcels AFTER DELETE ON parcel_fact
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_parcels();

-- Keeps fact_count equal to the number of claims by status and reason in claim_fact: adds what a
-- statement wrote, and subtracts what it replaced or deleted. Runs once a statement, whatever the
-- number of rows.
CREATE FUNCTION count_claims() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    added fact_count[];
    removed fact_count[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW('claim', value, detail, 0, facts)::fact_count)
          INTO added
          FROM (SELECT CASE WHEN is_withdrawn THEN 'withdrawn' ELSE status END AS value,
                       reason AS detail, count(*) AS facts
                  FROM new_rows
                 GROUP BY 1, 2) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW('claim', value, detail, 0, -facts)::fact_count)
          INTO removed
          FROM (SELECT CASE WHEN is_withdrawn THEN 'withdrawn' ELSE status END AS value,
                       reason AS detail, count(*) AS facts
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

CREATE TRIGGER count_new_claims AFTER INSERT ON claim_fact
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_claims();
CREATE TRIGGER count_changed_claims AFTER UPDATE ON claim_fact
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_claims();
CREATE TRIGGER count_deleted_claims AFTER DELETE ON claim_fact
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_claims();

-- Facts from before. Writers wait from the first trigger until this is committed, so that none is
-- missed or counted twice; only figures are late meanwhile.
INSERT INTO fact_count
SELECT 'order', status, '', 0, count(*)
  FROM order_fact
 GROUP BY 2;

INSERT INTO fact_count
SELECT figure, value, detail, 0, count(*)
  FROM parcel_fact CROSS JOIN LATERAL (VALUES
       ('parcel', phase, CASE WHEN is_return THEN 'return' ELSE 'delivery' END, true),
       ('delivery', on_time, '', delivered_on IS NOT NULL AND NOT is_return),
       ('undelivered', to_char(promised_on, 'YYYY-MM-DD'), '',
        promised_on IS NOT NULL AND delivered_on IS NULL AND NOT is_return
        AND phase NOT LIKE 'return%')
       ) AS named (figure, value, detail, is_counted)
 WHERE is_counted
 GROUP BY 1, 2, 3;

INSERT INTO fact_count
SELECT 'claim', CASE WHEN is_withdrawn THEN 'withdrawn' ELSE status END, reason, 0, count(*)
  FROM claim_fact
 GROUP BY 2, 3;
