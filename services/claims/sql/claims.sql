-- name: save_anchors
-- Insert and lock the anchors that are not resolved yet; add the orders that are known.
-- A resolved anchor only gets further orders, the first 16 of a name. It is neither locked nor written
-- where it has the orders.
-- $1 keys (distinct), $2 order ids as array literals (pairwise)
INSERT INTO anchor (name, order_id, others)
SELECT wanted.name, wanted.orders[1], nullif(wanted.orders[2:16], '{}')
  FROM (SELECT given.name, given.orders::uuid[] AS orders
          FROM unnest($1::text[], $2::text[]) AS given(name, orders)) AS wanted
 WHERE NOT EXISTS (
       SELECT FROM anchor
        WHERE anchor.name = wanted.name AND anchor.order_id IS NOT NULL
          AND (wanted.orders <@ (anchor.order_id || anchor.others)
               OR cardinality(anchor.others) >= 15)
       )
 ORDER BY wanted.name
    ON CONFLICT (name) DO UPDATE
   SET order_id = coalesce(anchor.order_id, excluded.order_id),
       others = (SELECT nullif((array_agg(bearer.order_id ORDER BY bearer.nth))[2:16], '{}')
                   FROM (SELECT every.order_id, min(every.nth) AS nth
                           FROM unnest(anchor.order_id || anchor.others
                                       || (excluded.order_id || excluded.others))
                                WITH ORDINALITY AS every(order_id, nth)
                          WHERE every.order_id IS NOT NULL
                          GROUP BY every.order_id) AS bearer);

-- name: read_anchors
-- The orders of anchors that are resolved. $1 keys
SELECT name, order_id, others FROM anchor WHERE name = ANY ($1::text[]) AND order_id IS NOT NULL;

-- name: find_claims
-- The orders that claims belong to; the order of a claim never changes. $1 claim ids
SELECT claim_id, order_id FROM claim WHERE claim_id = ANY ($1::uuid[]);

-- name: save_orders
-- Insert and lock every order that the batch touches, in id order, and replace copies by newer ones
-- only. Version 0 (an order that a command names) replaces nothing, but locks the row too.
-- A document whose lines were cut for size keeps the stored lines.
-- After the tables were emptied for a rebuild, a copy is whole once an event that was decided after
-- that has held all claims of its order; it then stays whole.
-- Returns the rows that are new, newer, or whole now.
-- $1 order ids (distinct), $2 shops, $3 versions, $4 documents, $5 whether their lines were cut,
-- $6 when an event that holds all claims was decided, or null (pairwise)
INSERT INTO order_copy (order_id, shop, order_version, document, lines_cut, is_whole)
SELECT order_id, shop, order_version, document, lines_cut,
       coalesce(claims_complete_at >= (SELECT began_at FROM rebuild),
                NOT EXISTS (SELECT FROM rebuild))
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[], $5::boolean[], $6::timestamptz[])
       AS received(order_id, shop, order_version, document, lines_cut, claims_complete_at)
 ORDER BY order_id
    ON CONFLICT (order_id) DO UPDATE
   SET shop = CASE WHEN order_copy.order_version < excluded.order_version
                   THEN excluded.shop ELSE order_copy.shop END,
       order_version = greatest(order_copy.order_version, excluded.order_version),
       document = CASE WHEN order_copy.order_version >= excluded.order_version
                       THEN order_copy.document
                       WHEN excluded.lines_cut
                       THEN convert_to(with_lines_of(
                                coalesce(order_copy.context,
                                         convert_from(order_copy.document, 'UTF8')::jsonb),
                                convert_from(excluded.document, 'UTF8')::jsonb)::text, 'UTF8')
                       ELSE excluded.document END,
       context = CASE WHEN order_copy.order_version >= excluded.order_version
                      THEN order_copy.context END,
       lines_cut = CASE WHEN order_copy.order_version >= excluded.order_version
                        THEN order_copy.lines_cut ELSE excluded.lines_cut END,
       is_whole = order_copy.is_whole OR excluded.is_whole,
       updated_at = now()
 WHERE order_copy.order_version < excluded.order_version
    OR (excluded.is_whole AND NOT order_copy.is_whole)
RETURNING order_id, is_whole;

-- name: read_orders
-- Orders to decide about; their rows are locked already. `is_rebuilt`: the tables were emptied for a
-- rebuild once. $1 order ids
SELECT order_id, shop, order_version,
       coalesce(document, convert_to(context::text, 'UTF8')) AS document, claim_sequence, is_whole,
       EXISTS (SELECT FROM rebuild) AS is_rebuilt
  FROM order_copy
 WHERE order_id = ANY ($1::uuid[]);

-- name: read_claims
-- All claims of the orders, oldest first; locked with their orders. $1 order ids
SELECT order_id, details
  FROM claim
 WHERE order_id = ANY ($1::uuid[])
 ORDER BY created_at, claim_id;

-- name: save_sequences
-- The number of each order's last claim event. $1 order ids, $2 numbers (pairwise)
UPDATE order_copy
   SET claim_sequence = numbered.sequence
  FROM unnest($1::uuid[], $2::bigint[]) AS numbered(order_id, sequence)
 WHERE order_copy.order_id = numbered.order_id;

-- name: save_claims
-- Store decided claims. Those that are no longer open come first, because another claim of the same
-- statement may take their entry in the unique index claim_open_once.
-- $1 claim ids, $2 order ids, $3 shops, $4 shipment ids, $5 reasons, $6 statuses, $7 items hashes,
-- $8 created, $9 updated, $10 deleted, $11 details, $12 whether open (pairwise)
INSERT INTO claim (claim_id, order_id, shop, shipment_id, reason, status, items_hash,
                   created_at, updated_at, deleted_at, details)
SELECT claim_id, order_id, shop, shipment_id, reason, status, items_hash,
       created_at, updated_at, deleted_at, details
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
              $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::jsonb[], $12::bool[])
       AS decided(claim_id, order_id, shop, shipment_id, reason, status, items_hash,
                  created_at, updated_at, deleted_at, details, is_open)
 ORDER BY is_open, claim_id
    ON CONFLICT (claim_id) DO UPDATE
   SET status = excluded.status, updated_at = excluded.updated_at,
       deleted_at = excluded.deleted_at, details = excluded.details;

-- name: find_expired
-- Keys that items have waited for too long. Not keys of parked items, which may still appear, and
-- no key at all within a day after a rebuild began, because its snapshot may not have come yet.
-- $1 business time, $2 at most
SELECT DISTINCT waits_for
  FROM (SELECT waits_for
          FROM waiting
         WHERE expires_at <= $1
           AND NOT EXISTS (SELECT FROM parked_name WHERE parked_name.name = waiting.waits_for)
           AND NOT EXISTS (SELECT FROM rebuild WHERE began_at > $1 - interval '1 day')
         ORDER BY expires_at
         LIMIT $2) AS late;

-- name: delete_unseen_orders
-- Orders that only commands named and which nothing waits for any more; they must be locked.
-- $1 order ids
DELETE FROM order_copy
 WHERE order_id = ANY ($1::uuid[]) AND order_version = 0
   AND NOT EXISTS (SELECT FROM waiting WHERE waits_for = 'order/' || order_copy.order_id);

-- name: delete_unused_anchors
-- Anchors that are not resolved and which nothing waits for any more; they must be locked. $1 keys
DELETE FROM anchor
 WHERE name = ANY ($1::text[]) AND order_id IS NULL
   AND NOT EXISTS (SELECT FROM waiting WHERE waits_for = anchor.name);
