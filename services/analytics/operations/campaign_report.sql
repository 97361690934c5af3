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
