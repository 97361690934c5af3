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

-- TABLE campaign_book
    shop text NOT NULL
    digest bigint NOT NULL
    document bytea NOT NULL  -- UTF-8 JSON: all campaigns and tests, without what pages show
    sequence bigint NOT NULL  -- Number of the last event of the shop on campaigns.events
    CONSTRAINT campaign_book_pkey PRIMARY KEY (shop)

-- TABLE campaign_entry
    shop text NOT NULL
    kind text NOT NULL
    entry_id text NOT NULL
    code text  -- Of a discount: its code, compared without regard to case
    document bytea NOT NULL
    next_change_at timestamp with time zone  -- When a campaign begins or ends by time, if an event follows then
    CONSTRAINT campaign_entry_kind_check CHECK ((kind = ANY (ARRAY['campaign'::text, 'discount'::text, 'ab_test'::text])))
    CONSTRAINT campaign_entry_pkey PRIMARY KEY (shop, kind, entry_id)

-- TABLE campaign_order
  WITH (fillfactor=90)
    order_id uuid NOT NULL
    shop text NOT NULL
    at timestamp with time zone NOT NULL  -- When it was placed, or its first parcel attached if that is later
    has_contact boolean NOT NULL  -- Whether it names a campaign, or a code that may be of one
    CONSTRAINT campaign_order_pkey PRIMARY KEY (order_id)

-- TABLE campaign_published
    shop text NOT NULL
    sequence bigint NOT NULL  -- The highest number that was published
    events bigint[] NOT NULL  -- Digests of the ids of the published events above the stored number
    CONSTRAINT campaign_published_pkey PRIMARY KEY (shop)

-- TABLE campaign_review
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL
    shop text NOT NULL
    since timestamp with time zone  -- Orders of this time or later; null: all stored orders of the shop, which have no row in campaign_order yet
    only_contacts boolean NOT NULL  -- Whether only orders with a contact are concerned
    after_at timestamp with time zone
    after_id uuid
    causation_id text NOT NULL
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    turn_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    CONSTRAINT campaign_review_pkey PRIMARY KEY (id)

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

-- TABLE placeholder
    shop text NOT NULL
    kind text NOT NULL
    value text NOT NULL
    order_id uuid
    awaited_at timestamp with time zone NOT NULL  -- Business time at which an item last began to wait
    CONSTRAINT placeholder_pkey PRIMARY KEY (shop, kind, value)

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

-- TABLE reference
    shop text NOT NULL
    kind text NOT NULL
    value text NOT NULL
    order_id uuid
    others uuid[]  -- Further orders that have or had this order name, at most 15; null where there is none
    CONSTRAINT reference_kind_check CHECK ((kind = ANY (ARRAY['external_id'::text, 'order_name'::text])))
    CONSTRAINT reference_pkey PRIMARY KEY (shop, kind, value)

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

-- TABLE stored_order
  WITH (fillfactor=80)
    order_id uuid NOT NULL
    shop text NOT NULL
    order_number text NOT NULL
    version bigint NOT NULL  -- Events of the order so far, over all topics
    old_document jsonb  -- As the version before wrote it; null otherwise
    applied bytea DEFAULT '\x'::bytea NOT NULL
    changed_at timestamp with time zone DEFAULT now() NOT NULL
    told jsonb
    document bytea  -- UTF-8 JSON; null on a placeholder and beside old_document
    CONSTRAINT shop_order_pkey PRIMARY KEY (order_id)
    CONSTRAINT shop_order_version_check CHECK ((version >= 0))

-- TABLE stored_parcel
  WITH (fillfactor=70)
    number text NOT NULL
    old_document jsonb
    changed_at timestamp with time zone DEFAULT now() NOT NULL
    document bytea  -- UTF-8 JSON; null beside old_document
    owners uuid[]  -- Orders that the document names; null beside old_document
    CONSTRAINT parcel_pkey PRIMARY KEY (number)

-- TABLE unmapped_code
    code_set text NOT NULL
    name text NOT NULL
    code text NOT NULL
    scans bigint NOT NULL  -- Scans with the code that were new to a shipment
    first_seen timestamp with time zone NOT NULL  -- Business time at which the first was recorded
    last_seen timestamp with time zone NOT NULL
    sample_number text NOT NULL
    sample_text text
    CONSTRAINT unmapped_code_pkey PRIMARY KEY (code_set, name, code)

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

