-- The schema after all migrations, written by `make schema`. No program runs this file.

-- PARTITIONED TABLE attempt
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- PARTITIONED TABLE delivery
    id bigint DEFAULT nextval('delivery_id'::regclass) NOT NULL
    shard smallint NOT NULL
    destination bigint NOT NULL
    order_id uuid NOT NULL
    event_id uuid NOT NULL
    body_day smallint NOT NULL
    body_bytes integer NOT NULL
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    segment smallint DEFAULT delivery_segment() NOT NULL

-- PARTITIONED TABLE event_body
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_pkey PRIMARY KEY (event_id, day)

-- PARTITIONED TABLE older_item
    owner uuid NOT NULL
    digest bigint NOT NULL
    slot smallint DEFAULT older_item_slot() NOT NULL
    CONSTRAINT older_item_pkey PRIMARY KEY (owner, digest, slot)

-- PARTITIONED TABLE outbox
    id bigint DEFAULT nextval('outbox_id'::regclass) NOT NULL
    shard smallint NOT NULL
    topics text[]
    keys bytea[]
    headers bytea[]
    values bytea[]
    caused_at timestamp with time zone
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    shards smallint
    slot smallint DEFAULT outbox_slot() NOT NULL
    packed bytea
    records integer
    unpacked_bytes integer
    CONSTRAINT outbox_has_one_form CHECK (
CASE
    WHEN (packed IS NULL) THEN (num_nulls(topics, keys, headers, "values") = 0)
    ELSE ((num_nonnulls(topics, keys, headers, "values") = 0) AND (records > 0) AND (unpacked_bytes > 0))
END)
    CONSTRAINT outbox_shards_agree CHECK (outbox_accepts(shards))

-- TABLE attempt_0
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_1
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_2
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_3
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_4
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_5
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_6
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_7
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE attempt_8
    destination bigint NOT NULL
    event_id uuid NOT NULL
    order_id uuid NOT NULL
    number integer NOT NULL
    at timestamp with time zone NOT NULL
    status smallint
    error text
    answer text
    milliseconds integer NOT NULL
    verdict text NOT NULL
    replay uuid
    day smallint DEFAULT day_number() NOT NULL

-- TABLE backlog
    id bigint NOT NULL
    shard smallint NOT NULL
    destination bigint NOT NULL
    order_id uuid NOT NULL
    event_id uuid NOT NULL
    body_day smallint NOT NULL
    body_bytes integer NOT NULL
    created_at timestamp with time zone NOT NULL
    replay uuid
    CONSTRAINT backlog_pkey PRIMARY KEY (id)

-- TABLE delivery_0
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint DEFAULT nextval('delivery_id'::regclass) NOT NULL
    shard smallint NOT NULL
    destination bigint NOT NULL
    order_id uuid NOT NULL
    event_id uuid NOT NULL
    body_day smallint NOT NULL
    body_bytes integer NOT NULL
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    segment smallint DEFAULT delivery_segment() NOT NULL

-- TABLE delivery_1
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint DEFAULT nextval('delivery_id'::regclass) NOT NULL
    shard smallint NOT NULL
    destination bigint NOT NULL
    order_id uuid NOT NULL
    event_id uuid NOT NULL
    body_day smallint NOT NULL
    body_bytes integer NOT NULL
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    segment smallint DEFAULT delivery_segment() NOT NULL

-- TABLE delivery_2
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint DEFAULT nextval('delivery_id'::regclass) NOT NULL
    shard smallint NOT NULL
    destination bigint NOT NULL
    order_id uuid NOT NULL
    event_id uuid NOT NULL
    body_day smallint NOT NULL
    body_bytes integer NOT NULL
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    segment smallint DEFAULT delivery_segment() NOT NULL

-- TABLE destination
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL
    shop text NOT NULL
    name text NOT NULL
    target jsonb NOT NULL
    state text NOT NULL
    reason text
    secret bytea
    former_secret bytea
    former_until timestamp with time zone
    retries_now boolean DEFAULT false NOT NULL
    secret_shown_at timestamp with time zone
    applied uuid[] DEFAULT '{}'::uuid[] NOT NULL
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    matched_since timestamp with time zone NOT NULL
    CONSTRAINT destination_check CHECK (((secret IS NULL) = ((target ->> 'kind'::text) = 'feed'::text)))
    CONSTRAINT destination_pkey PRIMARY KEY (id)
    CONSTRAINT destination_shop_name_key UNIQUE (shop, name)
    CONSTRAINT destination_state_check CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text, 'disabled'::text, 'removed'::text])))

