-- name: lock_batch
-- All that a batch locks and reads (migrations/0004_lock_batch.sql, as it is since 0006).
-- $1 shops, $2 kinds, $3 values (pairwise), $4 numbers, $5 order ids, $6 names, $7 final
SELECT * FROM lock_batch($1, $2, $3, $4, $5, $6, $7);
