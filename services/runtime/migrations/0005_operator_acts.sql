-- What people did by hand to items and partitions: who, when, why. Written in the transaction of
-- the act itself, so there is no act without its row and no row without its act.
CREATE TABLE operator_act (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- The wall's clock, not business time.
    actor text NOT NULL CHECK (actor <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    act text NOT NULL CHECK (act <> ''),
    topic text,
    partition integer,
    "offset" bigint,
    index integer,  -- -1: the whole record.
    detail jsonb NOT NULL
);
CREATE INDEX operator_act_by_item ON operator_act (topic, partition, "offset");

-- The service may add to the record and read it, and never change it. `orderflow migrate` repeats
-- this after each grant on all tables.
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON operator_act FROM %I', 'orderflow_' || current_schema());
END
$$;
