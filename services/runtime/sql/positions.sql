-- name: add_positions
-- Start the partitions that this group has never read, at the topic's first offset.
-- $1 group, $2 topics, $3 partitions, $4 first offsets (pairwise)
INSERT INTO position (consumer_group, topic, partition, next_offset)
SELECT $1, topic, partition, first_offset
  FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS started(topic, partition, first_offset)
 ORDER BY topic, partition
    ON CONFLICT DO NOTHING;

-- name: read_positions
-- The stored next offset of each partition, unlocked. $1 group, $2 topics, $3 partitions
SELECT topic, partition, next_offset
  FROM position
  JOIN unnest($2::text[], $3::integer[]) AS wanted(topic, partition) USING (topic, partition)
 WHERE consumer_group = $1;

-- name: lock_positions
-- The fence: lock the batch's partitions in one order, so that two consumers of one partition
-- during a rebalance are serialised here. $1 group, $2 topics, $3 partitions
SELECT topic, partition, next_offset
  FROM position
  JOIN unnest($2::text[], $3::integer[]) AS wanted(topic, partition) USING (topic, partition)
 WHERE consumer_group = $1
 ORDER BY topic, partition
   FOR NO KEY UPDATE OF position;

-- name: move_positions
-- Step past the batch. $1 group, $2 topics, $3 partitions, $4 next offsets (pairwise)
UPDATE position
   SET next_offset = moved.next_offset, updated_at = now()
  FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS moved(topic, partition, next_offset)
 WHERE position.consumer_group = $1
   AND position.topic = moved.topic AND position.partition = moved.partition;