-- TABLE destination_health
  WITH (fillfactor=70)
    destination bigint NOT NULL
    shard smallint NOT NULL
    failures integer DEFAULT 0 NOT NULL
    failing_since timestamp with time zone
    open_until timestamp with time zone
    probes integer DEFAULT 0 NOT NULL
    CONSTRAINT destination_health_pkey PRIMARY KEY (destination)

-- TABLE event_body_0
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_0_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_1
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_1_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_2
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_2_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_3
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_3_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_4
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_4_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_5
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_5_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_6
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_6_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_7
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_7_pkey PRIMARY KEY (event_id, day)

-- TABLE event_body_8
    event_id uuid NOT NULL
    day smallint DEFAULT day_number() NOT NULL
    shop text NOT NULL
    order_id uuid NOT NULL
    topic text NOT NULL
    type text NOT NULL
    sequence bigint NOT NULL
    order_version bigint
    headers bytea NOT NULL
    value bytea NOT NULL
    fulfilments integer
    recorded_at timestamp with time zone NOT NULL
    is_copy boolean DEFAULT false NOT NULL
    CONSTRAINT event_body_8_pkey PRIMARY KEY (event_id, day)

-- TABLE fulfilment_log
  WITH (fillfactor=70)
    shop text NOT NULL
    order_id uuid NOT NULL
    entries bytea
    changed_on date DEFAULT CURRENT_DATE NOT NULL
    CONSTRAINT fulfilment_log_pkey PRIMARY KEY (shop, order_id)

-- TABLE message_group
  WITH (fillfactor=80)
    destination bigint NOT NULL
    order_id uuid NOT NULL
    shard smallint NOT NULL
    attempts integer DEFAULT 0 NOT NULL
    due_at timestamp with time zone
    skipped integer DEFAULT 0 NOT NULL
    CONSTRAINT message_group_pkey PRIMARY KEY (destination, order_id)

-- TABLE migration
    name text NOT NULL
    sha256 text NOT NULL
    applied_at timestamp with time zone DEFAULT now() NOT NULL
    CONSTRAINT migration_pkey PRIMARY KEY (name)

-- TABLE older_item_0
    owner uuid NOT NULL
    digest bigint NOT NULL
    slot smallint DEFAULT older_item_slot() NOT NULL
    CONSTRAINT older_item_0_pkey PRIMARY KEY (owner, digest, slot)

-- TABLE older_item_1
    owner uuid NOT NULL
    digest bigint NOT NULL
    slot smallint DEFAULT older_item_slot() NOT NULL
    CONSTRAINT older_item_1_pkey PRIMARY KEY (owner, digest, slot)

-- TABLE older_item_2
    owner uuid NOT NULL
    digest bigint NOT NULL
    slot smallint DEFAULT older_item_slot() NOT NULL
    CONSTRAINT older_item_2_pkey PRIMARY KEY (owner, digest, slot)

-- TABLE older_item_3
    owner uuid NOT NULL
    digest bigint NOT NULL
    slot smallint DEFAULT older_item_slot() NOT NULL
    CONSTRAINT older_item_3_pkey PRIMARY KEY (owner, digest, slot)

-- TABLE older_item_4
    owner uuid NOT NULL
    digest bigint NOT NULL
    slot smallint DEFAULT older_item_slot() NOT NULL
    CONSTRAINT older_item_4_pkey PRIMARY KEY (owner, digest, slot)

-- TABLE operator_act
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    actor text NOT NULL
    reason text NOT NULL
    act text NOT NULL
    topic text
    partition integer
    offset bigint
    index integer
    detail jsonb NOT NULL
    CONSTRAINT operator_act_act_check CHECK ((act <> ''::text))
    CONSTRAINT operator_act_actor_check CHECK ((actor <> ''::text))
    CONSTRAINT operator_act_pkey PRIMARY KEY (id)
    CONSTRAINT operator_act_reason_check CHECK ((reason <> ''::text))

-- TABLE outbox_0
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint NOT NULL
    shard smallint NOT NULL
    topics text[]
    keys bytea[]
    headers bytea[]
    values bytea[]
    caused_at timestamp with time zone
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    shards smallint
    slot smallint DEFAULT 0 NOT NULL
    packed bytea
    records integer
    unpacked_bytes integer
    CONSTRAINT outbox_has_one_form CHECK (
CASE
    WHEN (packed IS NULL) THEN (num_nulls(topics, keys, headers, "values") = 0)
    ELSE ((num_nonnulls(topics, keys, headers, "values") = 0) AND (records > 0) AND (unpacked_bytes > 0))
END)
    CONSTRAINT outbox_shards_agree CHECK (outbox_accepts(shards))