-- TYPE locked_book
    shop text
    digest bigint
    document bytea
    sequence bigint

-- TYPE locked_order
    order_id uuid
    document bytea
    applied bytea
    told jsonb

-- TYPE locked_parcel
    number text
    document bytea

-- VIEW parcel
    number text
    document jsonb
    changed_at timestamp with time zone DEFAULT now()

-- VIEW shop_order
    order_id uuid
    shop text
    order_number text
    version bigint
    document jsonb
    applied bytea DEFAULT '\x'::bytea
    changed_at timestamp with time zone DEFAULT now()
    told jsonb

-- VIEW parcel AS
 SELECT number,
    COALESCE(old_document, convert_from(document, 'UTF8'::name)::jsonb) AS document,
    changed_at
   FROM stored_parcel;

-- VIEW shop_order AS
 SELECT order_id,
    shop,
    order_number,
    version,
    COALESCE(old_document, convert_from(document, 'UTF8'::name)::jsonb) AS document,
    applied,
    changed_at,
    told
   FROM stored_order;

-- INDEX campaign_book_pkey
CREATE UNIQUE INDEX campaign_book_pkey ON campaign_book USING btree (shop)

-- INDEX campaign_entry_by_change
CREATE INDEX campaign_entry_by_change ON campaign_entry USING btree (next_change_at) WHERE (next_change_at IS NOT NULL)

-- INDEX campaign_entry_by_code
CREATE INDEX campaign_entry_by_code ON campaign_entry USING btree (shop, code) WHERE (code IS NOT NULL)

-- INDEX campaign_entry_pkey
CREATE UNIQUE INDEX campaign_entry_pkey ON campaign_entry USING btree (shop, kind, entry_id)

-- INDEX campaign_order_by_time
CREATE INDEX campaign_order_by_time ON campaign_order USING btree (shop, at, order_id)

-- INDEX campaign_order_pkey
CREATE UNIQUE INDEX campaign_order_pkey ON campaign_order USING btree (order_id)

-- INDEX campaign_order_with_contact
CREATE INDEX campaign_order_with_contact ON campaign_order USING btree (shop, at, order_id) WHERE has_contact

-- INDEX campaign_published_pkey
CREATE UNIQUE INDEX campaign_published_pkey ON campaign_published USING btree (shop)

-- INDEX campaign_review_by_shop
CREATE INDEX campaign_review_by_shop ON campaign_review USING btree (shop, id)

-- INDEX campaign_review_by_turn
CREATE INDEX campaign_review_by_turn ON campaign_review USING btree (turn_at, id)

-- INDEX campaign_review_pkey
CREATE UNIQUE INDEX campaign_review_pkey ON campaign_review USING btree (id)

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

-- INDEX parcel_pkey
CREATE UNIQUE INDEX parcel_pkey ON stored_parcel USING btree (number)

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

-- INDEX placeholder_by_time
CREATE INDEX placeholder_by_time ON placeholder USING btree (awaited_at)

-- INDEX placeholder_pkey
CREATE UNIQUE INDEX placeholder_pkey ON placeholder USING btree (shop, kind, value)

-- INDEX position_pkey
CREATE UNIQUE INDEX position_pkey ON "position" USING btree (consumer_group, topic, partition)

-- INDEX reference_pkey
CREATE UNIQUE INDEX reference_pkey ON reference USING btree (shop, kind, value)

-- INDEX rejected_by_time
CREATE INDEX rejected_by_time ON rejected USING btree (rejected_at)

-- INDEX rejected_pkey
CREATE UNIQUE INDEX rejected_pkey ON rejected USING btree (topic, partition, "offset", index)

-- INDEX shop_order_by_change
CREATE INDEX shop_order_by_change ON stored_order USING brin (changed_at) WITH (pages_per_range='32', autosummarize='on')

-- INDEX shop_order_by_shop
CREATE INDEX shop_order_by_shop ON stored_order USING btree (shop, order_id)

-- INDEX shop_order_pkey
CREATE UNIQUE INDEX shop_order_pkey ON stored_order USING btree (order_id)

