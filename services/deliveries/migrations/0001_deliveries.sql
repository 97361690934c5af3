-- What the deliveries service knows: destinations, the bodies of events, and what waits to be sent.

CREATE TABLE destination (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop text NOT NULL,
    name text NOT NULL,
    target jsonb NOT NULL,  -- What the shop said: kind, url, filters, form.
    state text NOT NULL CHECK (state IN ('active', 'paused', 'disabled', 'removed')),
    reason text,  -- Why it is not active.
    secret bytea,  -- Encrypted under a key that is in a file of the service; null: a feed.
    former_secret bytea,
    former_until timestamptz,
    retries_now boolean NOT NULL DEFAULT false,  -- The sender is to try at once what waits.
    secret_shown_at timestamptz,  -- A secret is shown once; a new one sets this to null.
    applied uuid[] NOT NULL DEFAULT '{}',  -- The newest command items, oldest first.
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    matched_since timestamptz NOT NULL,  -- Business time; since then what it gets is in event_body.
    UNIQUE (shop, name),
    CHECK ((secret IS NULL) = (target ->> 'kind' = 'feed'))
);
-- A shop has one feed. Not unique: one batch may remove it and make another.
CREATE INDEX destination_feed ON destination (shop)
 WHERE target ->> 'kind' = 'feed' AND state <> 'removed';

CREATE INDEX destination_to_retry ON destination (id) WHERE retries_now;
CREATE INDEX destination_disabled ON destination (id) WHERE state = 'disabled';

-- The number of the current day's table among those that keep bodies and attempts for a week. A
-- table is truncated on the day before it is written to again.
CREATE FUNCTION day_number() RETURNS smallint LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN (floor(extract(epoch FROM clock_timestamp()) / 86400)::bigint % 9)::smallint;

-- An event as it was on Kafka, once, whoever gets it.
CREATE TABLE event_body (
    event_id uuid NOT NULL,
    day smallint NOT NULL DEFAULT day_number(),
    shop text NOT NULL,
    order_id uuid NOT NULL,
    topic text NOT NULL,
    type text NOT NULL,
    sequence bigint NOT NULL,
    order_version bigint,
    headers bytea NOT NULL,  -- Packed, as in the outbox.
    value bytea NOT NULL,
    fulfilments integer,  -- Entries of fulfilment_log in the body `ucp`; null: no log is kept.
    recorded_at timestamptz NOT NULL,  -- Business time.
    -- A copy of a body of an earlier day, or read from a topic by a replay: other events of that time
    -- may be missing.
    is_copy boolean NOT NULL DEFAULT false,
    PRIMARY KEY (event_id, day)
) PARTITION BY LIST (day);
CREATE INDEX event_body_by_time ON event_body (shop, recorded_at, event_id) WHERE NOT is_copy;
CREATE INDEX event_body_by_order ON event_body (order_id);

-- The fulfilment events of an order, oldest first, for shops with a destination of the body `ucp`.
-- Entries are appended and never changed. A log is dropped 90 days after the order's last event.
CREATE TABLE fulfilment_log (
    shop text NOT NULL,
    order_id uuid NOT NULL,
    entries bytea,  -- A JSON array; null: the event that begins it is not applied yet.
    changed_on date NOT NULL DEFAULT current_date,
    PRIMARY KEY (shop, order_id)
) WITH (fillfactor = 70);
CREATE INDEX fulfilment_log_by_day ON fulfilment_log (changed_on);

-- One attempt to send an event to a destination, for operators and shops.
CREATE TABLE attempt (
    destination bigint NOT NULL,
    event_id uuid NOT NULL,
    order_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,  -- Business time.
    status smallint,  -- Null: no answer; error says why.
    error text,
    answer text,  -- The beginning of the answer's body.
    milliseconds integer NOT NULL,
    verdict text NOT NULL,
    replay uuid,  -- Which replay it was of.
    day smallint NOT NULL DEFAULT day_number()
) PARTITION BY LIST (day);
CREATE INDEX attempt_by_destination ON attempt (destination, at);
CREATE INDEX attempt_in_vain ON attempt (destination, at) WHERE verdict <> 'delivered';
CREATE INDEX attempt_given_up ON attempt (destination, at) WHERE verdict = 'exhausted';
CREATE INDEX attempt_replayed ON attempt (destination, event_id) WHERE replay IS NOT NULL;

