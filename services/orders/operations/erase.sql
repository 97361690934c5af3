-- name: find_names
-- The stored names of an order, former ones too. $1 shop, $2 order id
SELECT kind, value
  FROM reference
 WHERE shop = $1 AND (order_id = $2::uuid OR $2::uuid = ANY (others));

-- name: has_parked
-- Whether items that are about an order are parked. $1 parking key of the order
SELECT EXISTS (SELECT FROM parked_name WHERE name = $1);

-- name: delete_names
-- Names that no other order has. $1 shop, $2 order id
DELETE FROM reference
 WHERE shop = $1 AND order_id = $2::uuid AND cardinality(coalesce(others, '{}')) = 0;

-- name: hand_on_names
-- Names that other orders have, too: these keep them. $1 shop, $2 order id
UPDATE reference
   SET order_id = CASE WHEN order_id = $2::uuid THEN others[1] ELSE order_id END,
       others = nullif(CASE WHEN order_id = $2::uuid THEN others[2:]
                            ELSE array_remove(others, $2::uuid) END, '{}')
 WHERE shop = $1 AND (order_id = $2::uuid OR $2::uuid = ANY (others));

-- name: delete_parcels
-- Tracking numbers that no order has now. Of one for which tracking waits the row stays, emptied: a
-- batch locks it. $1 normalised numbers, $2 documents without scans (pairwise)
WITH unowned AS (
    SELECT number, document,
           EXISTS (SELECT FROM waiting WHERE waits_for = 'number/' || number) AS is_awaited
      FROM unnest($1::text[], $2::bytea[]) AS each(number, document)
), emptied AS (
    UPDATE stored_parcel
       SET document = unowned.document, old_document = NULL, owners = '{}', changed_at = now()
      FROM unowned
     WHERE stored_parcel.number = unowned.number AND unowned.is_awaited
)
DELETE FROM stored_parcel
 USING unowned
 WHERE stored_parcel.number = unowned.number AND NOT unowned.is_awaited;

-- name: empty_order
-- Of an order its id and shop stay, and the last numbers that were published of it. $1 order id,
-- $2 these, as JSON
UPDATE stored_order
   SET document = NULL, old_document = NULL, applied = '', order_number = '', told = $2::jsonb,
       changed_at = now()
 WHERE order_id = $1::uuid;

-- name: delete_order_time
-- When campaigns matter for an order. $1 order id
DELETE FROM campaign_order WHERE order_id = $1::uuid;

-- name: delete_rejected
-- Refused messages with the key of the order, except parts of messages with many items. $1 key of
-- commands, $2 key of events
DELETE FROM rejected
 WHERE NOT of_many
   AND (topic = 'orders.commands' AND key = $1::bytea OR topic = 'claims.events' AND key = $2::bytea);

-- name: clear_samples
-- Samples of codes without a name that are of these numbers. $1 normalised numbers
UPDATE unmapped_code SET sample_number = '', sample_text = NULL WHERE sample_number = ANY ($1::text[]);
