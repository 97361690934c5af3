-- name: read_parcels
-- Tracking numbers, for showing. $1 normalised numbers
SELECT number, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document
  FROM stored_parcel
 WHERE number = ANY ($1::text[]);

-- name: lock_parcels_at_once
-- Tracking numbers, locked in their order; fails where another transaction has one locked.
-- $1 normalised numbers
SELECT number, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document
  FROM stored_parcel
 WHERE number = ANY ($1::text[])
 ORDER BY number
   FOR UPDATE NOWAIT;
