-- name: list_partitions
-- Where a group stands, and what is stopped. $1 group
SELECT topic, partition, next_offset, updated_at, stopped_kind, stopped_detail, stopped_at, tries
  FROM position
 WHERE consumer_group = $1
 ORDER BY topic, partition;

-- name: lock_partition
-- One row, for an operator's act. No row: the group has not read the partition yet.
-- $1 group, $2 topic, $3 partition
SELECT topic, partition, next_offset, stopped_kind, stopped_detail, stopped_at
  FROM position
 WHERE consumer_group = $1 AND topic = $2 AND partition = $3
   FOR NO KEY UPDATE;

-- name: resume_partition
-- The process that is assigned the partition goes on with it. $1 group, $2 topic, $3 partition, $4 failures allowed
UPDATE position
   SET stopped_kind = NULL, stopped_detail = NULL, stopped_at = NULL, fuse_allows = $4
 WHERE consumer_group = $1 AND topic = $2 AND partition = $3;

-- name: move_partition
-- Go on at another offset, of the topic as it is by now: what was known of it counts no more.
-- $1 group, $2 topic, $3 partition, $4 next offset
UPDATE position
   SET next_offset = $4, updated_at = now(), tries = 0, topic_id = NULL,
       last_offset = NULL, last_timestamp_ms = NULL, last_crc32 = NULL,
       stopped_kind = NULL, stopped_detail = NULL, stopped_at = NULL
 WHERE consumer_group = $1 AND topic = $2 AND partition = $3;
