-- name: lock_batch
-- All that a batch locks and reads (functions/lock_rows.sql).
-- $1 shops, $2 kinds, $3 values (pairwise), $4 numbers, $5 order ids, $6 names, $7 final
SELECT * FROM lock_rows($1, $2, $3, $4, $5, $6, $7);

-- name: save_rows
-- All that a batch writes of parcels, orders and names (functions/write_batch.sql): $1, $5 and
-- $12 say of each row whether it is new.
-- $1 new, $2 numbers, $3 documents, $4 owners: order ids as an array literal (pairwise)
-- $5 new, $6 ids, $7 shops, $8 order numbers, $9 versions, $10 documents (null: placeholder),
-- $11 applied (pairwise)
-- $12 new, $13 shops, $14 kinds, $15 values, $16 order ids (pairwise)
SELECT * FROM write_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);

-- name: save_bearers
-- The orders of shared names, beside the first of each. The rows are locked, or new in this batch.
-- $1 shops, $2 kinds, $3 values, $4 others: order ids as an array literal (pairwise)
UPDATE reference
   SET others = each.others::uuid[]
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS each(shop, kind, value, others)
 WHERE reference.shop = each.shop AND reference.kind = each.kind AND reference.value = each.value;
