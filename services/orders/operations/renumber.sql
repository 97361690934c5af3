-- name: find_other_spellings
-- Stored numbers with other characters than plain letters and digits.
SELECT number FROM stored_parcel WHERE number COLLATE "C" !~ '^[0-9A-Z]+$' ORDER BY number;

-- name: delete_parcels
-- $1 numbers
DELETE FROM stored_parcel WHERE number = ANY ($1::text[]);

-- name: move_waits
-- Let items wait for the new key. $1 keys, $2 new key
UPDATE waiting SET waits_for = $2 WHERE waits_for = ANY ($1::text[]);

-- name: move_parking_keys
-- The same for parked items. $1 keys, $2 new key
WITH moved AS (DELETE FROM parked_name WHERE name = ANY ($1::text[]) RETURNING id, nth)
INSERT INTO parked_name (name, id, nth)
SELECT DISTINCT $2, id, nth FROM moved
    ON CONFLICT DO NOTHING;