DO $$
BEGIN
    FOR number IN 0..8 LOOP
        EXECUTE format('CREATE TABLE event_body_%s PARTITION OF event_body FOR VALUES IN (%s)',
                       number, number);
        EXECUTE format('CREATE TABLE attempt_%s PARTITION OF attempt FOR VALUES IN (%s)',
                       number, number);
        EXECUTE format('GRANT TRUNCATE ON event_body_%s, attempt_%s TO %I',
                       number, number, 'orderflow_' || current_schema());
    END LOOP;
END
$$;

-- What was matched and not yet tried, in the order of the ids within a shard. The shard is that of
-- the destination. Rows stay for moments: what cannot be sent at once moves to the backlog, so that
-- every segment becomes empty and is truncated, as those of the outbox are.
CREATE SEQUENCE delivery_id CACHE 1;
CREATE FUNCTION delivery_segment() RETURNS smallint LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN (floor(extract(epoch FROM clock_timestamp()) / 10)::bigint % 3)::smallint;
CREATE TABLE delivery (
    id bigint NOT NULL DEFAULT nextval('delivery_id'),
    shard smallint NOT NULL,
    destination bigint NOT NULL,
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    body_day smallint NOT NULL,
    body_bytes integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    segment smallint NOT NULL DEFAULT delivery_segment()
) PARTITION BY LIST (segment);
CREATE TABLE delivery_0 PARTITION OF delivery FOR VALUES IN (0)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE TABLE delivery_1 PARTITION OF delivery FOR VALUES IN (1)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE TABLE delivery_2 PARTITION OF delivery FOR VALUES IN (2)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE INDEX delivery_in_order ON delivery (shard, id);
DO $$
BEGIN
    EXECUTE format('GRANT TRUNCATE ON delivery_0, delivery_1, delivery_2 TO %I',
                   'orderflow_' || current_schema());
END
$$;

-- What failed, or stands behind what failed, or is kept while its destination gets nothing.
CREATE TABLE backlog (
    id bigint PRIMARY KEY,  -- As in `delivery`.
    shard smallint NOT NULL,
    destination bigint NOT NULL,
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    body_day smallint NOT NULL,
    body_bytes integer NOT NULL,
    created_at timestamptz NOT NULL,
    replay uuid  -- Which replay added it.
);
CREATE INDEX backlog_by_group ON backlog (destination, order_id, id);
CREATE INDEX backlog_by_destination ON backlog (destination, id);  -- The oldest of each.
CREATE INDEX backlog_by_body ON backlog (body_day, event_id);

-- A message group is one order at one destination. It has a row while the backlog has rows of it:
-- until then every later event of the order waits. It also has one while a skipped event is to be
-- reported with the next one.
CREATE TABLE message_group (
    destination bigint NOT NULL,
    order_id uuid NOT NULL,
    shard smallint NOT NULL,
    attempts integer NOT NULL DEFAULT 0,  -- In vain, of the oldest row.
    due_at timestamptz,  -- Business time; the year 9999: held; null: nothing waits.
    skipped integer NOT NULL DEFAULT 0,  -- Events given up since the last that was delivered.
    PRIMARY KEY (destination, order_id)
) WITH (fillfactor = 80);
CREATE INDEX message_group_due ON message_group (destination, due_at);
CREATE INDEX message_group_held ON message_group (destination)
 WHERE due_at >= '9999-01-01T00:00Z';

-- The circuit breaker of each destination with failures or with groups.
CREATE TABLE destination_health (
    destination bigint PRIMARY KEY,
    shard smallint NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    open_until timestamptz,
    probes integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX destination_health_by_shard ON destination_health (shard);

-- A replay: events that are sent to a destination again. The sender that holds the shard adds their
-- rows to the backlog, a part at a time.
CREATE TABLE replay (
    id uuid PRIMARY KEY,  -- That of the command's item.
    destination bigint NOT NULL,
    shard smallint NOT NULL,
    selection jsonb NOT NULL,
    stage text NOT NULL DEFAULT 'start' CHECK (stage IN ('start', 'topics', 'kept', 'ended')),
    cursor jsonb NOT NULL DEFAULT '{}',  -- How far the stage came.
    kept bigint NOT NULL DEFAULT 0,  -- Rows added of bodies that were kept.
    topics bigint NOT NULL DEFAULT 0,  -- Rows added of events that were read from the topics.
    states bigint NOT NULL DEFAULT 0,  -- Of these, states of orders, where older events are gone.
    detail text,  -- What could not be sent again, or why it ended early.
    asked_by text NOT NULL,
    reason text,
    asked_at timestamptz NOT NULL,
    ended_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX replay_to_run ON replay (shard, destination, asked_at) WHERE ended_at IS NULL;
CREATE INDEX replay_by_destination ON replay (destination, asked_at);
CREATE INDEX replay_ended ON replay (ended_at);
