-- name: save_rejected
-- Keep refused items with their original bytes. A repeat of the same item is kept once. Value and
-- headers stand on the first of one record's items; the others find them by its coordinates.
-- $1 item ids, $2 topics, $3 partitions, $4 offsets, $5 indexes, $6 keys, $7 headers, $8 values,
-- $9 types, $10 reasons, $11 details, $12 errors (all pairwise), $13 when
INSERT INTO rejected (item_id, topic, partition, "offset", index, key, headers, value,
                      type, reason, detail, errors, rejected_at)
SELECT *, $13::timestamptz
  FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::integer[], $6::bytea[],
              $7::bytea[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::jsonb[])
    ON CONFLICT DO NOTHING;
