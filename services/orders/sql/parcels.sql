-- name: insert_parcels
-- Numbers seen for the first time, in order. A unique violation: see insert_orders.
-- $1 numbers, $2 documents, $3 owners: order ids as an array literal (pairwise)
INSERT INTO stored_parcel (number, document, owners)
SELECT number, document, owners::uuid[]
  FROM unnest($1::text[], $2::bytea[], $3::text[]) AS new(number, document, owners)
 ORDER BY number;

-- name: update_parcels
-- Numbers that were locked and decided on.
-- $1 numbers, $2 documents, $3 owners: order ids as an array literal (pairwise)
UPDATE stored_parcel
   SET document = changed.document, old_document = NULL, owners = changed.owners::uuid[],
       changed_at = now()
  FROM unnest($1::text[], $2::bytea[], $3::text[]) AS changed(number, document, owners)
 WHERE stored_parcel.number = changed.number;

-- name: read_parcels
-- Tracking numbers, for showing. $1 normalised numbers
SELECT number, coalesce(document, convert_to(old_document::text, 'UTF8')) AS document
  FROM stored_parcel
 WHERE number = ANY ($1::text[]);
