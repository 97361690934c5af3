-- name: add_positions
-- Start the partitions that this group has never read, at the topic's first offset.
-- $1 group, $2 topics, $3 partitions, $4 first offsets (pairwise)
INSERT INTO position (consumer_group, topic, partition, next_offset)
SELECT $1, topic, partition, first_offset
  FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS started(topic, partition, first_offset)
 ORDER BY topic, partition
    ON CONFLICT DO NOTHING;

-- name: lock_positions
-- The fence: lock the batch's partitions in one order, so that two consumers of one partition
-- during a rebalance are serialised here. $1 group, $2 topics, $3 partitions
SELECT topic, partition, next_offset, stopped_kind
  FROM position
  JOIN unnest($2::text[], $3::integer[]) AS wanted(topic, partition) USING (topic, partition)
 WHERE consumer_group = $1
 ORDER BY topic, partition
   FOR NO KEY UPDATE OF position;

-- name: lock_places
-- All that is known of partitions that are about to be read, locked as above: whoever has a batch
-- of them in hand ends it first. $1 group, $2 topics, $3 partitions
SELECT topic, partition, next_offset, stopped_kind, stopped_detail, fuse_allows, reader, topic_id,
       last_offset, last_timestamp_ms, last_crc32
  FROM position
  JOIN unnest($2::text[], $3::integer[]) AS wanted(topic, partition) USING (topic, partition)
 WHERE consumer_group = $1
 ORDER BY topic, partition
   FOR NO KEY UPDATE OF position;

-- name: take_places
-- They are this process's to read. A stop by a bug ends, as this may be the version that mends it;
-- the others stand. $1 group, $2 topics, $3 partitions, $4 topic ids (pairwise), $5 reader
UPDATE position
   SET reader = $5, fuse_allows = 0, topic_id = coalesce(position.topic_id, taken.topic_id),
       stopped_kind = NULL, stopped_detail = NULL, stopped_at = NULL
  FROM unnest($2::text[], $3::integer[], $4::uuid[]) AS taken(topic, partition, topic_id)
 WHERE position.consumer_group = $1
   AND position.topic = taken.topic AND position.partition = taken.partition
   AND position.stopped_kind IS DISTINCT FROM 'fuse'
   AND position.stopped_kind IS DISTINCT FROM 'position';

-- name: let_go_places
-- This process has ended what it had in hand of them. Where it was not done with being careful, it
-- stays their reader: the next one goes on so. A try it noted and survived counts no more.
-- $1 group, $2 topics, $3 partitions, $4 careful still, $5 tries survived (pairwise), $6 reader
UPDATE position
   SET reader = CASE WHEN ended.is_careful THEN reader END,
       tries = greatest(0, tries - ended.survived)
  FROM unnest($2::text[], $3::integer[], $4::boolean[], $5::integer[])
       AS ended(topic, partition, is_careful, survived)
 WHERE position.consumer_group = $1
   AND position.topic = ended.topic AND position.partition = ended.partition
   AND position.reader = $6;

-- name: move_positions
-- Step past the batch, whose last records these are. $1 group, $2 topics, $3 partitions,
-- $4 offsets, $5 timestamps, $6 checksums (pairwise)
UPDATE position
   SET next_offset = moved.last_offset + 1, updated_at = now(), tries = 0,
       last_offset = moved.last_offset, last_timestamp_ms = moved.timestamp_ms,
       last_crc32 = moved.crc32
  FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
       AS moved(topic, partition, last_offset, timestamp_ms, crc32)
 WHERE position.consumer_group = $1
   AND position.topic = moved.topic AND position.partition = moved.partition;

-- name: note_try
-- The record at this position is begun alone; how often it was, with this time. No row: another
-- process has the partition, or it stands elsewhere. $1 group, $2 topic, $3 partition, $4 offset, $5 reader
UPDATE position SET tries = tries + 1
 WHERE consumer_group = $1 AND topic = $2 AND partition = $3
   AND next_offset <= $4 AND reader = $5
RETURNING tries;

-- name: store_stop
-- Read no more of a partition that stands where it was stopped; else it is somebody else's.
-- $1 group, $2 topic, $3 partition, $4 next offset, $5 kind, $6 detail
UPDATE position
   SET stopped_kind = $5, stopped_detail = $6, stopped_at = clock_timestamp(), reader = NULL
 WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND next_offset = $4;

-- name: read_stopped
-- Which of these partitions are still stopped. $1 group, $2 topics, $3 partitions
SELECT topic, partition
  FROM position
  JOIN unnest($2::text[], $3::integer[]) AS wanted(topic, partition) USING (topic, partition)
 WHERE consumer_group = $1 AND stopped_kind IS NOT NULL;
