-- name: find_numbers_without_sub_status
-- The next tracking numbers in their order, as one row: how many were looked at, the last of them,
-- and those with an order of which more shipments have a scan than a sub-status.
-- $1 number, $2 at most
SELECT count(*) AS looked, max(number) AS last,
       array_agg(number ORDER BY number) FILTER (WHERE is_lacking) AS lacking
  FROM (SELECT number,
               EXISTS (
                   SELECT
                     FROM stored_order AS held
                    CROSS JOIN LATERAL (
                        SELECT coalesce(convert_from(held.document, 'UTF8'), held.old_document::text)
                    ) AS document (json)
                    WHERE held.order_id = ANY (order_ids)
                      AND regexp_count(json, '"last_occurred_at"') > regexp_count(json, '"sub_status"')
               ) AS is_lacking
          FROM (SELECT number,
                       coalesce(owners, ARRAY(
                           SELECT (owner ->> 'order_id')::uuid
                             FROM jsonb_array_elements(old_document -> 'owners') AS owner
                       )) AS order_ids
                  FROM stored_parcel
                 WHERE number > $1
                 ORDER BY number
                 LIMIT $2) AS read) AS next;