-- TABLE outbox_1
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint DEFAULT nextval('outbox_id'::regclass) NOT NULL
    shard smallint NOT NULL
    topics text[]
    keys bytea[]
    headers bytea[]
    values bytea[]
    caused_at timestamp with time zone
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    shards smallint
    slot smallint DEFAULT outbox_slot() NOT NULL
    packed bytea
    records integer
    unpacked_bytes integer
    CONSTRAINT outbox_has_one_form CHECK (
CASE
    WHEN (packed IS NULL) THEN (num_nulls(topics, keys, headers, "values") = 0)
    ELSE ((num_nonnulls(topics, keys, headers, "values") = 0) AND (records > 0) AND (unpacked_bytes > 0))
END)
    CONSTRAINT outbox_shards_agree CHECK (outbox_accepts(shards))

-- TABLE outbox_2
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint DEFAULT nextval('outbox_id'::regclass) NOT NULL
    shard smallint NOT NULL
    topics text[]
    keys bytea[]
    headers bytea[]
    values bytea[]
    caused_at timestamp with time zone
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    shards smallint
    slot smallint DEFAULT outbox_slot() NOT NULL
    packed bytea
    records integer
    unpacked_bytes integer
    CONSTRAINT outbox_has_one_form CHECK (
CASE
    WHEN (packed IS NULL) THEN (num_nulls(topics, keys, headers, "values") = 0)
    ELSE ((num_nonnulls(topics, keys, headers, "values") = 0) AND (records > 0) AND (unpacked_bytes > 0))
END)
    CONSTRAINT outbox_shards_agree CHECK (outbox_accepts(shards))

-- TABLE outbox_shards
    is_only_row boolean DEFAULT true NOT NULL
    shards smallint NOT NULL
    CONSTRAINT outbox_shards_is_only_row_check CHECK (is_only_row)
    CONSTRAINT outbox_shards_pkey PRIMARY KEY (is_only_row)
    CONSTRAINT outbox_shards_shards_check CHECK ((shards > 0))

-- TABLE parked
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL
    nth integer DEFAULT 0 NOT NULL
    index integer NOT NULL
    item_id uuid
    topic text NOT NULL
    partition integer NOT NULL
    offset bigint NOT NULL
    key bytea
    headers bytea NOT NULL
    value bytea
    record_timestamp timestamp with time zone NOT NULL
    type text
    kind text NOT NULL
    error text NOT NULL
    traceback text NOT NULL
    parked_at timestamp with time zone NOT NULL
    attempts integer NOT NULL
    last_tried_at timestamp with time zone NOT NULL
    next_try_at timestamp with time zone
    CONSTRAINT parked_index_check CHECK ((index >= '-1'::integer))
    CONSTRAINT parked_kind_check CHECK ((kind = ANY (ARRAY['decision'::text, 'write'::text, 'encoding'::text, 'reading'::text, 'crash'::text, 'behind'::text])))
    CONSTRAINT parked_pkey PRIMARY KEY (id, nth)
    CONSTRAINT parked_topic_partition_offset_index_key UNIQUE (topic, partition, "offset", index)

-- TABLE parked_name
  WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500)
    name text NOT NULL
    id bigint NOT NULL
    nth integer NOT NULL
    CONSTRAINT parked_name_id_nth_fkey FOREIGN KEY (id, nth) REFERENCES parked(id, nth) ON DELETE CASCADE
    CONSTRAINT parked_name_pkey PRIMARY KEY (name, id, nth)

-- TABLE position
  WITH (fillfactor=50)
    consumer_group text NOT NULL
    topic text NOT NULL
    partition integer NOT NULL
    next_offset bigint NOT NULL
    updated_at timestamp with time zone DEFAULT now() NOT NULL
    stopped_kind text
    stopped_detail text
    stopped_at timestamp with time zone
    fuse_allows integer DEFAULT 0 NOT NULL
    reader uuid
    tries integer DEFAULT 0 NOT NULL
    topic_id uuid
    last_offset bigint
    last_timestamp_ms bigint
    last_crc32 bigint
    CONSTRAINT position_fuse_allows_check CHECK ((fuse_allows >= 0))
    CONSTRAINT position_last_is_whole CHECK ((((last_offset IS NULL) = (last_timestamp_ms IS NULL)) AND ((last_offset IS NULL) = (last_crc32 IS NULL))))
    CONSTRAINT position_next_offset_check CHECK ((next_offset >= 0))
    CONSTRAINT position_pkey PRIMARY KEY (consumer_group, topic, partition)
    CONSTRAINT position_stop_is_told CHECK ((((stopped_kind IS NULL) = (stopped_at IS NULL)) AND ((stopped_kind IS NULL) = (stopped_detail IS NULL))))
    CONSTRAINT position_stopped_kind_check CHECK ((stopped_kind = ANY (ARRAY['fuse'::text, 'position'::text, 'bug'::text])))
    CONSTRAINT position_tries_check CHECK ((tries >= 0))

