-- The tables every service has in its own schema: position, outbox, rejected, waiting.

-- Where each consumer group stands. Kafka's own committed offset is never a start (design 7.1).
CREATE TABLE position (
    consumer_group text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- Records decided and not yet acknowledged by Kafka; one wide row per shard and batch.
-- Ids are taken under the locks of the orders they tell of, with CACHE 1, so that for one
-- order the order of ids is the order of commits. Read visible rows in id order, never by a cursor.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    shard smallint NOT NULL,
    topics text[] NOT NULL,
    keys bytea[] NOT NULL,
    headers bytea[] NOT NULL,
    "values" bytea[] NOT NULL,
    caused_at timestamptz,  -- When Kafka took the oldest message that caused these; for latency.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Every refused item with its original bytes, for its sender's questions and for resending.
CREATE TABLE rejected (
    item_id uuid NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    index integer NOT NULL,
    key bytea,
    headers bytea NOT NULL,
    value bytea,
    type text,
    reason text NOT NULL,
    detail text NOT NULL,
    errors jsonb NOT NULL,
    rejected_at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, "offset", index)
);
CREATE INDEX rejected_by_time ON rejected (rejected_at);

-- Items that name something not yet seen; matched by `waits_for` when it appears, else expired.
CREATE TABLE waiting (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    item_id uuid NOT NULL UNIQUE,
    waits_for text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    index integer NOT NULL,
    key bytea,
    headers bytea NOT NULL,
    value bytea,
    record_timestamp timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX waiting_by_name ON waiting (waits_for);
CREATE INDEX waiting_by_expiry ON waiting (expires_at);
