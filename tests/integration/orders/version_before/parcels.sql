-- name: insert_parcels
-- Numbers seen for the first time, in order. A unique violation: see insert_orders.
-- $1 numbers, $2 documents (pairwise)
INSERT INTO parcel (number, document)
SELECT * FROM unnest($1::text[], $2::jsonb[]) AS new(number, document) ORDER BY number;

-- name: update_parcels
-- Numbers that were locked and decided on. $1 numbers, $2 documents (pairwise)
UPDATE parcel
   SET document = changed.document, changed_at = now()
  FROM unnest($1::text[], $2::jsonb[]) AS changed(number, document)
 WHERE parcel.number = changed.number;

-- name: read_parcels
-- Tracking numbers, for showing. $1 normalised numbers
SELECT number, document FROM parcel WHERE number = ANY ($1::text[]);
