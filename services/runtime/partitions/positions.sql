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

-- name: lock_to_claim
-- All that is stored of partitions that are about to be read, locked as above: a process that is
-- applying a batch of them ends it first. $1 group, $2 topics, $3 partitions
SELECT topic, partition, next_offset, stopped_kind, stopped_detail, fuse_allows, reader, topic_id,
       last_offset, last_timestamp_ms, last_crc32
  FROM position
  JOIN unnest($2::text[], $3::integer[]) AS wanted(topic, partition) USING (topic, partition)
 WHERE consumer_group = $1
 ORDER BY topic, partition
   FOR NO KEY UPDATE OF position;

-- name: claim_partitions
-- Write this process as the reader. A stop by a bug ends, because this process may run the version
-- that corrects it; other stops hold. $1 group, $2 topics, $3 partitions, $4 topic ids (pairwise),
-- $5 reader
UPDATE position
   SET reader = $5, fuse_allows = 0, topic_id = coalesce(position.topic_id, claimed.topic_id),
       stopped_kind = NULL, stopped_detail = NULL, stopped_at = NULL
  FROM unnest($2::text[], $3::integer[], $4::uuid[]) AS claimed(topic, partition, topic_id)
 WHERE position.consumer_group = $1
   AND position.topic = claimed.topic AND position.partition = claimed.partition
   AND position.stopped_kind IS DISTINCT FROM 'fuse'
   AND position.stopped_kind IS DISTINCT FROM 'position';

-- name: release_partitions
-- This process applies nothing of the partitions any more. Where it still read record by record it
-- stays their reader, so that the next one goes on so. An attempt that it recorded and survived
-- does not count. $1 group, $2 topics, $3 partitions, $4 still record by record, $5 attempts
-- survived (pairwise), $6 reader
UPDATE position
   SET reader = CASE WHEN released.is_guarded THEN reader END,
       tries = greatest(0, tries - released.survived)
  FROM unnest($2::text[], $3::integer[], $4::boolean[], $5::integer[])
       AS released(topic, partition, is_guarded, survived)
 WHERE position.consumer_group = $1
   AND position.topic = released.topic AND position.partition = released.partition
   AND position.reader = $6;

-- name: move_positions
-- Move the positions past a batch, whose last records these are. $1 group, $2 topics, $3 partitions,
-- $4 offsets, $5 timestamps, $6 checksums (pairwise)
UPDATE position
   SET next_offset = moved.last_offset + 1, updated_at = now(), tries = 0,
       last_offset = moved.last_offset, last_timestamp_ms = moved.timestamp_ms,
       last_crc32 = moved.crc32
  FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[])
       AS moved(topic, partition, last_offset, timestamp_ms, crc32)
 WHERE position.consumer_group = $1
   AND position.topic = moved.topic AND position.partition = moved.partition;

-- name: record_attempt
-- Record an attempt at the record at this offset; how many there were, with this one. No row:
-- another process reads the partition, or its position is past the record. $1 group, $2 topic,
-- $3 partition, $4 offset, $5 reader
UPDATE position SET tries = tries + 1
 WHERE consumer_group = $1 AND topic = $2 AND partition = $3
   AND next_offset <= $4 AND reader = $5
RETURNING tries;

-- name: store_stop
-- Stop a partition at the position where it was stopped; elsewhere another process has moved it.
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