-- TABLE rejected
    item_id uuid NOT NULL
    topic text NOT NULL
    partition integer NOT NULL
    offset bigint NOT NULL
    index integer NOT NULL
    key bytea
    headers bytea NOT NULL
    value bytea
    type text
    reason text NOT NULL
    detail text NOT NULL
    errors jsonb NOT NULL
    rejected_at timestamp with time zone NOT NULL
    ce_id text
    ce_source text
    carried_by integer
    of_many boolean DEFAULT false NOT NULL
    CONSTRAINT rejected_pkey PRIMARY KEY (topic, partition, "offset", index)

-- TABLE replay
  WITH (fillfactor=70)
    id uuid NOT NULL
    destination bigint NOT NULL
    shard smallint NOT NULL
    selection jsonb NOT NULL
    stage text DEFAULT 'start'::text NOT NULL
    cursor jsonb DEFAULT '{}'::jsonb NOT NULL
    kept bigint DEFAULT 0 NOT NULL
    topics bigint DEFAULT 0 NOT NULL
    states bigint DEFAULT 0 NOT NULL
    detail text
    asked_by text NOT NULL
    reason text
    asked_at timestamp with time zone NOT NULL
    ended_at timestamp with time zone
    CONSTRAINT replay_pkey PRIMARY KEY (id)
    CONSTRAINT replay_stage_check CHECK ((stage = ANY (ARRAY['start'::text, 'topics'::text, 'kept'::text, 'ended'::text])))

-- TABLE waiting
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL
    item_id uuid NOT NULL
    waits_for text NOT NULL
    topic text NOT NULL
    partition integer NOT NULL
    offset bigint NOT NULL
    index integer NOT NULL
    key bytea
    headers bytea NOT NULL
    value bytea
    record_timestamp timestamp with time zone NOT NULL
    expires_at timestamp with time zone NOT NULL
    CONSTRAINT waiting_item_id_key UNIQUE (item_id)
    CONSTRAINT waiting_pkey PRIMARY KEY (id)

-- INDEX attempt_0_destination_at_idx
CREATE INDEX attempt_0_destination_at_idx ON attempt_0 USING btree (destination, at)

-- INDEX attempt_0_destination_at_idx1
CREATE INDEX attempt_0_destination_at_idx1 ON attempt_0 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_0_destination_at_idx2
CREATE INDEX attempt_0_destination_at_idx2 ON attempt_0 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_0_destination_event_id_idx
CREATE INDEX attempt_0_destination_event_id_idx ON attempt_0 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_1_destination_at_idx
CREATE INDEX attempt_1_destination_at_idx ON attempt_1 USING btree (destination, at)

-- INDEX attempt_1_destination_at_idx1
CREATE INDEX attempt_1_destination_at_idx1 ON attempt_1 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_1_destination_at_idx2
CREATE INDEX attempt_1_destination_at_idx2 ON attempt_1 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_1_destination_event_id_idx
CREATE INDEX attempt_1_destination_event_id_idx ON attempt_1 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_2_destination_at_idx
CREATE INDEX attempt_2_destination_at_idx ON attempt_2 USING btree (destination, at)

-- INDEX attempt_2_destination_at_idx1
CREATE INDEX attempt_2_destination_at_idx1 ON attempt_2 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_2_destination_at_idx2
CREATE INDEX attempt_2_destination_at_idx2 ON attempt_2 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_2_destination_event_id_idx
CREATE INDEX attempt_2_destination_event_id_idx ON attempt_2 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_3_destination_at_idx
CREATE INDEX attempt_3_destination_at_idx ON attempt_3 USING btree (destination, at)

-- INDEX attempt_3_destination_at_idx1
CREATE INDEX attempt_3_destination_at_idx1 ON attempt_3 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_3_destination_at_idx2
CREATE INDEX attempt_3_destination_at_idx2 ON attempt_3 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_3_destination_event_id_idx
CREATE INDEX attempt_3_destination_event_id_idx ON attempt_3 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_4_destination_at_idx
CREATE INDEX attempt_4_destination_at_idx ON attempt_4 USING btree (destination, at)

