-- name: save_anchors
-- Make and lock the names that are not resolved yet; resolve them where the order is known.
-- A resolved name never changes, so it needs no lock and is left alone.
-- $1 names (distinct), $2 order ids or nulls (pairwise)
INSERT INTO anchor (name, order_id)
SELECT wanted.name, wanted.order_id
  FROM unnest($1::text[], $2::uuid[]) AS wanted(name, order_id)
 WHERE NOT EXISTS (
       SELECT FROM anchor WHERE anchor.name = wanted.name AND anchor.order_id IS NOT NULL
       )
 ORDER BY wanted.name
    ON CONFLICT (name) DO UPDATE SET order_id = coalesce(anchor.order_id, excluded.order_id);

-- name: read_anchors
-- The orders behind names, as far as known. $1 names
SELECT name, order_id FROM anchor WHERE name = ANY ($1::text[]) AND order_id IS NOT NULL;

-- name: find_claims
-- Which orders claims belong to; that never changes. $1 claim ids
SELECT claim_id, order_id FROM claim WHERE claim_id = ANY ($1::uuid[]);

-- name: save_orders
-- Make and lock every order that the batch touches, in id order, and replace copies by newer ones
-- only. Version 0 (an order that is only named) replaces nothing, but locks the row all the same.
-- A snapshot whose lines were cut for size keeps the lines that are known.
-- Once the tables were emptied to be rebuilt, a copy is whole when an event that was decided after
-- that told all claims of its order; and it stays so.
-- Returns the rows that are new, newer, or whole now.
-- $1 order ids (distinct), $2 shops, $3 versions, $4 documents, $5 whether their lines were cut,
-- $6 when an event that tells all claims was decided, or null (pairwise)
INSERT INTO order_copy (order_id, shop, order_version, document, lines_cut, is_whole)
SELECT order_id, shop, order_version, document, lines_cut,
       coalesce(all_claims_told_at >= (SELECT began_at FROM rebuild),
                NOT EXISTS (SELECT FROM rebuild))
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[], $5::boolean[], $6::timestamptz[])
       AS told(order_id, shop, order_version, document, lines_cut, all_claims_told_at)
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
-- Orders to decide about; their rows are locked already. $1 order ids
SELECT order_id, shop, order_version,
       coalesce(document, convert_to(context::text, 'UTF8')) AS document, claim_sequence, is_whole
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
-- Store decided claims. Those that are no longer open come first: one of them may give its place
-- in claim_open_once to another claim of the same statement.
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
-- Names that something has waited for too long; not those of what is parked, which may appear
-- yet, and none on the day after a rebuild began: it may be waiting for a snapshot.
-- $1 business time, $2 at most
SELECT DISTINCT waits_for
  FROM (SELECT waits_for
          FROM waiting
         WHERE expires_at <= $1
           AND NOT EXISTS (SELECT FROM parked_name WHERE parked_name.name = waiting.waits_for)
           AND NOT EXISTS (SELECT FROM rebuild WHERE began_at > $1 - interval '1 day')
         ORDER BY expires_at
         LIMIT $2) AS late;

-- name: forget_orders
-- Orders that were named, that no event told of, and that nothing waits for any more; they must be
-- locked. $1 order ids
DELETE FROM order_copy
 WHERE order_id = ANY ($1::uuid[]) AND order_version = 0
   AND NOT EXISTS (SELECT FROM waiting WHERE waits_for = 'order/' || order_copy.order_id);

-- name: forget_anchors
-- Names that are not resolved and that nothing waits for any more; they must be locked. $1 names
DELETE FROM anchor
 WHERE name = ANY ($1::text[]) AND order_id IS NULL
   AND NOT EXISTS (SELECT FROM waiting WHERE waits_for = anchor.name);
