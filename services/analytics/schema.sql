-- The schema after all migrations, written by `make schema`. No program runs this file.

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

-- TABLE campaign_activity
  WITH (fillfactor=50)
    shop text NOT NULL
    campaign_id text NOT NULL
    widget text NOT NULL
    seen_on date NOT NULL
    stripe smallint NOT NULL
    impressions bigint NOT NULL
    clicks bigint NOT NULL
    sessions bigint NOT NULL
    CONSTRAINT campaign_activity_pkey PRIMARY KEY (shop, campaign_id, widget, seen_on, stripe)

-- TABLE campaign_sale
  WITH (fillfactor=50)
    shop text NOT NULL
    campaign_id text NOT NULL
    placed_on date NOT NULL
    currency text NOT NULL
    stripe smallint NOT NULL
    orders bigint NOT NULL
    revenue numeric NOT NULL
    discount numeric NOT NULL
    CONSTRAINT campaign_sale_pkey PRIMARY KEY (shop, campaign_id, placed_on, currency, stripe)

-- TABLE claim_fact
  WITH (fillfactor=80)
    claim_id uuid NOT NULL
    order_id uuid NOT NULL
    version bigint NOT NULL
    shop text NOT NULL
    shipment_id uuid
    reason text NOT NULL
    status text NOT NULL
    resolution_preference text
    country text
    opened_at timestamp with time zone NOT NULL
    opened_on date NOT NULL
    is_withdrawn boolean NOT NULL
    CONSTRAINT claim_fact_pkey PRIMARY KEY (claim_id)
    CONSTRAINT claim_fact_version_check CHECK ((version > 0))

-- TABLE fact_count
  WITH (fillfactor=50)
    figure text NOT NULL
    value text NOT NULL
    detail text NOT NULL
    stripe smallint NOT NULL
    facts bigint NOT NULL
    CONSTRAINT fact_count_pkey PRIMARY KEY (figure, value, detail, stripe)

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

-- TABLE order_fact
  WITH (fillfactor=80)
    order_id uuid NOT NULL
    version bigint NOT NULL
    complete_version bigint NOT NULL
    shop text NOT NULL
    order_number text NOT NULL
    status text NOT NULL
    placed_at timestamp with time zone NOT NULL
    placed_on date NOT NULL
    cancelled_at timestamp with time zone
    cancelled_on date
    promised_on date
    country text
    zone text NOT NULL
    zone_source text NOT NULL
    currency text NOT NULL
    item_value numeric(24,4)
    expected_parcels integer NOT NULL
    value_version bigint DEFAULT 0 NOT NULL
    sale_version bigint DEFAULT 0 NOT NULL
    campaign_id text
    revenue numeric(24,4) DEFAULT 0 NOT NULL
    discount numeric(24,4) DEFAULT 0 NOT NULL
    shown_campaign_id text
    test_id text
    is_held_out boolean DEFAULT false NOT NULL
    sessions uuid[]
    CONSTRAINT order_fact_check CHECK (((cancelled_at IS NULL) = (cancelled_on IS NULL)))
    CONSTRAINT order_fact_complete_version_check CHECK ((complete_version >= 0))
    CONSTRAINT order_fact_expected_parcels_check CHECK ((expected_parcels >= 0))
    CONSTRAINT order_fact_pkey PRIMARY KEY (order_id)
    CONSTRAINT order_fact_sale_version_check CHECK ((sale_version >= 0))
    CONSTRAINT order_fact_value_version_check CHECK ((value_version >= 0))
    CONSTRAINT order_fact_version_check CHECK ((version > 0))

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

-- TABLE page_visit
    session uuid NOT NULL
    order_id uuid NOT NULL
    shop text NOT NULL
    seen_on date NOT NULL
    CONSTRAINT page_visit_pkey PRIMARY KEY (session, order_id)

-- TABLE parcel_duration
  WITH (fillfactor=50)
    shop text NOT NULL
    carrier text NOT NULL
    country text NOT NULL
    duration text NOT NULL
    ended_on date NOT NULL
    bucket integer NOT NULL
    stripe smallint NOT NULL
    parcels bigint NOT NULL
    CONSTRAINT parcel_duration_pkey PRIMARY KEY (shop, carrier, country, duration, ended_on, bucket, stripe)

