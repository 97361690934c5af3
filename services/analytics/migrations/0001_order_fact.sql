-- One row per order, from the newest event seen of it. Days are local to the destination.
CREATE TABLE order_fact (
    order_id uuid PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    -- Version of the newest event that listed all parcels; 0 before the first. Parcels of older
    -- versions are gone from the order.
    complete_version bigint NOT NULL CHECK (complete_version >= 0),
    shop text NOT NULL,
    order_number text NOT NULL,
    status text NOT NULL,
    placed_at timestamptz NOT NULL,
    placed_on date NOT NULL,
    cancelled_at timestamptz,
    cancelled_on date,
    promised_on date,
    country text,
    zone text NOT NULL,
    zone_source text NOT NULL,
    currency text NOT NULL,
    item_value numeric(24, 4),
    expected_parcels integer NOT NULL CHECK (expected_parcels >= 0),
    CHECK ((cancelled_at IS NULL) = (cancelled_on IS NULL))
) WITH (fillfactor = 80);
