-- name: delete_parcels
-- All parcels; before the orders, which they reference.
DELETE FROM parcel_fact;

-- name: delete_orders
-- All orders.
DELETE FROM order_fact;

-- name: delete_claims
-- All claims.
DELETE FROM claim_fact;
