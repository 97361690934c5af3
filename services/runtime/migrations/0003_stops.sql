-- What stands beside a partition's position: why it is stopped, who has it, how often a process died
-- at its next record, and what tells that its topic is still the one that was read.
ALTER TABLE position
    -- Stopped by the fuse or an impossible position: until an operator resumes it. By a bug: until
    -- somebody places it again, as a mended version does.
    ADD COLUMN stopped_kind text CHECK (stopped_kind IN ('fuse', 'position', 'bug')),
    ADD COLUMN stopped_detail text,
    ADD COLUMN stopped_at timestamptz,
    -- Failing items that the operator who resumed it lets pass before the fuse counts again.
    ADD COLUMN fuse_allows integer NOT NULL DEFAULT 0 CHECK (fuse_allows >= 0),
    -- The process that has the partition; empty once it let go, so one that stands here died.
    ADD COLUMN reader uuid,
    -- How often the record at next_offset was begun alone, in careful mode; each before it was.
    ADD COLUMN tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- Kafka's id of the topic: another one is another topic, whatever its offsets.
    ADD COLUMN topic_id uuid,
    -- The last record applied. Another one at its offset means that the log was written anew.
    ADD COLUMN last_offset bigint,
    ADD COLUMN last_timestamp_ms bigint,
    ADD COLUMN last_crc32 bigint,
    ADD CONSTRAINT position_stop_is_told
        CHECK ((stopped_kind IS NULL) = (stopped_at IS NULL)
               AND (stopped_kind IS NULL) = (stopped_detail IS NULL)),
    ADD CONSTRAINT position_last_is_whole
        CHECK ((last_offset IS NULL) = (last_timestamp_ms IS NULL)
               AND (last_offset IS NULL) = (last_crc32 IS NULL));
