-- name: find_shared_numbers
-- The next tracking numbers in their order, as one row: how many were looked at, the last of them,
-- and those that several orders are on. $1 number, $2 at most
SELECT count(*) AS looked, max(number) AS last,
       array_agg(number ORDER BY number) FILTER (
           WHERE coalesce(cardinality(owners), jsonb_array_length(old_document -> 'owners')) > 1
       ) AS shared
  FROM (SELECT number, owners, old_document
          FROM stored_parcel
         WHERE number > $1
         ORDER BY number
         LIMIT $2) AS next;
