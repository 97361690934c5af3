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