-- INDEX attempt_4_destination_at_idx1
CREATE INDEX attempt_4_destination_at_idx1 ON attempt_4 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_4_destination_at_idx2
CREATE INDEX attempt_4_destination_at_idx2 ON attempt_4 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_4_destination_event_id_idx
CREATE INDEX attempt_4_destination_event_id_idx ON attempt_4 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_5_destination_at_idx
CREATE INDEX attempt_5_destination_at_idx ON attempt_5 USING btree (destination, at)

-- INDEX attempt_5_destination_at_idx1
CREATE INDEX attempt_5_destination_at_idx1 ON attempt_5 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_5_destination_at_idx2
CREATE INDEX attempt_5_destination_at_idx2 ON attempt_5 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_5_destination_event_id_idx
CREATE INDEX attempt_5_destination_event_id_idx ON attempt_5 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_6_destination_at_idx
CREATE INDEX attempt_6_destination_at_idx ON attempt_6 USING btree (destination, at)

-- INDEX attempt_6_destination_at_idx1
CREATE INDEX attempt_6_destination_at_idx1 ON attempt_6 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_6_destination_at_idx2
CREATE INDEX attempt_6_destination_at_idx2 ON attempt_6 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_6_destination_event_id_idx
CREATE INDEX attempt_6_destination_event_id_idx ON attempt_6 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_7_destination_at_idx
CREATE INDEX attempt_7_destination_at_idx ON attempt_7 USING btree (destination, at)

-- INDEX attempt_7_destination_at_idx1
CREATE INDEX attempt_7_destination_at_idx1 ON attempt_7 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_7_destination_at_idx2
CREATE INDEX attempt_7_destination_at_idx2 ON attempt_7 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_7_destination_event_id_idx
CREATE INDEX attempt_7_destination_event_id_idx ON attempt_7 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_8_destination_at_idx
CREATE INDEX attempt_8_destination_at_idx ON attempt_8 USING btree (destination, at)

-- INDEX attempt_8_destination_at_idx1
CREATE INDEX attempt_8_destination_at_idx1 ON attempt_8 USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_8_destination_at_idx2
CREATE INDEX attempt_8_destination_at_idx2 ON attempt_8 USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_8_destination_event_id_idx
CREATE INDEX attempt_8_destination_event_id_idx ON attempt_8 USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX attempt_by_destination
CREATE INDEX attempt_by_destination ON ONLY attempt USING btree (destination, at)

-- INDEX attempt_given_up
CREATE INDEX attempt_given_up ON ONLY attempt USING btree (destination, at) WHERE (verdict = 'exhausted'::text)

-- INDEX attempt_in_vain
CREATE INDEX attempt_in_vain ON ONLY attempt USING btree (destination, at) WHERE (verdict <> 'delivered'::text)

-- INDEX attempt_replayed
CREATE INDEX attempt_replayed ON ONLY attempt USING btree (destination, event_id) WHERE (replay IS NOT NULL)

-- INDEX backlog_by_body
CREATE INDEX backlog_by_body ON backlog USING btree (body_day, event_id)

-- INDEX backlog_by_destination
CREATE INDEX backlog_by_destination ON backlog USING btree (destination, id)

-- INDEX backlog_by_group
CREATE INDEX backlog_by_group ON backlog USING btree (destination, order_id, id)

-- INDEX backlog_pkey
CREATE UNIQUE INDEX backlog_pkey ON backlog USING btree (id)

-- INDEX delivery_0_shard_id_idx
CREATE INDEX delivery_0_shard_id_idx ON delivery_0 USING btree (shard, id)

-- INDEX delivery_1_shard_id_idx
CREATE INDEX delivery_1_shard_id_idx ON delivery_1 USING btree (shard, id)

-- INDEX delivery_2_shard_id_idx
CREATE INDEX delivery_2_shard_id_idx ON delivery_2 USING btree (shard, id)

-- INDEX delivery_in_order
CREATE INDEX delivery_in_order ON ONLY delivery USING btree (shard, id)

-- INDEX destination_disabled
CREATE INDEX destination_disabled ON destination USING btree (id) WHERE (state = 'disabled'::text)

-- INDEX destination_feed
CREATE INDEX destination_feed ON destination USING btree (shop) WHERE (((target ->> 'kind'::text) = 'feed'::text) AND (state <> 'removed'::text))

-- INDEX destination_health_by_shard
CREATE INDEX destination_health_by_shard ON destination_health USING btree (shard)

