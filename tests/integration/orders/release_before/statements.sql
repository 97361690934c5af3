-- Statements of release 62ffd7f, as its replicas send them.

-- name: save_rows
SELECT * FROM save_rows($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);
