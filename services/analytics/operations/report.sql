-- Figures computed from facts. Parameters of all statements:
-- $1 dimension: total, day, carrier or country. $2 shop, or null for all. $3, $4 first and last
-- day, or null for no limit. Days are local to the destination: an order counts on the day it was
-- placed, a parcel on the days of its hand-over and its delivery, a claim on the day it was opened.

-- name: read_order_figures
-- Orders, expected parcels, cancellations and late orders. An order with a late parcel is late, on
-- the day of its first late delivery. Not for the dimension carrier.
WITH late AS (
    SELECT order_id, min(delivered_on) AS day
      FROM parcel_fact
     WHERE on_time = 'late' AND NOT is_return
     GROUP BY order_id
), happening AS (
    SELECT order_id, placed_on AS day, 1 AS placed, expected_parcels AS expected,
           0 AS cancelled, 0 AS cancelled_late, 0 AS late
      FROM order_fact
     UNION ALL
    SELECT order_id, cancelled_on, 0, 0, 1,
           EXISTS (SELECT FROM parcel_fact
                    WHERE parcel_fact.order_id = order_fact.order_id
                      AND NOT is_return
                      AND handed_over_at <= cancelled_at)::integer, 0
      FROM order_fact
     WHERE cancelled_on IS NOT NULL
     UNION ALL
    SELECT order_id, day, 0, 0, 0, 0, 1
      FROM late
)
SELECT CASE $1 WHEN 'day' THEN to_char(day, 'YYYY-MM-DD')
               WHEN 'country' THEN coalesce(country, 'unknown')
               ELSE 'total' END AS key,
       sum(placed) AS orders,
       sum(expected) AS parcels_expected,
       sum(cancelled) AS orders_cancelled,
       sum(cancelled_late) AS orders_cancelled_after_handover,
       sum(late) AS orders_late
  FROM happening
  JOIN order_fact USING (order_id)
 WHERE ($2::text IS NULL OR shop = $2)
   AND ($3::date IS NULL OR day >= $3)
   AND ($4::date IS NULL OR day <= $4)
 GROUP BY 1;

-- name: read_order_figures_by_carrier
-- Orders with a parcel of the carrier, and orders with a late one. An order with parcels of two
-- carriers counts for both. $1 is ignored; it is there so that all statements take the same values.
WITH happening AS (
    SELECT DISTINCT order_id, carrier, order_fact.placed_on AS day, 1 AS placed, 0 AS late
      FROM parcel_fact JOIN order_fact USING (order_id)
     WHERE NOT is_return
     UNION ALL
    SELECT order_id, carrier, min(delivered_on), 0, 1
      FROM parcel_fact
     WHERE on_time = 'late' AND NOT is_return
     GROUP BY order_id, carrier
)
SELECT coalesce(carrier, 'unknown') AS key,
       sum(placed) AS orders,
       sum(late) AS orders_late
  FROM happening
  JOIN order_fact USING (order_id)
 WHERE $1::text IS NOT NULL
   AND ($2::text IS NULL OR shop = $2)
   AND ($3::date IS NULL OR day >= $3)
   AND ($4::date IS NULL OR day <= $4)
 GROUP BY 1;

-- name: read_parcel_figures
-- Parcels handed over and delivered, and deliveries compared with the promised day.
WITH happening AS (
    SELECT shop, carrier, country, handed_over_on AS day, true AS is_hand_over, on_time
      FROM parcel_fact
     WHERE handed_over_on IS NOT NULL AND NOT is_return
     UNION ALL
    SELECT shop, carrier, country, delivered_on, false, on_time
      FROM parcel_fact
     WHERE delivered_on IS NOT NULL AND NOT is_return
)
SELECT CASE $1 WHEN 'day' THEN to_char(day, 'YYYY-MM-DD')
               WHEN 'carrier' THEN coalesce(carrier, 'unknown')
               WHEN 'country' THEN coalesce(country, 'unknown')
               ELSE 'total' END AS key,
       count(*) FILTER (WHERE is_hand_over) AS parcels_handed_over,
       count(*) FILTER (WHERE NOT is_hand_over) AS parcels_delivered,
       count(*) FILTER (WHERE NOT is_hand_over AND on_time = 'early') AS parcels_early,
       count(*) FILTER (WHERE NOT is_hand_over AND on_time = 'on_time') AS parcels_on_time,
       count(*) FILTER (WHERE NOT is_hand_over AND on_time = 'late') AS parcels_late,
       count(*) FILTER (WHERE NOT is_hand_over AND on_time = 'unknown') AS parcels_without_promise
  FROM happening
 WHERE ($2::text IS NULL OR shop = $2)
   AND ($3::date IS NULL OR day >= $3)
   AND ($4::date IS NULL OR day <= $4)
 GROUP BY 1;