-- INDEX destination_health_pkey
CREATE UNIQUE INDEX destination_health_pkey ON destination_health USING btree (destination)

-- INDEX destination_pkey
CREATE UNIQUE INDEX destination_pkey ON destination USING btree (id)

-- INDEX destination_shop_name_key
CREATE UNIQUE INDEX destination_shop_name_key ON destination USING btree (shop, name)

-- INDEX destination_to_retry
CREATE INDEX destination_to_retry ON destination USING btree (id) WHERE retries_now

-- INDEX event_body_0_order_id_idx
CREATE INDEX event_body_0_order_id_idx ON event_body_0 USING btree (order_id)

-- INDEX event_body_0_pkey
CREATE UNIQUE INDEX event_body_0_pkey ON event_body_0 USING btree (event_id, day)

-- INDEX event_body_0_shop_recorded_at_event_id_idx
CREATE INDEX event_body_0_shop_recorded_at_event_id_idx ON event_body_0 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_1_order_id_idx
CREATE INDEX event_body_1_order_id_idx ON event_body_1 USING btree (order_id)

-- INDEX event_body_1_pkey
CREATE UNIQUE INDEX event_body_1_pkey ON event_body_1 USING btree (event_id, day)

-- INDEX event_body_1_shop_recorded_at_event_id_idx
CREATE INDEX event_body_1_shop_recorded_at_event_id_idx ON event_body_1 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_2_order_id_idx
CREATE INDEX event_body_2_order_id_idx ON event_body_2 USING btree (order_id)

-- INDEX event_body_2_pkey
CREATE UNIQUE INDEX event_body_2_pkey ON event_body_2 USING btree (event_id, day)

-- INDEX event_body_2_shop_recorded_at_event_id_idx
CREATE INDEX event_body_2_shop_recorded_at_event_id_idx ON event_body_2 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_3_order_id_idx
CREATE INDEX event_body_3_order_id_idx ON event_body_3 USING btree (order_id)

-- INDEX event_body_3_pkey
CREATE UNIQUE INDEX event_body_3_pkey ON event_body_3 USING btree (event_id, day)

-- INDEX event_body_3_shop_recorded_at_event_id_idx
CREATE INDEX event_body_3_shop_recorded_at_event_id_idx ON event_body_3 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_4_order_id_idx
CREATE INDEX event_body_4_order_id_idx ON event_body_4 USING btree (order_id)

-- INDEX event_body_4_pkey
CREATE UNIQUE INDEX event_body_4_pkey ON event_body_4 USING btree (event_id, day)

-- INDEX event_body_4_shop_recorded_at_event_id_idx
CREATE INDEX event_body_4_shop_recorded_at_event_id_idx ON event_body_4 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_5_order_id_idx
CREATE INDEX event_body_5_order_id_idx ON event_body_5 USING btree (order_id)

-- INDEX event_body_5_pkey
CREATE UNIQUE INDEX event_body_5_pkey ON event_body_5 USING btree (event_id, day)

-- INDEX event_body_5_shop_recorded_at_event_id_idx
CREATE INDEX event_body_5_shop_recorded_at_event_id_idx ON event_body_5 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_6_order_id_idx
CREATE INDEX event_body_6_order_id_idx ON event_body_6 USING btree (order_id)

-- INDEX event_body_6_pkey
CREATE UNIQUE INDEX event_body_6_pkey ON event_body_6 USING btree (event_id, day)

-- INDEX event_body_6_shop_recorded_at_event_id_idx
CREATE INDEX event_body_6_shop_recorded_at_event_id_idx ON event_body_6 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_7_order_id_idx
CREATE INDEX event_body_7_order_id_idx ON event_body_7 USING btree (order_id)

-- INDEX event_body_7_pkey
CREATE UNIQUE INDEX event_body_7_pkey ON event_body_7 USING btree (event_id, day)

-- INDEX event_body_7_shop_recorded_at_event_id_idx
CREATE INDEX event_body_7_shop_recorded_at_event_id_idx ON event_body_7 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_8_order_id_idx
CREATE INDEX event_body_8_order_id_idx ON event_body_8 USING btree (order_id)

-- INDEX event_body_8_pkey
CREATE UNIQUE INDEX event_body_8_pkey ON event_body_8 USING btree (event_id, day)

-- INDEX event_body_8_shop_recorded_at_event_id_idx
CREATE INDEX event_body_8_shop_recorded_at_event_id_idx ON event_body_8 USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_by_order
CREATE INDEX event_body_by_order ON ONLY event_body USING btree (order_id)

