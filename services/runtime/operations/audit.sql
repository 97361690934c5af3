-- name: save_acts
-- Write down what a person did. $1 actors, $2 reasons, $3 acts, $4 topics, $5 partitions,
-- $6 offsets, $7 indexes, $8 details (all pairwise)
INSERT INTO operator_act (actor, reason, act, topic, partition, "offset", index, detail)
SELECT *
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[],
              $7::integer[], $8::jsonb[]);

-- name: find_acts
-- What people did, newest first. Null leaves a filter out. $1 acts, $2 actor, $3 topic,
-- $4 partition, $5 offset, $6 from when, $7 until when (not included), $8 at most
SELECT *
  FROM operator_act
 WHERE ($1::text[] IS NULL OR act = ANY ($1))
   AND ($2::text IS NULL OR actor = $2)
   AND ($3::text IS NULL OR topic = $3)
   AND ($4::integer IS NULL OR partition = $4)
   AND ($5::bigint IS NULL OR "offset" = $5)
   AND ($6::timestamptz IS NULL OR at >= $6)
   AND ($7::timestamptz IS NULL OR at < $7)
 ORDER BY id DESC
 LIMIT $8;
