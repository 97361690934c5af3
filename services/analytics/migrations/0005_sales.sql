-- What each order counts for in the figures of campaigns, and counters of it by campaign.
ALTER TABLE order_fact
    -- Version of the event that the columns below are from; 0 in a row from before them.
    ADD COLUMN sale_version bigint NOT NULL DEFAULT 0 CHECK (sale_version >= 0),
    -- The campaign that is credited with the order; what the customer pays, and of it discounts.
    ADD COLUMN campaign_id text,
    ADD COLUMN revenue numeric(24, 4) NOT NULL DEFAULT 0,
    ADD COLUMN discount numeric(24, 4) NOT NULL DEFAULT 0,
    -- What the order's page shows, and the test that decided so.
    ADD COLUMN shown_campaign_id text,
    ADD COLUMN test_id text,
    ADD COLUMN is_held_out boolean NOT NULL DEFAULT false,
    -- Digests of the visits that led to the order; null: none is known.
    ADD COLUMN sessions uuid[];

-- Sums over order_fact of orders that are not cancelled, kept by the triggers below. The counter of
-- a campaign is the sum over its stripes. Orders without a credited campaign count for ''.
CREATE TABLE campaign_sale (
    shop text NOT NULL,
    campaign_id text NOT NULL,
    placed_on date NOT NULL,  -- Local to the destination.
    currency text NOT NULL,
    stripe smallint NOT NULL,
    orders bigint NOT NULL,
    revenue numeric NOT NULL,
    discount numeric NOT NULL,
    PRIMARY KEY (shop, campaign_id, placed_on, currency, stripe)
) WITH (fillfactor = 50);

-- A stripe of the counters that no other transaction writes in until this one ends. Counters are
-- kept in stripes and summed when they are read: transactions that count for the same shop and day
-- neither wait for each other nor deadlock. The first free one is taken, so that there are as many
-- rows of a counter as there are transactions at one time. The number is that of
-- lock_class("analytics/counter").
CREATE FUNCTION counter_stripe() RETURNS smallint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    FOR stripe IN 0..62 LOOP
        IF pg_try_advisory_xact_lock(1204848918, stripe) THEN
            RETURN stripe;
        END IF;
    END LOOP;
    PERFORM pg_advisory_xact_lock(1204848918, 63);
    RETURN 63;
END
$$;

-- Keeps campaign_sale equal to the sum over order_fact: adds what a statement wrote, and subtracts
-- what it replaced or deleted. An order that is cancelled, or whose sale is not known, counts for
-- nothing. Runs once a statement, whatever the number of rows.
CREATE FUNCTION count_sales() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    added campaign_sale[];
    removed campaign_sale[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW(shop, credited, placed_on, currency, 0, orders, revenue, discount)
                         ::campaign_sale)
          INTO added
          FROM (SELECT shop, coalesce(campaign_id, '') AS credited, placed_on, currency,
                       count(*) AS orders, sum(revenue) AS revenue, sum(discount) AS discount
                  FROM new_rows
                 WHERE cancelled_at IS NULL AND sale_version > 0
                 GROUP BY 1, 2, 3, 4) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW(shop, credited, placed_on, currency, 0, -orders, -revenue, -discount)
                         ::campaign_sale)
          INTO removed
          FROM (SELECT shop, coalesce(campaign_id, '') AS credited, placed_on, currency,
                       count(*) AS orders, sum(revenue) AS revenue, sum(discount) AS discount
                  FROM old_rows
                 WHERE cancelled_at IS NULL AND sale_version > 0
                 GROUP BY 1, 2, 3, 4) AS sums;
    END IF;
    INSERT INTO campaign_sale AS kept
    SELECT shop, campaign_id, placed_on, currency, (SELECT counter_stripe()),
           sum(orders), sum(revenue), sum(discount)
      FROM unnest(added || removed)
     GROUP BY shop, campaign_id, placed_on, currency
    HAVING sum(orders) <> 0 OR sum(revenue) <> 0 OR sum(discount) <> 0
        ON CONFLICT (shop, campaign_id, placed_on, currency, stripe) DO UPDATE
       SET orders = kept.orders + excluded.orders,
           revenue = kept.revenue + excluded.revenue,
           discount = kept.discount + excluded.discount;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_new_sales AFTER INSERT ON order_fact
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_sales();
CREATE TRIGGER count_changed_sales AFTER UPDATE ON order_fact
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_sales();
CREATE TRIGGER count_deleted_sales AFTER DELETE ON order_fact
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION count_sales();