-- INDEX unmapped_code_pkey
CREATE UNIQUE INDEX unmapped_code_pkey ON unmapped_code USING btree (code_set, name, code)

-- INDEX waiting_by_expiry
CREATE INDEX waiting_by_expiry ON waiting USING btree (expires_at)

-- INDEX waiting_by_name
CREATE INDEX waiting_by_name ON waiting USING btree (waits_for)

-- INDEX waiting_item_id_key
CREATE UNIQUE INDEX waiting_item_id_key ON waiting USING btree (item_id)

-- INDEX waiting_pkey
CREATE UNIQUE INDEX waiting_pkey ON waiting USING btree (id)

-- SEQUENCE campaign_review_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE operator_act_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE outbox_id
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE parked_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- SEQUENCE waiting_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- TRIGGER write_parcel ON parcel
CREATE TRIGGER write_parcel INSTEAD OF INSERT OR UPDATE ON parcel FOR EACH ROW EXECUTE FUNCTION write_parcel()

-- TRIGGER write_shop_order ON shop_order
CREATE TRIGGER write_shop_order INSTEAD OF INSERT OR UPDATE ON shop_order FOR EACH ROW EXECUTE FUNCTION write_shop_order()

-- FUNCTION find_older_items(owners uuid[], digests bigint[])
CREATE OR REPLACE FUNCTION orders.find_older_items(owners uuid[], digests bigint[])
 RETURNS TABLE(owner uuid, digest bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'orders'
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

-- FUNCTION lock_batch(shops text[], kinds text[], reference_values text[], numbers text[], ids uuid[], awaited text[], is_final boolean, OUT waits waiting[], OUT tracked parcel[], OUT named reference[], OUT stored shop_order[], OUT is_contended boolean, OUT is_any_parked boolean)
CREATE OR REPLACE FUNCTION orders.lock_batch(shops text[], kinds text[], reference_values text[], numbers text[], ids uuid[], awaited text[], is_final boolean, OUT waits waiting[], OUT tracked parcel[], OUT named reference[], OUT stored shop_order[], OUT is_contended boolean, OUT is_any_parked boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'orders'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
DECLARE
    before bigint[];
BEGIN
    SELECT array_agg(item::waiting ORDER BY item.id), array_agg(item.id ORDER BY item.id)
      INTO waits, before
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    IF before IS NOT NULL AND NOT is_final THEN
        RETURN;
    END IF;
    SELECT array_agg(locked::parcel)
      INTO tracked
      FROM (SELECT * FROM parcel WHERE number = ANY (numbers) ORDER BY number FOR UPDATE) AS locked;
    SELECT array_agg(locked::reference)
      INTO named
      FROM (SELECT reference.*
              FROM reference
              JOIN unnest(shops, kinds, reference_values) AS wanted(shop, kind, value)
                ON reference.shop = wanted.shop AND reference.kind = wanted.kind
               AND reference.value = wanted.value
             ORDER BY reference.shop, reference.kind, reference.value
               FOR UPDATE OF reference) AS locked;
    ids := ids || ARRAY (SELECT order_id FROM unnest(named) WHERE order_id IS NOT NULL)
               || ARRAY (SELECT (owner ->> 'order_id')::uuid
                           FROM unnest(tracked) AS owned,
                                jsonb_array_elements(owned.document -> 'owners') AS owner);
    SELECT array_agg(locked::shop_order)
      INTO stored
      FROM (SELECT * FROM shop_order WHERE order_id = ANY (ids) ORDER BY order_id FOR UPDATE)
        AS locked;
    SELECT array_agg(item::waiting ORDER BY item.id),
           array_agg(item.id ORDER BY item.id) IS DISTINCT FROM before
      INTO waits, is_contended
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    PERFORM FROM parked ORDER BY id, nth LIMIT 1;
    is_any_parked := FOUND;
END
$function$

-- FUNCTION lock_books(shops text[], changing boolean[], known bigint[], code_shops text[], codes text[], entry_shops text[], kinds text[], ids text[], OUT books locked_book[], OUT entries bytea[])
CREATE OR REPLACE FUNCTION orders.lock_books(shops text[], changing boolean[], known bigint[], code_shops text[], codes text[], entry_shops text[], kinds text[], ids text[], OUT books locked_book[], OUT entries bytea[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'orders'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
DECLARE
    group_lock record;
BEGIN
    FOR group_lock IN
        SELECT hashtext(shop) & 255 AS key, bool_or(is_changing) AS is_alone
          FROM unnest(shops, changing) AS each(shop, is_changing)
         GROUP BY 1
         ORDER BY 1
    LOOP
        IF group_lock.is_alone THEN
            PERFORM pg_advisory_xact_lock(1128353104, group_lock.key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(1128353104, group_lock.key);
        END IF;
    END LOOP;
    SELECT array_agg(ROW(
               book.shop, book.digest,
               CASE WHEN book.digest IS DISTINCT FROM wanted.digest THEN book.document END,
               book.sequence
           )::locked_book)
      INTO books
      FROM unnest(shops, known) AS wanted(shop, digest)
      JOIN campaign_book AS book ON book.shop = wanted.shop;
    IF books IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(found.document)
      INTO entries
      FROM (SELECT entry.document
              FROM unnest(entry_shops, kinds, ids) AS wanted(shop, kind, entry_id)
              JOIN campaign_entry AS entry
                ON entry.shop = wanted.shop AND entry.kind = wanted.kind
               AND entry.entry_id = wanted.entry_id
             UNION
            SELECT entry.document
              FROM unnest(code_shops, codes) AS wanted(shop, code)
              JOIN campaign_entry AS entry
                ON entry.shop = wanted.shop AND entry.code = wanted.code) AS found;
END
$function$

-- FUNCTION lock_rows(shops text[], kinds text[], reference_values text[], numbers text[], ids uuid[], awaited text[], is_final boolean, OUT waits waiting[], OUT tracked locked_parcel[], OUT named reference[], OUT stored locked_order[], OUT is_contended boolean, OUT is_any_parked boolean)
CREATE OR REPLACE FUNCTION orders.lock_rows(shops text[], kinds text[], reference_values text[], numbers text[], ids uuid[], awaited text[], is_final boolean, OUT waits waiting[], OUT tracked locked_parcel[], OUT named reference[], OUT stored locked_order[], OUT is_contended boolean, OUT is_any_parked boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'orders'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
DECLARE
    before bigint[];
    owned uuid[];
BEGIN
    SELECT array_agg(item::waiting ORDER BY item.id), array_agg(item.id ORDER BY item.id)
      INTO waits, before
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    IF before IS NOT NULL AND NOT is_final THEN
        RETURN;
    END IF;
    WITH locked AS MATERIALIZED (
        SELECT number, document, old_document, owners
          FROM stored_parcel WHERE number = ANY (numbers) ORDER BY number FOR UPDATE
    )
    SELECT (SELECT array_agg(ROW(
                number, coalesce(document, convert_to(old_document::text, 'UTF8'))
            )::locked_parcel) FROM locked),
           (SELECT array_agg(owner) FROM locked, unnest(coalesce(owners, ARRAY (
                SELECT (owner ->> 'order_id')::uuid
                  FROM jsonb_array_elements(old_document -> 'owners') AS owner
            ))) AS owner)
      INTO tracked, owned;
    SELECT array_agg(locked::reference)
      INTO named
      FROM (SELECT reference.*
              FROM reference
              JOIN unnest(shops, kinds, reference_values) AS wanted(shop, kind, value)
                ON reference.shop = wanted.shop AND reference.kind = wanted.kind
               AND reference.value = wanted.value
             ORDER BY reference.shop, reference.kind, reference.value
               FOR UPDATE OF reference) AS locked;
    ids := ids || ARRAY (SELECT unnest(order_id || others) FROM unnest(named)) || owned;
    SELECT array_agg(ROW(
               order_id, coalesce(document, convert_to(old_document::text, 'UTF8')), applied, told
           )::locked_order)
      INTO stored
      FROM (SELECT order_id, document, old_document, applied, told
              FROM stored_order WHERE order_id = ANY (ids) ORDER BY order_id FOR UPDATE) AS locked;
    SELECT array_agg(item::waiting ORDER BY item.id),
           array_agg(item.id ORDER BY item.id) IS DISTINCT FROM before
      INTO waits, is_contended
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    PERFORM FROM parked ORDER BY id, nth LIMIT 1;
    is_any_parked := FOUND;
END
$function$

-- FUNCTION older_item_slot(at timestamp with time zone)
CREATE OR REPLACE FUNCTION orders.older_item_slot(at timestamp with time zone DEFAULT clock_timestamp())
 RETURNS smallint
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM at) / ((10 * 86400))::numeric)))::bigint % (5)::bigint))::smallint

