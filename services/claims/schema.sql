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

-- TABLE anchor
    name text NOT NULL
    order_id uuid
    others uuid[]  -- Further orders that have or had this order name, at most 15; null where there is none
    CONSTRAINT anchor_pkey PRIMARY KEY (name)

-- TABLE claim
    claim_id uuid NOT NULL
    order_id uuid NOT NULL
    shop text NOT NULL
    shipment_id uuid
    reason text NOT NULL
    status text NOT NULL
    items_hash text NOT NULL
    created_at timestamp with time zone NOT NULL
    updated_at timestamp with time zone NOT NULL
    deleted_at timestamp with time zone
    details jsonb NOT NULL
    CONSTRAINT claim_order_id_fkey FOREIGN KEY (order_id) REFERENCES order_copy(order_id)
    CONSTRAINT claim_pkey PRIMARY KEY (claim_id)
    CONSTRAINT claim_reason_check CHECK ((reason = ANY (ARRAY['damage'::text, 'partial_damage'::text, 'investigation'::text, 'support'::text, 'return'::text])))
    CONSTRAINT claim_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'accepted'::text, 'rejected'::text, 'closed'::text])))

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

-- TABLE order_copy
  WITH (fillfactor=80)
    order_id uuid NOT NULL
    shop text
    order_version bigint DEFAULT 0 NOT NULL
    context jsonb  -- The same, as the version before wrote it; null otherwise
    claim_sequence bigint DEFAULT 0 NOT NULL
    updated_at timestamp with time zone DEFAULT now() NOT NULL
    is_whole boolean DEFAULT true NOT NULL
    document bytea  -- UTF-8 JSON: order, customer and shipments as received; null at version 0 and beside context
    lines_cut boolean  -- Whether the newest event left out the lines. Who inserts without it is of the version before
    CONSTRAINT order_copy_check CHECK ((((order_version = 0) = ((context IS NULL) AND (document IS NULL))) AND ((order_version = 0) = (shop IS NULL)) AND ((context IS NULL) OR (document IS NULL)))) NOT VALID
    CONSTRAINT order_copy_claim_sequence_check CHECK ((claim_sequence >= 0))
    CONSTRAINT order_copy_order_version_check CHECK ((order_version >= 0))
    CONSTRAINT order_copy_pkey PRIMARY KEY (order_id)

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

-- TABLE rebuild
    is_only_row boolean DEFAULT true NOT NULL
    began_at timestamp with time zone NOT NULL
    CONSTRAINT rebuild_is_only_row_check CHECK (is_only_row)
    CONSTRAINT rebuild_pkey PRIMARY KEY (is_only_row)

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

-- VIEW readable_order_copy
    order_id uuid
    shop text
    order_version bigint
    context jsonb
    claim_sequence bigint
    is_whole boolean
    updated_at timestamp with time zone

-- VIEW readable_order_copy AS
 SELECT order_id,
    shop,
    order_version,
    COALESCE(context, convert_from(document, 'UTF8'::name)::jsonb) AS context,
    claim_sequence,
    is_whole,
    updated_at
   FROM order_copy;

-- INDEX anchor_pkey
CREATE UNIQUE INDEX anchor_pkey ON anchor USING btree (name)

-- INDEX claim_by_order
CREATE INDEX claim_by_order ON claim USING btree (order_id)

-- INDEX claim_open_once
CREATE UNIQUE INDEX claim_open_once ON claim USING btree (order_id, shipment_id, reason, items_hash) NULLS NOT DISTINCT WHERE ((status = ANY (ARRAY['pending'::text, 'accepted'::text])) AND (deleted_at IS NULL))

-- INDEX claim_pkey
CREATE UNIQUE INDEX claim_pkey ON claim USING btree (claim_id)

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

-- INDEX order_copy_pkey
CREATE UNIQUE INDEX order_copy_pkey ON order_copy USING btree (order_id)

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

-- INDEX rebuild_pkey
CREATE UNIQUE INDEX rebuild_pkey ON rebuild USING btree (is_only_row)

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

