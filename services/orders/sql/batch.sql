-- name: lock_batch
-- All that a batch locks and reads (lock_rows in migrations/0007_documents_as_bytes.sql).
-- $1 shops, $2 kinds, $3 values (pairwise), $4 numbers, $5 order ids, $6 names, $7 final
SELECT * FROM lock_rows($1, $2, $3, $4, $5, $6, $7);