-- TABLE parcel_fact
  WITH (fillfactor=80)
    shipment_id uuid NOT NULL
    order_id uuid NOT NULL
    version bigint NOT NULL
    shop text NOT NULL
    carrier text
    country text
    is_return boolean NOT NULL
    phase text NOT NULL
    flag text NOT NULL
    attempts integer NOT NULL
    placed_at timestamp with time zone NOT NULL
    promised_on date
    handed_over_at timestamp with time zone
    handed_over_on date
    delivered_at timestamp with time zone
    delivered_on date
    on_time text NOT NULL
    CONSTRAINT parcel_fact_attempts_check CHECK ((attempts >= 0))
    CONSTRAINT parcel_fact_check CHECK (((handed_over_at IS NULL) = (handed_over_on IS NULL)))
    CONSTRAINT parcel_fact_check1 CHECK (((delivered_at IS NULL) = (delivered_on IS NULL)))
    CONSTRAINT parcel_fact_check2 CHECK (((on_time = 'unknown'::text) = ((delivered_on IS NULL) OR (promised_on IS NULL))))
    CONSTRAINT parcel_fact_on_time_check CHECK ((on_time = ANY (ARRAY['early'::text, 'on_time'::text, 'late'::text, 'unknown'::text])))
    CONSTRAINT parcel_fact_order_id_fkey FOREIGN KEY (order_id) REFERENCES order_fact(order_id)
    CONSTRAINT parcel_fact_pkey PRIMARY KEY (shipment_id)
    CONSTRAINT parcel_fact_version_check CHECK ((version > 0))

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

-- INDEX campaign_activity_pkey
CREATE UNIQUE INDEX campaign_activity_pkey ON campaign_activity USING btree (shop, campaign_id, widget, seen_on, stripe)

-- INDEX campaign_sale_pkey
CREATE UNIQUE INDEX campaign_sale_pkey ON campaign_sale USING btree (shop, campaign_id, placed_on, currency, stripe)

-- INDEX claim_fact_pkey
CREATE UNIQUE INDEX claim_fact_pkey ON claim_fact USING btree (claim_id)

-- INDEX fact_count_pkey
CREATE UNIQUE INDEX fact_count_pkey ON fact_count USING btree (figure, value, detail, stripe)

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

-- INDEX order_fact_in_test
CREATE INDEX order_fact_in_test ON order_fact USING btree (shop, test_id) WHERE (test_id IS NOT NULL)

-- INDEX order_fact_pkey
CREATE UNIQUE INDEX order_fact_pkey ON order_fact USING btree (order_id)

-- INDEX order_fact_with_sessions
CREATE INDEX order_fact_with_sessions ON order_fact USING btree (shop, placed_on) WHERE (sessions IS NOT NULL)

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

-- INDEX page_visit_by_order
CREATE INDEX page_visit_by_order ON page_visit USING btree (order_id)

-- INDEX page_visit_pkey
CREATE UNIQUE INDEX page_visit_pkey ON page_visit USING btree (session, order_id)

-- INDEX parcel_duration_pkey
CREATE UNIQUE INDEX parcel_duration_pkey ON parcel_duration USING btree (shop, carrier, country, duration, ended_on, bucket, stripe)

-- INDEX parcel_fact_by_order
CREATE INDEX parcel_fact_by_order ON parcel_fact USING btree (order_id)

-- INDEX parcel_fact_pkey
CREATE UNIQUE INDEX parcel_fact_pkey ON parcel_fact USING btree (shipment_id)

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

-- INDEX waiting_by_expiry
CREATE INDEX waiting_by_expiry ON waiting USING btree (expires_at)

-- INDEX waiting_by_name
CREATE INDEX waiting_by_name ON waiting USING btree (waits_for)

-- INDEX waiting_item_id_key
CREATE UNIQUE INDEX waiting_item_id_key ON waiting USING btree (item_id)

-- INDEX waiting_pkey
CREATE UNIQUE INDEX waiting_pkey ON waiting USING btree (id)

-- SEQUENCE operator_act_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE outbox_id
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE parked_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE waiting_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- TRIGGER count_changed_claims ON claim_fact
CREATE TRIGGER count_changed_claims AFTER UPDATE ON claim_fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_claims()

-- TRIGGER count_changed_durations ON parcel_fact
CREATE TRIGGER count_changed_durations AFTER UPDATE ON parcel_fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_durations()

-- TRIGGER count_changed_orders ON order_fact
CREATE TRIGGER count_changed_orders AFTER UPDATE ON order_fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_orders()

-- TRIGGER count_changed_parcels ON parcel_fact
CREATE TRIGGER count_changed_parcels AFTER UPDATE ON parcel_fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_parcels()