-- name: read_durations
-- Where the median and the 95th percentile of each duration lie, in the histograms of the durations:
-- the buckets of the two parcels on either side, and how far between them. As percentile_cont does,
-- the percentile p of n parcels is at p * (n - 1), counted from 0.
WITH counted AS (
    SELECT CASE $1 WHEN 'day' THEN to_char(ended_on, 'YYYY-MM-DD')
                   WHEN 'carrier' THEN coalesce(nullif(carrier, ''), 'unknown')
                   WHEN 'country' THEN coalesce(nullif(country, ''), 'unknown')
                   ELSE 'total' END AS key,
           duration, bucket, sum(parcels) AS parcels
      FROM parcel_duration
     WHERE ($2::text IS NULL OR shop = $2)
       AND ($3::date IS NULL OR ended_on >= $3)
       AND ($4::date IS NULL OR ended_on <= $4)
     GROUP BY 1, 2, 3
    HAVING sum(parcels) > 0
), ranked AS (
    SELECT key, duration, bucket,
           sum(parcels) OVER (PARTITION BY key, duration ORDER BY bucket) AS up_to,
           sum(parcels) OVER (PARTITION BY key, duration) - 1 AS last
      FROM counted
)
SELECT key, duration,
       min(bucket) FILTER (WHERE up_to > floor(0.5 * last)) AS p50_low,
       min(bucket) FILTER (WHERE up_to > ceil(0.5 * last)) AS p50_high,
       (0.5 * last - floor(0.5 * last))::float8 AS p50_share,
       min(bucket) FILTER (WHERE up_to > floor(0.95 * last)) AS p95_low,
       min(bucket) FILTER (WHERE up_to > ceil(0.95 * last)) AS p95_high,
       (0.95 * last - floor(0.95 * last))::float8 AS p95_share
  FROM ranked
 GROUP BY key, duration, last;

-- name: read_item_values
-- Value of the items ordered, by currency, of orders whose prices are known. Not for the dimension
-- carrier.
SELECT CASE $1 WHEN 'day' THEN to_char(placed_on, 'YYYY-MM-DD')
               WHEN 'country' THEN coalesce(country, 'unknown')
               ELSE 'total' END AS key,
       currency,
       sum(item_value) AS item_value
  FROM order_fact
 WHERE item_value IS NOT NULL
   AND ($2::text IS NULL OR shop = $2)
   AND ($3::date IS NULL OR placed_on >= $3)
   AND ($4::date IS NULL OR placed_on <= $4)
 GROUP BY 1, 2
 ORDER BY 1, 2;

-- name: read_claim_figures
-- Claims opened, and how many of them were withdrawn. The carrier is that of the claimed parcel.
SELECT CASE $1 WHEN 'day' THEN to_char(opened_on, 'YYYY-MM-DD')
               WHEN 'carrier' THEN coalesce(parcel_fact.carrier, 'unknown')
               WHEN 'country' THEN coalesce(order_fact.country, claim_fact.country, 'unknown')
               ELSE 'total' END AS key,
       count(*) AS claims,
       count(*) FILTER (WHERE is_withdrawn) AS claims_withdrawn
  FROM claim_fact
  LEFT JOIN parcel_fact USING (shipment_id)
  LEFT JOIN order_fact ON order_fact.order_id = claim_fact.order_id
 WHERE ($2::text IS NULL OR claim_fact.shop = $2)
   AND ($3::date IS NULL OR opened_on >= $3)
   AND ($4::date IS NULL OR opened_on <= $4)
 GROUP BY 1;
