-- name: delete_unowned_parcels
-- Numbers whose tracking has waited too long, unless an order owns them or newer tracking waits.
-- $1 normalised numbers
DELETE FROM stored_parcel
 WHERE number = ANY ($1::text[])
   AND coalesce(owners = '{}', NOT old_document ? 'owners')
   AND NOT EXISTS (SELECT FROM waiting WHERE waits_for = 'number/' || stored_parcel.number);
