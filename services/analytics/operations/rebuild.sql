-- name: delete_parcels
-- All parcels; before the orders, which they reference.
DELETE FROM parcel_fact;

-- name: delete_orders
-- All orders.
DELETE FROM order_fact;

-- name: delete_claims
-- All claims.
DELETE FROM claim_fact;

-- name: delete_sales
-- All counters of sales; each is 0 once the orders are deleted.
DELETE FROM campaign_sale;

-- name: delete_durations
-- All histograms; each is 0 once the parcels are deleted.
DELETE FROM parcel_duration;

-- name: delete_counts
-- All numbers of facts; each is 0 once the facts are deleted.
DELETE FROM fact_count;
