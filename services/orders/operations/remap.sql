-- name: find_numbers
-- The next tracking numbers in their order, from after one on. $1 number, $2 at most
SELECT number FROM stored_parcel WHERE number > $1 ORDER BY number LIMIT $2;
