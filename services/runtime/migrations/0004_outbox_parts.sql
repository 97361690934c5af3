-- The outbox in parts that are emptied whole (decision 0055), and the number of its shards (0056).

-- How many shards orders are divided into; noted by the first process that serves.
CREATE TABLE outbox_shards (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    shards smallint NOT NULL CHECK (shards > 0)
);

-- A process that divides by another number would put an order's next records beside the ones that
-- wait, and another relay could publish them first. The error is one that is waited for: nothing
-- of the batch is lost or parked.
CREATE FUNCTION outbox_accepts(given smallint) RETURNS boolean LANGUAGE plpgsql VOLATILE
SET search_path FROM CURRENT AS $$
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
$$;

-- What waits stays where it is: the table of 0001 becomes a part, and no row of it is copied.
LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE;
ALTER TABLE outbox RENAME TO outbox_0;
CREATE SEQUENCE outbox_id CACHE 1;  -- One for all parts: the order of ids is over all of them.
SELECT setval('outbox_id', last_value) FROM outbox_id_seq;
ALTER TABLE outbox_0 DROP CONSTRAINT outbox_pkey;
ALTER TABLE outbox_0 ALTER COLUMN id DROP IDENTITY;
ALTER TABLE outbox_0 ADD COLUMN shards smallint CONSTRAINT outbox_shards_agree
    CHECK (outbox_accepts(shards));
ALTER TABLE outbox_0 ADD COLUMN slot smallint NOT NULL DEFAULT 0;

-- The clock says into which part a row goes: each takes rows for 10 seconds, then rests for 20, in
-- which it becomes empty and is truncated. A row that comes late to its part does no harm: rows are
-- read from all parts, in the order of their ids, and no part is truncated that holds one.
CREATE FUNCTION outbox_slot() RETURNS smallint LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN (floor(extract(epoch FROM clock_timestamp()) / 10)::bigint % 3)::smallint;

CREATE TABLE outbox (
    id bigint NOT NULL DEFAULT nextval('outbox_id'),
    shard smallint NOT NULL,
    topics text[] NOT NULL,
    keys bytea[] NOT NULL,
    headers bytea[] NOT NULL,
    "values" bytea[] NOT NULL,
    caused_at timestamptz,  -- When Kafka took the oldest message that caused these; for latency.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    shards smallint CONSTRAINT outbox_shards_agree CHECK (outbox_accepts(shards)),
    slot smallint NOT NULL DEFAULT outbox_slot()
) PARTITION BY LIST (slot);
ALTER TABLE outbox ATTACH PARTITION outbox_0 FOR VALUES IN (0);
CREATE TABLE outbox_1 PARTITION OF outbox FOR VALUES IN (1)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE TABLE outbox_2 PARTITION OF outbox FOR VALUES IN (2)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE INDEX outbox_in_order ON outbox (shard, id);

-- The only right over a table, beyond its rows, that a service has.
DO $$
BEGIN
    EXECUTE format(
        'GRANT TRUNCATE ON outbox_0, outbox_1, outbox_2 TO %I', 'orderflow_' || current_schema()
    );
END
$$;
