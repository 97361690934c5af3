-- name: make_levels
-- A row for each article that has none, so that every article of the batch can be locked.
INSERT INTO stock_level (sku, level)
SELECT sku, 0 FROM unnest($1::text[]) AS sku ORDER BY sku
ON CONFLICT (sku) DO NOTHING;

-- name: lock_levels
SELECT sku, level FROM stock_level WHERE sku = ANY($1::text[]) ORDER BY sku FOR UPDATE;

-- name: save_levels
UPDATE stock_level AS stored SET level = changed.level
FROM unnest($1::text[], $2::integer[]) AS changed (sku, level)
WHERE stored.sku = changed.sku;

-- name: delete_levels
DELETE FROM stock_level;
