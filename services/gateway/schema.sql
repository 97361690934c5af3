-- The schema after all migrations, written by `make schema`. No program runs this file.

-- TABLE api_key
    id text NOT NULL
    kind text NOT NULL
    name text NOT NULL
    source text NOT NULL
    hash text NOT NULL
    per_second double precision
    note text NOT NULL
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
    expires_at timestamp with time zone
    revoked_at timestamp with time zone
    CONSTRAINT api_key_id_check CHECK ((id ~ '^[a-z2-7]{12}$'::text))
    CONSTRAINT api_key_kind_check CHECK ((kind = ANY (ARRAY['shop'::text, 'carrier'::text, 'activity'::text])))
    CONSTRAINT api_key_name_check CHECK ((name <> ''::text))
    CONSTRAINT api_key_per_second_check CHECK ((per_second > (0)::double precision))
    CONSTRAINT api_key_pkey PRIMARY KEY (id)
    CONSTRAINT api_key_source_check CHECK ((source <> ''::text))

-- TABLE migration
    name text NOT NULL
    sha256 text NOT NULL
    applied_at timestamp with time zone DEFAULT now() NOT NULL
    CONSTRAINT migration_pkey PRIMARY KEY (name)

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

-- INDEX api_key_pkey
CREATE UNIQUE INDEX api_key_pkey ON api_key USING btree (id)

-- INDEX migration_pkey
CREATE UNIQUE INDEX migration_pkey ON migration USING btree (name)

-- INDEX operator_act_by_item
CREATE INDEX operator_act_by_item ON operator_act USING btree (topic, partition, "offset")

-- INDEX operator_act_pkey
CREATE UNIQUE INDEX operator_act_pkey ON operator_act USING btree (id)

-- SEQUENCE operator_act_id_seq
    AS bigint START 1 INCREMENT 1 CACHE 1

-- RIGHTS ON api_key
    orderflow_gateway: SELECT

-- RIGHTS ON migration
    orderflow_gateway: SELECT

-- RIGHTS ON operator_act
    orderflow_gateway: SELECT
