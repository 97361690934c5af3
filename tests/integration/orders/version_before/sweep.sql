-- name: delete_unowned_parcels
-- Numbers whose tracking has waited too long, unless an order owns them or newer tracking waits.
-- $1 normalised numbers
DELETE FROM parcel
 WHERE number = ANY ($1::text[])
   AND NOT document ? 'owners'
   AND NOT EXISTS (SELECT FROM waiting WHERE waits_for = 'number/' || parcel.number);
