-- Figures of campaigns. Parameters of all statements:
-- $1 shop, or null for all. $2, $3 first and last day, or null for no limit: of an order the day it
-- was placed, local to the destination. A campaign of '' stands for orders without one.

-- name: read_sales
-- Orders that are not cancelled, what customers pay and their discounts, by campaign and currency.
SELECT shop, campaign_id, currency, sum(orders)::bigint AS orders, sum(revenue) AS revenue,
       sum(discount) AS discount
  FROM campaign_sale
 WHERE ($1::text IS NULL OR shop = $1)
   AND ($2::date IS NULL OR placed_on >= $2)
   AND ($3::date IS NULL OR placed_on <= $3)
 GROUP BY shop, campaign_id, currency
HAVING sum(orders) <> 0
 ORDER BY shop, campaign_id, currency;

-- name: read_activity
-- Impressions and clicks by campaign. Days are those of UTC.
SELECT shop, campaign_id, sum(impressions)::bigint AS impressions, sum(clicks)::bigint AS clicks
  FROM campaign_activity
 WHERE ($1::text IS NULL OR shop = $1)
   AND ($2::date IS NULL OR seen_on >= $2)
   AND ($3::date IS NULL OR seen_on <= $3)
 GROUP BY shop, campaign_id
 ORDER BY shop, campaign_id;

-- name: read_repurchases
-- Of the orders of read_sales, those that came from a visit in which another order's page was
-- opened.
SELECT shop, coalesce(campaign_id, '') AS campaign_id, currency, count(*) AS orders,
       sum(revenue) AS revenue
  FROM order_fact
 WHERE sessions IS NOT NULL
   AND cancelled_at IS NULL
   AND EXISTS (SELECT
                 FROM page_visit
                WHERE page_visit.session = ANY (order_fact.sessions)
                  AND page_visit.order_id <> order_fact.order_id)
   AND ($1::text IS NULL OR shop = $1)
   AND ($2::date IS NULL OR placed_on >= $2)
   AND ($3::date IS NULL OR placed_on <= $3)
 GROUP BY shop, coalesce(campaign_id, ''), currency
 ORDER BY shop, coalesce(campaign_id, ''), currency;

-- name: read_arms
-- Of each arm of each test: the visits in which the page of an order of the arm was opened, and how
-- many of them bought: led to another order, one that is not cancelled. An arm without a campaign is
-- the hold-out. Days are those of UTC on which the page was first opened in the visit.
WITH purchase AS (
    SELECT order_id, unnest(sessions) AS session
      FROM order_fact
     WHERE sessions IS NOT NULL
       AND cancelled_at IS NULL
       AND ($1::text IS NULL OR shop = $1)
), opened AS (
    SELECT order_fact.shop, order_fact.test_id,
           CASE WHEN NOT is_held_out THEN shown_campaign_id END AS campaign_id,
           page_visit.session,
           bool_or(purchase.order_id IS NOT NULL) AS has_bought
      FROM order_fact
      JOIN page_visit USING (order_id)
      LEFT JOIN purchase ON purchase.session = page_visit.session
                        AND purchase.order_id <> page_visit.order_id
     WHERE order_fact.test_id IS NOT NULL
       AND ($1::text IS NULL OR order_fact.shop = $1)
       AND ($2::date IS NULL OR page_visit.seen_on >= $2)
       AND ($3::date IS NULL OR page_visit.seen_on <= $3)
     GROUP BY 1, 2, 3, 4
)
SELECT shop, test_id, campaign_id, count(*) AS sessions,
       count(*) FILTER (WHERE has_bought) AS buyers
  FROM opened
 GROUP BY shop, test_id, campaign_id
 ORDER BY shop, test_id, campaign_id NULLS FIRST;
