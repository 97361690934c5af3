-- name: find_rejected
-- Refused items, newest first, each with how often it was sent again, and the place of the item
-- that holds its bytes. Null leaves a filter out.
-- $1 topics, $2 partition, $3 offset, $4 index, $5 reason, $6 ce_source, $7 keys, $8 two texts of
-- the value (an item fits that has one of the keys, or both texts), $9 from when, $10 until when (not included), $11 at most
SELECT r.item_id, r.topic, r.partition, r."offset", r.index, r.key, r.type, r.reason, r.detail,
       r.errors, r.ce_id, r.ce_source, r.of_many, coalesce(r.carried_by, r.index) AS carrier,
       r.rejected_at, r.key = ANY ($7::bytea[]) AS fits_by_key, resent.times, resent.last_at
  FROM rejected AS r
 CROSS JOIN LATERAL (
       SELECT count(*) AS times, max(at) AS last_at
         FROM operator_act
        WHERE act = 'rejected.resend' AND operator_act.topic = r.topic
          AND operator_act.partition = r.partition AND operator_act."offset" = r."offset"
          AND operator_act.index = r.index
       ) AS resent
 WHERE ($1::text[] IS NULL OR r.topic = ANY ($1))
   AND ($2::integer IS NULL OR r.partition = $2)
   AND ($3::bigint IS NULL OR r."offset" = $3)
   AND ($4::integer IS NULL OR r.index = $4)
   AND ($5::text IS NULL OR r.reason = $5)
   AND ($6::text IS NULL OR r.ce_source = $6)
   AND ($7::bytea[] IS NULL OR r.key = ANY ($7)
        OR EXISTS (
           SELECT
             FROM rejected AS carrier
            WHERE carrier.topic = r.topic AND carrier.partition = r.partition
              AND carrier."offset" = r."offset"
              AND carrier.index = coalesce(r.carried_by, r.index)
              AND position(($8::bytea[])[1] IN carrier.value) > 0
              AND position(($8::bytea[])[2] IN carrier.value) > 0
           ))
   AND ($9::timestamptz IS NULL OR r.rejected_at >= $9)
   AND ($10::timestamptz IS NULL OR r.rejected_at < $10)
 ORDER BY r.rejected_at DESC, r.topic, r.partition, r."offset" DESC, r.index DESC
 LIMIT $11;

-- name: lock_rejected
-- Rejected items: locked, so that no other run sends them at the same time.
-- $1 topics, $2 partitions, $3 offsets, $4 indexes (pairwise)
SELECT
  FROM rejected
  JOIN unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[])
       AS wanted(topic, partition, "offset", index)
 USING (topic, partition, "offset", index)
 ORDER BY topic, partition, "offset", index
   FOR UPDATE OF rejected;

-- name: find_resent
-- Those of the items that were sent again. A statement of its own after the lock: the one that
-- waited for it would count as things were before. $1 topics, $2 partitions, $3 offsets, $4 indexes
SELECT DISTINCT topic, partition, "offset", index
  FROM operator_act
  JOIN unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[])
       AS wanted(topic, partition, "offset", index)
 USING (topic, partition, "offset", index)
 WHERE act = 'rejected.resend';

-- name: read_originals
-- Bytes of refused items. $1 topics, $2 partitions, $3 offsets, $4 indexes (pairwise)
SELECT topic, partition, "offset", index, key, headers, value
  FROM rejected
  JOIN unnest($1::text[], $2::integer[], $3::bigint[], $4::integer[])
       AS wanted(topic, partition, "offset", index)
 USING (topic, partition, "offset", index);
