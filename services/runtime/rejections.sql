-- name: save_rejected
-- Insert refused items with their original bytes; an item that has a row is left as it is. Value and
-- headers are stored with the first of the items that share them; `carried_by` of the others is its
-- index.
-- $1 item ids, $2 topics, $3 partitions, $4 offsets, $5 indexes, $6 keys, $7 headers, $8 values,
-- $9 types, $10 reasons, $11 details, $12 errors, $13 ce_ids, $14 ce_sources, $15 carried_by (null:
-- the item itself), $16 whether of many (all pairwise), $17 business time
INSERT INTO rejected (item_id, topic, partition, "offset", index, key, headers, value,
                      type, reason, detail, errors, ce_id, ce_source, carried_by, of_many,
                      rejected_at)
SELECT *, $17::timestamptz
  FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::integer[], $6::bytea[],
              $7::bytea[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::jsonb[],
              $13::text[], $14::text[], $15::integer[], $16::boolean[])
    ON CONFLICT DO NOTHING;