-- TRIGGER count_changed_sales ON order_fact
CREATE TRIGGER count_changed_sales AFTER UPDATE ON order_fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_sales()

-- TRIGGER count_deleted_claims ON claim_fact
CREATE TRIGGER count_deleted_claims AFTER DELETE ON claim_fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_claims()

-- TRIGGER count_deleted_durations ON parcel_fact
CREATE TRIGGER count_deleted_durations AFTER DELETE ON parcel_fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_durations()

-- TRIGGER count_deleted_orders ON order_fact
CREATE TRIGGER count_deleted_orders AFTER DELETE ON order_fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_orders()

-- TRIGGER count_deleted_parcels ON parcel_fact
CREATE TRIGGER count_deleted_parcels AFTER DELETE ON parcel_fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_parcels()

-- TRIGGER count_deleted_sales ON order_fact
CREATE TRIGGER count_deleted_sales AFTER DELETE ON order_fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_sales()

-- TRIGGER count_new_claims ON claim_fact
CREATE TRIGGER count_new_claims AFTER INSERT ON claim_fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_claims()

-- TRIGGER count_new_durations ON parcel_fact
CREATE TRIGGER count_new_durations AFTER INSERT ON parcel_fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_durations()

-- TRIGGER count_new_orders ON order_fact
CREATE TRIGGER count_new_orders AFTER INSERT ON order_fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_orders()

-- TRIGGER count_new_parcels ON parcel_fact
CREATE TRIGGER count_new_parcels AFTER INSERT ON parcel_fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_parcels()

-- TRIGGER count_new_sales ON order_fact
CREATE TRIGGER count_new_sales AFTER INSERT ON order_fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_sales()

-- FUNCTION count_claims()
CREATE OR REPLACE FUNCTION analytics.count_claims()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'analytics'
AS $function$
DECLARE
    added fact_count[];
    removed fact_count[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW('claim', value, detail, 0, facts)::fact_count)
          INTO added
          FROM (SELECT CASE WHEN is_withdrawn THEN 'withdrawn' ELSE status END AS value,
                       reason AS detail, count(*) AS facts
                  FROM new_rows
                 GROUP BY 1, 2) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW('claim', value, detail, 0, -facts)::fact_count)
          INTO removed
          FROM (SELECT CASE WHEN is_withdrawn THEN 'withdrawn' ELSE status END AS value,
                       reason AS detail, count(*) AS facts
                  FROM old_rows
                 GROUP BY 1, 2) AS sums;
    END IF;
    INSERT INTO fact_count AS kept
    SELECT figure, value, detail, (SELECT counter_stripe()), sum(facts)
      FROM unnest(added || removed)
     GROUP BY figure, value, detail
    HAVING sum(facts) <> 0
        ON CONFLICT (figure, value, detail, stripe) DO UPDATE
       SET facts = kept.facts + excluded.facts;
    RETURN NULL;
END
$function$

-- FUNCTION count_durations()
CREATE OR REPLACE FUNCTION analytics.count_durations()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'analytics'
AS $function$
DECLARE
    added parcel_duration[];
    removed parcel_duration[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW(shop, carrier, country, duration, ended_on, bucket, 0, parcels)
                         ::parcel_duration)
          INTO added
          FROM (SELECT shop, coalesce(carrier, '') AS carrier, coalesce(country, '') AS country,
                       duration, ended_on, duration_bucket(took) AS bucket, count(*) AS parcels
                  FROM new_rows CROSS JOIN LATERAL (VALUES
                       ('placed_to_shipped', handed_over_on, handed_over_at - placed_at),
                       ('shipped_to_delivered', delivered_on, delivered_at - handed_over_at),
                       ('placed_to_delivered', delivered_on, delivered_at - placed_at)
                       ) AS timed (duration, ended_on, took)
                 WHERE NOT is_return AND took >= interval '0'
                 GROUP BY 1, 2, 3, 4, 5, 6) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW(shop, carrier, country, duration, ended_on, bucket, 0, -parcels)
                         ::parcel_duration)
          INTO removed
          FROM (SELECT shop, coalesce(carrier, '') AS carrier, coalesce(country, '') AS country,
                       duration, ended_on, duration_bucket(took) AS bucket, count(*) AS parcels
                  FROM old_rows CROSS JOIN LATERAL (VALUES
                       ('placed_to_shipped', handed_over_on, handed_over_at - placed_at),
                       ('shipped_to_delivered', delivered_on, delivered_at - handed_over_at),
                       ('placed_to_delivered', delivered_on, delivered_at - placed_at)
                       ) AS timed (duration, ended_on, took)
                 WHERE NOT is_return AND took >= interval '0'
                 GROUP BY 1, 2, 3, 4, 5, 6) AS sums;
    END IF;
    INSERT INTO parcel_duration AS kept
    SELECT shop, carrier, country, duration, ended_on, bucket, (SELECT counter_stripe()),
           sum(parcels)
      FROM unnest(added || removed)
     GROUP BY shop, carrier, country, duration, ended_on, bucket
    HAVING sum(parcels) <> 0
        ON CONFLICT (shop, carrier, country, duration, ended_on, bucket, stripe) DO UPDATE
       SET parcels = kept.parcels + excluded.parcels;
    RETURN NULL;