-- FUNCTION outbox_accepts(given smallint)
CREATE OR REPLACE FUNCTION orders.outbox_accepts(given smallint)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'orders'
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
CREATE OR REPLACE FUNCTION orders.outbox_slot()
 RETURNS smallint
 LANGUAGE sql
 PARALLEL SAFE
RETURN (((floor((EXTRACT(epoch FROM clock_timestamp()) / (10)::numeric)))::bigint % (3)::bigint))::smallint

-- FUNCTION save_batch(parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[], orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[], order_documents bytea[], applied_items bytea[], names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[])
CREATE OR REPLACE FUNCTION orders.save_batch(parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[], orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[], order_documents bytea[], applied_items bytea[], names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'orders'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
BEGIN
    IF EXISTS (SELECT FROM campaign_book WHERE shop = ANY (order_shops)) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_in_use',
            MESSAGE = 'a shop of this batch has campaigns, which this version of the service does not '
                'know',
            HINT = 'Replace this replica by the version of the others: it applies the batch.';
    END IF;
    PERFORM write_batch(
        parcels_new, numbers, parcel_documents, parcel_owners,
        orders_new, ids, order_shops, order_numbers, versions, order_documents, applied_items,
        names_new, name_shops, kinds, name_values, named_ids
    );
END
$function$

-- FUNCTION save_rows(parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[], orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[], order_documents bytea[], applied_items bytea[], names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[])
CREATE OR REPLACE FUNCTION orders.save_rows(parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[], orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[], order_documents bytea[], applied_items bytea[], names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'orders'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
BEGIN
    IF EXISTS (
        SELECT FROM stored_parcel AS held
         WHERE held.number = ANY (numbers)
           AND (cardinality(held.owners) > 1
                AND position(convert_to('"came_at"', 'UTF8') IN held.document) > 0
                OR position(convert_to('"private":[', 'UTF8') IN held.document) > 0)
    ) AND EXISTS (
        SELECT FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND classid = 1271430833::oid
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_in_use',
            MESSAGE = 'a tracking number of this batch is or was on several shipments, which this '
                'version of the service does not know',
            HINT = 'Replace this replica by the version of the others: it applies the batch.';
    END IF;
    PERFORM save_batch(
        parcels_new, numbers, parcel_documents, parcel_owners,
        orders_new, ids, order_shops, order_numbers, versions, order_documents, applied_items,
        names_new, name_shops, kinds, name_values, named_ids
    );
END
$function$

-- FUNCTION write_batch(parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[], orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[], order_documents bytea[], applied_items bytea[], names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[])
CREATE OR REPLACE FUNCTION orders.write_batch(parcels_new boolean[], numbers text[], parcel_documents bytea[], parcel_owners text[], orders_new boolean[], ids uuid[], order_shops text[], order_numbers text[], versions bigint[], order_documents bytea[], applied_items bytea[], names_new boolean[], name_shops text[], kinds text[], name_values text[], named_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'orders'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_hashjoin TO 'off'
AS $function$
BEGIN
    IF true = ANY (parcels_new) THEN
        INSERT INTO stored_parcel (number, document, owners)
        SELECT each.number, each.document, each.owners::uuid[]
          FROM unnest(parcels_new, numbers, parcel_documents, parcel_owners)
               AS each(is_new, number, document, owners)
         WHERE each.is_new
         ORDER BY each.number;
    END IF;
    IF false = ANY (parcels_new) THEN
        UPDATE stored_parcel
           SET document = each.document, old_document = NULL, owners = each.owners::uuid[],
               changed_at = now()
          FROM unnest(parcels_new, numbers, parcel_documents, parcel_owners)
               AS each(is_new, number, document, owners)
         WHERE NOT each.is_new AND stored_parcel.number = each.number;
    END IF;
    IF true = ANY (orders_new) THEN
        INSERT INTO stored_order (order_id, shop, order_number, version, document, applied)
        SELECT each.order_id, each.shop, each.order_number, each.version, each.document, each.applied
          FROM unnest(orders_new, ids, order_shops, order_numbers, versions, order_documents,
                      applied_items)
               AS each(is_new, order_id, shop, order_number, version, document, applied)
         WHERE each.is_new
         ORDER BY each.order_id;
    END IF;
    IF false = ANY (orders_new) THEN  -- Shop and number differ only from a placeholder's.
        UPDATE stored_order
           SET shop = each.shop, order_number = each.order_number, version = each.version,
               document = each.document, old_document = NULL, applied = each.applied,
               changed_at = now()
          FROM unnest(orders_new, ids, order_shops, order_numbers, versions, order_documents,
                      applied_items)
               AS each(is_new, order_id, shop, order_number, version, document, applied)
         WHERE NOT each.is_new AND stored_order.order_id = each.order_id;
    END IF;
    IF true = ANY (names_new) THEN
        INSERT INTO reference (shop, kind, value, order_id)
        SELECT each.shop, each.kind, each.value, each.order_id
          FROM unnest(names_new, name_shops, kinds, name_values, named_ids)
               AS each(is_new, shop, kind, value, order_id)
         WHERE each.is_new
         ORDER BY each.shop, each.kind, each.value;
    END IF;
    IF false = ANY (names_new) THEN
        UPDATE reference
           SET order_id = each.order_id
          FROM unnest(names_new, name_shops, kinds, name_values, named_ids)
               AS each(is_new, shop, kind, value, order_id)
         WHERE NOT each.is_new AND reference.shop = each.shop AND reference.kind = each.kind
           AND reference.value = each.value;
    END IF;
END
$function$

-- FUNCTION write_parcel()
CREATE OR REPLACE FUNCTION orders.write_parcel()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'orders'
AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stored_parcel (number, old_document, changed_at)
        VALUES (NEW.number, NEW.document, NEW.changed_at);
    ELSE
        UPDATE stored_parcel
           SET number = NEW.number, old_document = NEW.document, document = NULL, owners = NULL,
               changed_at = NEW.changed_at
         WHERE number = OLD.number;
    END IF;
    RETURN NEW;
END
$function$

-- FUNCTION write_shop_order()
CREATE OR REPLACE FUNCTION orders.write_shop_order()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'orders'
AS $function$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stored_order
               (order_id, shop, order_number, version, old_document, applied, changed_at, told)
        VALUES (NEW.order_id, NEW.shop, NEW.order_number, NEW.version, NEW.document, NEW.applied,
                NEW.changed_at, NEW.told);
    ELSE
        UPDATE stored_order
           SET order_id = NEW.order_id, shop = NEW.shop, order_number = NEW.order_number,
               version = NEW.version, old_document = NEW.document, document = NULL,
               applied = NEW.applied, changed_at = NEW.changed_at, told = NEW.told
         WHERE order_id = OLD.order_id;
    END IF;
    RETURN NEW;
END
$function$

-- RIGHTS ON campaign_book
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON campaign_entry
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON campaign_order
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON campaign_published
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON campaign_review
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON campaign_review_id_seq
    orderflow_orders: SELECT, USAGE

-- RIGHTS ON migration
    orderflow_orders: SELECT

-- RIGHTS ON older_item
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON older_item_0
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_1
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_2
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_3
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON older_item_4
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON operator_act
    orderflow_orders: INSERT, SELECT

-- RIGHTS ON operator_act_id_seq
    orderflow_orders: SELECT, USAGE

-- RIGHTS ON outbox
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON outbox_0
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_1
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_2
    orderflow_orders: DELETE, INSERT, SELECT, TRUNCATE, UPDATE

-- RIGHTS ON outbox_id
    orderflow_orders: SELECT, USAGE

-- RIGHTS ON outbox_shards
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parcel
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON parked_id_seq
    orderflow_orders: SELECT, USAGE

-- RIGHTS ON parked_name
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON placeholder
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON position
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON reference
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON rejected
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON shop_order
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON stored_order
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON stored_parcel
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON unmapped_code
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting
    orderflow_orders: DELETE, INSERT, SELECT, UPDATE

-- RIGHTS ON waiting_id_seq
    orderflow_orders: SELECT, USAGE
