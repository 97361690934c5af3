-- name: lock_books
-- The books of shops, and entries by code and by name (functions/lock_books.sql).
-- $1 shops, $2 whether the batch has commands of their campaigns, $3 digests of known documents
-- (pairwise), $4 shops, $5 codes (pairwise), $6 shops, $7 kinds, $8 ids (pairwise)
SELECT * FROM lock_books($1, $2, $3, $4, $5, $6, $7, $8);

-- name: read_discounts
-- Discounts by code; their shops are locked. $1 shops, $2 codes (pairwise)
SELECT entry.document
  FROM unnest($1::text[], $2::text[]) AS wanted(shop, code)
  JOIN campaign_entry AS entry ON entry.shop = wanted.shop AND entry.code = wanted.code;

-- name: read_published
-- What was published of shops before a restore; the shops are locked. $1 shops
SELECT shop, sequence, events FROM campaign_published WHERE shop = ANY ($1::text[]);

-- name: save_books
-- Books, new or changed; their shops are locked. $1 shops, $2 digests, $3 documents, $4 sequences
-- (pairwise)
INSERT INTO campaign_book (shop, digest, document, sequence)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[])
    ON CONFLICT (shop) DO UPDATE
   SET digest = excluded.digest, document = excluded.document, sequence = excluded.sequence;

-- name: save_entries
-- Entries, new or changed; their shops are locked.
-- $1 shops, $2 kinds, $3 ids, $4 codes, $5 documents, $6 next changes (pairwise)
INSERT INTO campaign_entry (shop, kind, entry_id, code, document, next_change_at)
SELECT *
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[])
    ON CONFLICT (shop, kind, entry_id) DO UPDATE
   SET code = excluded.code, document = excluded.document,
       next_change_at = excluded.next_change_at;

-- name: save_order_times
-- When campaigns matter for orders, whose rows are locked.
-- $1 order ids, $2 shops, $3 times, $4 whether they have a contact (pairwise)
INSERT INTO campaign_order (order_id, shop, at, has_contact)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::boolean[])
    ON CONFLICT (order_id) DO UPDATE
   SET at = excluded.at, has_contact = excluded.has_contact
 WHERE (campaign_order.at, campaign_order.has_contact)
       IS DISTINCT FROM (excluded.at, excluded.has_contact);

-- name: merge_reviews
-- Widen reviews that have not begun and that no other transaction is at. Returns which these are of.
-- $1 shops, $2 since, $3 whether only orders with a contact, $4 causation ids (pairwise)
UPDATE campaign_review
   SET since = least(campaign_review.since, wanted.since), causation_id = wanted.causation_id
  FROM (SELECT review.id, each.since, each.causation_id
          FROM unnest($1::text[], $2::timestamptz[], $3::boolean[], $4::text[])
               AS each(shop, since, only_contacts, causation_id)
          CROSS JOIN LATERAL (
                SELECT id
                  FROM campaign_review AS held
                 WHERE held.shop = each.shop AND held.only_contacts = each.only_contacts
                   AND held.since IS NOT NULL AND held.after_id IS NULL
                 ORDER BY id
                 LIMIT 1
                   FOR UPDATE SKIP LOCKED) AS review) AS wanted
 WHERE campaign_review.id = wanted.id
RETURNING campaign_review.shop, campaign_review.only_contacts;

-- name: add_reviews
-- New reviews. $1 shops, $2 since (null: all stored orders), $3 whether only orders with a contact,
-- $4 causation ids (pairwise)
INSERT INTO campaign_review (shop, since, only_contacts, causation_id)
SELECT each.shop, each.since, each.only_contacts, each.causation_id
  FROM unnest($1::text[], $2::timestamptz[], $3::boolean[], $4::text[])
       AS each(shop, since, only_contacts, causation_id);

-- name: take_review
-- The review whose turn it is, of those that no other transaction is at: a page of each in turn, so
-- that a shop with many orders, or a page that fails, does not hold those of the other shops.
SELECT id, shop, since, only_contacts, after_at, after_id, causation_id
  FROM campaign_review
 ORDER BY turn_at, id
 LIMIT 1
   FOR UPDATE SKIP LOCKED;

-- name: pass_turn
-- The review whose turn it is comes after all others: its page failed.
UPDATE campaign_review
   SET turn_at = clock_timestamp()
 WHERE id = (SELECT id
               FROM campaign_review
              ORDER BY turn_at, id
              LIMIT 1
                FOR UPDATE SKIP LOCKED);

-- name: find_page
-- The next orders of a shop by the times at which campaigns matter. $1 shop, $2 since, $3 time and
-- $4 id of the order before, $5 at most
SELECT order_id, at
  FROM campaign_order
 WHERE shop = $1 AND at >= $2 AND (at, order_id) > ($3::timestamptz, $4::uuid)
 ORDER BY at, order_id
 LIMIT $5;

-- name: find_page_of_contacts
-- The same of the orders with a contact. $1 to $5 as there
SELECT order_id, at
  FROM campaign_order
 WHERE shop = $1 AND at >= $2 AND (at, order_id) > ($3::timestamptz, $4::uuid) AND has_contact
 ORDER BY at, order_id
 LIMIT $5;

-- name: find_page_of_all
-- The next stored orders of a shop, by id. $1 shop, $2 id of the order before, $3 at most
SELECT order_id
  FROM stored_order
 WHERE shop = $1 AND order_id > $2 AND (document IS NOT NULL OR old_document IS NOT NULL)
 ORDER BY order_id
 LIMIT $3;

-- name: go_on
-- A page is done. $1 review, $2 time (null where it goes by id alone) and $3 id of its last order
UPDATE campaign_review
   SET after_at = $2, after_id = $3, turn_at = clock_timestamp()
 WHERE id = $1;

-- name: end_review
-- No order is left. $1 review
DELETE FROM campaign_review WHERE id = $1;

-- name: find_due
-- Entries that begin or end by time until now. $1 now, $2 at most
SELECT shop, kind, entry_id
  FROM campaign_entry
 WHERE next_change_at <= $1
 ORDER BY next_change_at
 LIMIT $2;

-- name: measure
-- Gauges: reviews that are not done, and the age of the oldest; 0 with none.
SELECT count(*) AS waiting,
       coalesce(extract(epoch FROM clock_timestamp() - min(asked_at)), 0)::float AS age_seconds
  FROM campaign_review;

-- name: read_entries
-- Entries of a shop, from after one on. $1 shop, $2 kind and $3 id of the one before, $4 at most
SELECT document
  FROM campaign_entry
 WHERE shop = $1 AND (kind, entry_id) > ($2, $3)
 ORDER BY kind, entry_id
 LIMIT $4;

-- name: find_shops
-- Shops with campaigns, discounts or tests, from after one on. $1 shop, $2 at most
SELECT shop FROM campaign_book WHERE shop > $1 ORDER BY shop LIMIT $2;