-- INDEX event_body_by_time
CREATE INDEX event_body_by_time ON ONLY event_body USING btree (shop, recorded_at, event_id) WHERE (NOT is_copy)

-- INDEX event_body_pkey
CREATE UNIQUE INDEX event_body_pkey ON ONLY event_body USING btree (event_id, day)

-- INDEX fulfilment_log_by_day
CREATE INDEX fulfilment_log_by_day ON fulfilment_log USING btree (changed_on)

-- INDEX fulfilment_log_pkey
CREATE UNIQUE INDEX fulfilment_log_pkey ON fulfilment_log USING btree (shop, order_id)

-- INDEX message_group_due
CREATE INDEX message_group_due ON message_group USING btree (destination, due_at)

-- INDEX message_group_held
CREATE INDEX message_group_held ON message_group USING btree (destination) WHERE (due_at >= '9999-01-01 00:00:00+00'::timestamp with time zone)

-- INDEX message_group_pkey
CREATE UNIQUE INDEX message_group_pkey ON message_group USING btree (destination, order_id)

-- INDEX migration_pkey
CREATE UNIQUE INDEX migration_pkey ON migration USING btree (name)

-- INDEX older_item_0_pkey
CREATE UNIQUE INDEX older_item_0_pkey ON older_item_0 USING btree (owner, digest, slot)

-- INDEX older_item_1_pkey
CREATE UNIQUE INDEX older_item_1_pkey ON older_item_1 USING btree (owner, digest, slot)

-- INDEX older_item_2_pkey
CREATE UNIQUE INDEX older_item_2_pkey ON older_item_2 USING btree (owner, digest, slot)

-- INDEX older_item_3_pkey
CREATE UNIQUE INDEX older_item_3_pkey ON older_item_3 USING btree (owner, digest, slot)

-- INDEX older_item_4_pkey
CREATE UNIQUE INDEX older_item_4_pkey ON older_item_4 USING btree (owner, digest, slot)

-- INDEX older_item_pkey
CREATE UNIQUE INDEX older_item_pkey ON ONLY older_item USING btree (owner, digest, slot)

-- INDEX operator_act_by_item
CREATE INDEX operator_act_by_item ON operator_act USING btree (topic, partition, "offset")

-- INDEX operator_act_pkey
CREATE UNIQUE INDEX operator_act_pkey ON operator_act USING btree (id)

-- INDEX outbox_0_shard_id_idx
CREATE INDEX outbox_0_shard_id_idx ON outbox_0 USING btree (shard, id)

-- INDEX outbox_1_shard_id_idx
CREATE INDEX outbox_1_shard_id_idx ON outbox_1 USING btree (shard, id)

-- INDEX outbox_2_shard_id_idx
CREATE INDEX outbox_2_shard_id_idx ON outbox_2 USING btree (shard, id)

-- INDEX outbox_in_order
CREATE INDEX outbox_in_order ON ONLY outbox USING btree (shard, id)

-- INDEX outbox_shards_pkey
CREATE UNIQUE INDEX outbox_shards_pkey ON outbox_shards USING btree (is_only_row)

-- INDEX parked_behind
CREATE INDEX parked_behind ON parked USING btree (id, nth) WHERE (kind = 'behind'::text)

-- INDEX parked_by_next_try
CREATE INDEX parked_by_next_try ON parked USING btree (next_try_at) WHERE (next_try_at IS NOT NULL)

-- INDEX parked_name_by_place
CREATE INDEX parked_name_by_place ON parked_name USING btree (id, nth)

-- INDEX parked_name_pkey
CREATE UNIQUE INDEX parked_name_pkey ON parked_name USING btree (name, id, nth)

-- INDEX parked_pkey
CREATE UNIQUE INDEX parked_pkey ON parked USING btree (id, nth)

-- INDEX parked_topic_partition_offset_index_key
CREATE UNIQUE INDEX parked_topic_partition_offset_index_key ON parked USING btree (topic, partition, "offset", index)

-- INDEX position_pkey
CREATE UNIQUE INDEX position_pkey ON "position" USING btree (consumer_group, topic, partition)

-- INDEX rejected_by_time
CREATE INDEX rejected_by_time ON rejected USING btree (rejected_at)

-- INDEX rejected_pkey
CREATE UNIQUE INDEX rejected_pkey ON rejected USING btree (topic, partition, "offset", index)

-- INDEX replay_by_destination
CREATE INDEX replay_by_destination ON replay USING btree (destination, asked_at)