END
$function$

-- FUNCTION count_orders()
CREATE OR REPLACE FUNCTION analytics.count_orders()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'analytics'
AS $function$
DECLARE
    added fact_count[];
    removed fact_count[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW('order', value, detail, 0, facts)::fact_count)
          INTO added
          FROM (SELECT status AS value,
                       '' AS detail, count(*) AS facts
                  FROM new_rows
                 GROUP BY 1, 2) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW('order', value, detail, 0, -facts)::fact_count)
          INTO removed
          FROM (SELECT status AS value,
                       '' AS detail, count(*) AS facts
                  FROM old_rows
                 GROUP BY 1, 2) AS sums;
    END IF;
    INSERT INTO fact_count AS kept
    SELECT figure, value, detail, (SELECT counter_stripe()), sum(facts)
      FROM unnest(added || removed)
     GROUP BY figure, value, detail
    HAVING sum(facts) <> 0
        ON CONFLICT (figure, value, detail, stripe) DO UPDATE
       SET facts = kept.facts + excluded.facts;
    RETURN NULL;
END
$function$

-- FUNCTION count_parcels()
CREATE OR REPLACE FUNCTION analytics.count_parcels()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'analytics'
AS $function$
DECLARE
    added fact_count[];
    removed fact_count[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW(figure, value, detail, 0, facts)::fact_count)
          INTO added
          FROM (SELECT figure, value, detail, count(*) AS facts
                  FROM new_rows CROSS JOIN LATERAL (VALUES
                       ('parcel', phase, CASE WHEN is_return THEN 'return' ELSE 'delivery' END, true),
                       ('delivery', on_time, '', delivered_on IS NOT NULL AND NOT is_return),
                       ('undelivered', to_char(promised_on, 'YYYY-MM-DD'), '',
                        promised_on IS NOT NULL AND delivered_on IS NULL AND NOT is_return
                        AND phase NOT LIKE 'return%')
                       ) AS named (figure, value, detail, is_counted)
                 WHERE is_counted
                 GROUP BY 1, 2, 3) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW(figure, value, detail, 0, -facts)::fact_count)
          INTO removed
          FROM (SELECT figure, value, detail, count(*) AS facts
                  FROM old_rows CROSS JOIN LATERAL (VALUES
                       ('parcel', phase, CASE WHEN is_return THEN 'return' ELSE 'delivery' END, true),
                       ('delivery', on_time, '', delivered_on IS NOT NULL AND NOT is_return),
                       ('undelivered', to_char(promised_on, 'YYYY-MM-DD'), '',
                        promised_on IS NOT NULL AND delivered_on IS NULL AND NOT is_return
                        AND phase NOT LIKE 'return%')
                       ) AS named (figure, value, detail, is_counted)
                 WHERE is_counted
                 GROUP BY 1, 2, 3) AS sums;
    END IF;
    INSERT INTO fact_count AS kept
    SELECT figure, value, detail, (SELECT counter_stripe()), sum(facts)
      FROM unnest(added || removed)
     GROUP BY figure, value, detail
    HAVING sum(facts) <> 0
        ON CONFLICT (figure, value, detail, stripe) DO UPDATE
       SET facts = kept.facts + excluded.facts;
    RETURN NULL;
END
$function$

