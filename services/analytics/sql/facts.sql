-- Writes of facts. Each statement takes a whole batch. A row of an equal or newer version stays as
-- it is, so that an event that is applied twice or late changes nothing.

-- name: save_orders
-- Insert orders or replace them by newer versions. Rows are locked in id order, also those that do
-- not change, so that two transactions with events of the same orders cannot deadlock. A row that
-- this version has not written yet has no sale, and takes it from an event of the row's own version.
-- $1 order ids, $2 versions, $3 shops, $4 order numbers, $5 statuses, $6 placed at, $7 placed on,
-- $8 cancelled at, $9 cancelled on, $10 promised on, $11 countries, $12 zones, $13 zone sources,
-- $14 currencies, $15 item values, $16 expected parcels, $17 value versions, $18 sale versions,
-- $19 credited campaigns, $20 revenues, $21 discounts, $22 shown campaigns, $23 tests, $24 held out,
-- $25 sessions, each an array literal of uuids or null
INSERT INTO order_fact AS known
       (order_id, version, complete_version, shop, order_number, status, placed_at, placed_on,
        cancelled_at, cancelled_on, promised_on, country, zone, zone_source, currency, item_value,
        expected_parcels, value_version, sale_version, campaign_id, revenue, discount,
        shown_campaign_id, test_id, is_held_out, sessions)
SELECT order_id, version, 0, shop, order_number, status, placed_at, placed_on,
       cancelled_at, cancelled_on, promised_on, country, zone, zone_source, currency, item_value,
       expected_parcels, value_version, sale_version, campaign_id, revenue, discount,
       shown_campaign_id, test_id, is_held_out, sessions::uuid[]
  FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
              $7::date[], $8::timestamptz[], $9::date[], $10::date[], $11::text[], $12::text[],
              $13::text[], $14::text[], $15::numeric[], $16::integer[], $17::bigint[],
              $18::bigint[], $19::text[], $20::numeric[], $21::numeric[], $22::text[], $23::text[],
              $24::boolean[], $25::text[])
       AS fresh (order_id, version, shop, order_number, status, placed_at, placed_on, cancelled_at,
                 cancelled_on, promised_on, country, zone, zone_source, currency, item_value,
                 expected_parcels, value_version, sale_version, campaign_id, revenue, discount,
                 shown_campaign_id, test_id, is_held_out, sessions)
 ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE
   SET version = excluded.version,
       shop = excluded.shop,
       order_number = excluded.order_number,
       status = excluded.status,
       placed_at = excluded.placed_at,
       placed_on = excluded.placed_on,
       cancelled_at = excluded.cancelled_at,
       cancelled_on = excluded.cancelled_on,
       promised_on = excluded.promised_on,
       country = excluded.country,
       zone = excluded.zone,
       zone_source = excluded.zone_source,
       currency = excluded.currency,
       expected_parcels = excluded.expected_parcels,
       sale_version = excluded.sale_version,
       campaign_id = excluded.campaign_id,
       revenue = excluded.revenue,
       discount = excluded.discount,
       shown_campaign_id = excluded.shown_campaign_id,
       test_id = excluded.test_id,
       is_held_out = excluded.is_held_out,
       sessions = excluded.sessions
 WHERE excluded.version > known.version
    OR (excluded.version = known.version AND known.sale_version < known.version);

-- name: raise_versions
-- Store the newest version that listed all parcels of an order, and the newest version that had the
-- value of its items, with that value. Not every event has them, so each has a version of its own.
-- The rows are locked already.
-- $1 order ids, $2 complete versions, $3 value versions (0: the event has no value), $4 item values
UPDATE order_fact AS known
   SET complete_version = greatest(known.complete_version, fresh.complete_version),
       value_version = greatest(known.value_version, fresh.value_version),
       item_value = CASE WHEN fresh.value_version > known.value_version THEN fresh.item_value
                         ELSE known.item_value END
  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::numeric[])
       AS fresh (order_id, complete_version, value_version, item_value)
 WHERE known.order_id = fresh.order_id
   AND (known.complete_version < fresh.complete_version
        OR known.value_version < fresh.value_version);

-- name: save_parcels
-- Insert parcels or replace them by newer versions. A parcel older than its order's complete version
-- no longer belongs to the order and is not inserted.
-- $1 shipment ids, $2 order ids, $3 versions, $4 shops, $5 carriers, $6 countries, $7 returns,
-- $8 phases, $9 flags, $10 attempts, $11 placed at, $12 promised on, $13 handed over at,
-- $14 handed over on, $15 delivered at, $16 delivered on, $17 on time
INSERT INTO parcel_fact AS known
       (shipment_id, order_id, version, shop, carrier, country, is_return, phase, flag, attempts,
        placed_at, promised_on, handed_over_at, handed_over_on, delivered_at, delivered_on, on_time)
SELECT fresh.*
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
              $7::boolean[], $8::text[], $9::text[], $10::integer[], $11::timestamptz[],
              $12::date[], $13::timestamptz[], $14::date[], $15::timestamptz[], $16::date[],
              $17::text[])
       AS fresh (shipment_id, order_id, version)
  JOIN order_fact USING (order_id)
 WHERE fresh.version >= order_fact.complete_version
 ORDER BY fresh.shipment_id
    ON CONFLICT (shipment_id) DO UPDATE
   SET order_id = excluded.order_id,
       version = excluded.version,
       shop = excluded.shop,
       carrier = excluded.carrier,
       country = excluded.country,
       is_return = excluded.is_return,
       phase = excluded.phase,
       flag = excluded.flag,
       attempts = excluded.attempts,
       placed_at = excluded.placed_at,
       promised_on = excluded.promised_on,
       handed_over_at = excluded.handed_over_at,
       handed_over_on = excluded.handed_over_on,
       delivered_at = excluded.delivered_at,
       delivered_on = excluded.delivered_on,
       on_time = excluded.on_time
 WHERE excluded.version > known.version;

-- name: drop_vanished_parcels
-- Delete parcels that no longer belong to their order: the number was taken off, or the
-- draft was dropped.
-- $1 order ids
DELETE FROM parcel_fact
 USING order_fact
 WHERE parcel_fact.order_id = ANY ($1::uuid[])
   AND order_fact.order_id = parcel_fact.order_id
   AND parcel_fact.version < order_fact.complete_version;

-- name: save_claims
-- Insert claims or replace them by newer versions, in id order.
-- $1 claim ids, $2 order ids, $3 versions, $4 shops, $5 shipment ids, $6 reasons, $7 statuses,
-- $8 resolution preferences, $9 countries, $10 opened at, $11 opened on, $12 withdrawn
INSERT INTO claim_fact AS known
       (claim_id, order_id, version, shop, shipment_id, reason, status, resolution_preference,
        country, opened_at, opened_on, is_withdrawn)
SELECT fresh.*
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::text[],
              $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::date[], $12::boolean[])
       AS fresh (claim_id)
 ORDER BY claim_id
    ON CONFLICT (claim_id) DO UPDATE
   SET order_id = excluded.order_id,
       version = excluded.version,
       shop = excluded.shop,
       shipment_id = excluded.shipment_id,
       reason = excluded.reason,
       status = excluded.status,
       resolution_preference = excluded.resolution_preference,
       country = excluded.country,
       opened_at = excluded.opened_at,
       opened_on = excluded.opened_on,
       is_withdrawn = excluded.is_withdrawn
 WHERE excluded.version > known.version;