-- TRIGGER give_contexts_back ON order_copy
CREATE TRIGGER give_contexts_back AFTER INSERT ON order_copy FOR EACH STATEMENT EXECUTE FUNCTION give_contexts_back()

-- TRIGGER note_asked ON order_copy
CREATE TRIGGER note_asked BEFORE INSERT ON order_copy FOR EACH ROW WHEN (new.lines_cut IS NULL) EXECUTE FUNCTION note_asked()

-- TRIGGER replace_document ON order_copy
CREATE TRIGGER replace_document BEFORE UPDATE ON order_copy FOR EACH ROW WHEN (old.document IS NOT NULL AND new.context IS NOT NULL) EXECUTE FUNCTION replace_document()

-- FUNCTION find_older_items(owners uuid[], digests bigint[])
CREATE OR REPLACE FUNCTION claims.find_older_items(owners uuid[], digests bigint[])
 RETURNS TABLE(owner uuid, digest bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'claims'
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

-- FUNCTION give_contexts_back()
CREATE OR REPLACE FUNCTION claims.give_contexts_back()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'claims'
AS $function$
DECLARE
    asked text := current_setting('claims.asked', true);
BEGIN
    IF asked <> '' THEN
        PERFORM set_config('claims.asked', '', true);
        UPDATE order_copy
           SET context = convert_from(document, 'UTF8')::jsonb, document = NULL
         WHERE order_id = ANY (string_to_array(rtrim(asked, ','), ',')::uuid[])
           AND document IS NOT NULL;
    END IF;
    RETURN NULL;
END
$function$

-- FUNCTION note_asked()
CREATE OR REPLACE FUNCTION claims.note_asked()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'claims'
AS $function$
BEGIN
    PERFORM set_config('claims.asked',
                       concat(current_setting('claims.asked', true), NEW.order_id, ','), true);
    RETURN NEW;
END
$function$

-- FUNCTION older_item_slot(at timestamp with time zone)
CREATE OR REPLACE FUNCTION claims.older_item_slot(at timestamp with time zone DEFAULT clock_timestamp())
 RETURNS smallint
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM at) / ((10 * 86400))::numeric)))::bigint % (5)::bigint))::smallint

-- FUNCTION outbox_accepts(given smallint)
CREATE OR REPLACE FUNCTION claims.outbox_accepts(given smallint)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'claims'
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
CREATE OR REPLACE FUNCTION claims.outbox_slot()
 RETURNS smallint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM clock_timestamp()) / (10)::numeric)))::bigint % (3)::bigint))::smallint

-- FUNCTION replace_document()
CREATE OR REPLACE FUNCTION claims.replace_document()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'claims'
AS $function$
BEGIN
    NEW.document := NULL;
    IF NEW.context @> '{"lines_cut": true}' THEN
        NEW.context := with_lines_of(convert_from(OLD.document, 'UTF8')::jsonb, NEW.context);
    END IF;
    RETURN NEW;
END
$function$

-- FUNCTION with_lines_of(known jsonb, snapshot jsonb)
CREATE OR REPLACE FUNCTION claims.with_lines_of(known jsonb, snapshot jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
RETURN jsonb_set(snapshot, '{order,products}'::text[], COALESCE((known #> '{order,products}'::text[]), '[]'::jsonb))

-- RIGHTS ON anchor
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON claim
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON migration
    orderflow_claims: SELECT

-- RIGHTS ON older_item
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON older_item_0
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_1
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_2
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_3
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_4
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON operator_act
    orderflow_claims: INSERT, SELECT

-- RIGHTS ON operator_act_id_seq
    orderflow_claims: SELECT, USAGE

-- RIGHTS ON order_copy
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON outbox
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON outbox_0
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_1
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_2
    orderflow_claims: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_id
    orderflow_claims: SELECT, USAGE

-- RIGHTS ON outbox_shards
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked_id_seq
    orderflow_claims: SELECT, USAGE

-- RIGHTS ON parked_name
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON position
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON readable_order_copy
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON rebuild
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON rejected
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting
    orderflow_claims: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting_id_seq
    orderflow_claims: SELECT, USAGE