-- INDEX replay_ended
CREATE INDEX replay_ended ON replay USING btree (ended_at)

-- INDEX replay_pkey
CREATE UNIQUE INDEX replay_pkey ON replay USING btree (id)

-- INDEX replay_to_run
CREATE INDEX replay_to_run ON replay USING btree (shard, destination, asked_at) WHERE (ended_at IS NULL)

-- INDEX waiting_by_expiry
CREATE INDEX waiting_by_expiry ON waiting USING btree (expires_at)

-- INDEX waiting_by_name
CREATE INDEX waiting_by_name ON waiting USING btree (waits_for)

-- INDEX waiting_item_id_key
CREATE UNIQUE INDEX waiting_item_id_key ON waiting USING btree (item_id)

-- INDEX waiting_pkey
CREATE UNIQUE INDEX waiting_pkey ON waiting USING btree (id)

-- SEQUENCE delivery_id
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE destination_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE operator_act_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE outbox_id
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE parked_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE waiting_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- FUNCTION day_number()
CREATE OR REPLACE FUNCTION deliveries.day_number()
 RETURNS smallint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM clock_timestamp()) / (86400)::numeric)))::bigint % (9)::bigint))::smallint

-- FUNCTION delivery_segment()
CREATE OR REPLACE FUNCTION deliveries.delivery_segment()
 RETURNS smallint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM clock_timestamp()) / (10)::numeric)))::bigint % (3)::bigint))::smallint

-- FUNCTION find_older_items(owners uuid[], digests bigint[])
CREATE OR REPLACE FUNCTION deliveries.find_older_items(owners uuid[], digests bigint[])
 RETURNS TABLE(owner uuid, digest bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'deliveries'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
BEGIN
    RETURN QUERY
    SELECT held.owner, held.digest
      FROM unnest(owners, digests) AS asked(owner, digest)
      JOIN older_item AS held ON held.owner = asked.owner AND held.digest = asked.digest;
END
$function$

-- FUNCTION older_item_slot(at timestamp with time zone)
CREATE OR REPLACE FUNCTION deliveries.older_item_slot(at timestamp with time zone DEFAULT clock_timestamp())
 RETURNS smallint
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM at) / ((10 * 86400))::numeric)))::bigint % (5)::bigint))::smallint

-- FUNCTION outbox_accepts(given smallint)
CREATE OR REPLACE FUNCTION deliveries.outbox_accepts(given smallint)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'deliveries'
AS $function$
DECLARE
    noted smallint := (SELECT shards FROM outbox_shards);
BEGIN
    IF given <> noted THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_in_use',
            MESSAGE = format(
                'the outbox of %s has %s shards, this process has ORDERFLOW_OUTBOX_SHARDS=%s',
                current_schema(), noted, given
            ),
            HINT = 'Start it with the number that the others have.';
    END IF;
    RETURN true;
END
$function$

-- FUNCTION outbox_slot()
CREATE OR REPLACE FUNCTION deliveries.outbox_slot()
 RETURNS smallint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM clock_timestamp()) / (10)::numeric)))::bigint % (3)::bigint))::smallint

-- RIGHTS ON attempt
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON attempt_0
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_1
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_2
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_3
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_4
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_5
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_6
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_7
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON attempt_8
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON backlog
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON delivery
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON delivery_0
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON delivery_1
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON delivery_2
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON delivery_id
    orderflow_deliveries: SELECT, USAGE

-- RIGHTS ON destination
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON destination_health
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON destination_id_seq
    orderflow_deliveries: SELECT, USAGE

-- RIGHTS ON event_body
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON event_body_0
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_1
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_2
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_3
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_4
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_5
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_6
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_7
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON event_body_8
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON fulfilment_log
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON message_group
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON migration
    orderflow_deliveries: SELECT

-- RIGHTS ON older_item
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON older_item_0
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_1
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_2
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_3
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_4
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON operator_act
    orderflow_deliveries: INSERT, SELECT

-- RIGHTS ON operator_act_id_seq
    orderflow_deliveries: SELECT, USAGE

-- RIGHTS ON outbox
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON outbox_0
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_1
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_2
    orderflow_deliveries: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_id
    orderflow_deliveries: SELECT, USAGE

-- RIGHTS ON outbox_shards
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked_id_seq
    orderflow_deliveries: SELECT, USAGE

-- RIGHTS ON parked_name
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON position
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON rejected
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON replay
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting
    orderflow_deliveries: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting_id_seq
    orderflow_deliveries: SELECT, USAGE