-- FUNCTION count_sales()
CREATE OR REPLACE FUNCTION analytics.count_sales()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'analytics'
AS $function$
DECLARE
    added campaign_sale[];
    removed campaign_sale[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(ROW(shop, credited, placed_on, currency, 0, orders, revenue, discount)
                         ::campaign_sale)
          INTO added
          FROM (SELECT shop, coalesce(campaign_id, '') AS credited, placed_on, currency,
                       count(*) AS orders, sum(revenue) AS revenue, sum(discount) AS discount
                  FROM new_rows
                 WHERE cancelled_at IS NULL AND sale_version > 0
                 GROUP BY 1, 2, 3, 4) AS sums;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(ROW(shop, credited, placed_on, currency, 0, -orders, -revenue, -discount)
                         ::campaign_sale)
          INTO removed
          FROM (SELECT shop, coalesce(campaign_id, '') AS credited, placed_on, currency,
                       count(*) AS orders, sum(revenue) AS revenue, sum(discount) AS discount
                  FROM old_rows
                 WHERE cancelled_at IS NULL AND sale_version > 0
                 GROUP BY 1, 2, 3, 4) AS sums;
    END IF;
    INSERT INTO campaign_sale AS kept
    SELECT shop, campaign_id, placed_on, currency, (SELECT counter_stripe()),
           sum(orders), sum(revenue), sum(discount)
      FROM unnest(added || removed)
     GROUP BY shop, campaign_id, placed_on, currency
    HAVING sum(orders) <> 0 OR sum(revenue) <> 0 OR sum(discount) <> 0
        ON CONFLICT (shop, campaign_id, placed_on, currency, stripe) DO UPDATE
       SET orders = kept.orders + excluded.orders,
           revenue = kept.revenue + excluded.revenue,
           discount = kept.discount + excluded.discount;
    RETURN NULL;
END
$function$

-- FUNCTION counter_stripe()
CREATE OR REPLACE FUNCTION analytics.counter_stripe()
 RETURNS smallint
 LANGUAGE plpgsql
AS $function$
BEGIN
    FOR stripe IN 0..62 LOOP
        IF pg_try_advisory_xact_lock(1204848918, stripe) THEN
            RETURN stripe;
        END IF;
    END LOOP;
    PERFORM pg_advisory_xact_lock(1204848918, 63);
    RETURN 63;
END
$function$

-- FUNCTION duration_bucket(duration interval)
CREATE OR REPLACE FUNCTION analytics.duration_bucket(duration interval)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
DECLARE
    seconds bigint := round(extract(epoch FROM duration));
    doublings integer := width_bucket(seconds, ARRAY[
        128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576,
        2097152, 4194304, 8388608, 16777216, 33554432, 67108864, 134217728, 268435456, 536870912,
        1073741824, 2147483648, 4294967296, 8589934592, 17179869184]::bigint[]);
BEGIN
    RETURN doublings * 64 + (seconds >> doublings);
END
$function$

-- FUNCTION find_older_items(owners uuid[], digests bigint[])
CREATE OR REPLACE FUNCTION analytics.find_older_items(owners uuid[], digests bigint[])
 RETURNS TABLE(owner uuid, digest bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'analytics'
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
CREATE OR REPLACE FUNCTION analytics.older_item_slot(at timestamp with time zone DEFAULT clock_timestamp())
 RETURNS smallint
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM at) / ((10 * 86400))::numeric)))::bigint % (5)::bigint))::smallint

-- FUNCTION outbox_accepts(given smallint)
CREATE OR REPLACE FUNCTION analytics.outbox_accepts(given smallint)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'analytics'
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
CREATE OR REPLACE FUNCTION analytics.outbox_slot()
 RETURNS smallint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM clock_timestamp()) / (10)::numeric)))::bigint % (3)::bigint))::smallint

-- RIGHTS ON campaign_activity
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON campaign_sale
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON claim_fact
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON fact_count
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON migration
    orderflow_analytics: SELECT

-- RIGHTS ON older_item
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON older_item_0
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_1
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_2
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_3
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_4
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON operator_act
    orderflow_analytics: INSERT, SELECT

-- RIGHTS ON operator_act_id_seq
    orderflow_analytics: SELECT, USAGE

-- RIGHTS ON order_fact
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON outbox
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON outbox_0
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_1
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_2
    orderflow_analytics: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_id
    orderflow_analytics: SELECT, USAGE

-- RIGHTS ON outbox_shards
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON page_visit
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parcel_duration
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parcel_fact
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked_id_seq
    orderflow_analytics: SELECT, USAGE

-- RIGHTS ON parked_name
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON position
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON rejected
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting
    orderflow_analytics: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting_id_seq
    orderflow_analytics: SELECT, USAGE
