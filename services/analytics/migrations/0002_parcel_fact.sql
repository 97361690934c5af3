-- One row per parcel with a tracking number. What it shares with its order is repeated here, as of
-- the same event, so that a parcel's figures need no join.
CREATE TABLE parcel_fact (
    shipment_id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES order_fact,
    version bigint NOT NULL CHECK (version > 0),
    shop text NOT NULL,
    carrier text,
    country text,
    is_return boolean NOT NULL,
    phase text NOT NULL,
    flag text NOT NULL,
    attempts integer NOT NULL CHECK (attempts >= 0),
    placed_at timestamptz NOT NULL,
    promised_on date,
    handed_over_at timestamptz,
    handed_over_on date,
    delivered_at timestamptz,
    delivered_on date,
    on_time text NOT NULL CHECK (on_time IN ('early', 'on_time', 'late', 'unknown')),
    CHECK ((handed_over_at IS NULL) = (handed_over_on IS NULL)),
    CHECK ((delivered_at IS NULL) = (delivered_on IS NULL)),
    CHECK ((on_time = 'unknown') = (delivered_on IS NULL OR promised_on IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX parcel_fact_by_order ON parcel_fact (order_id);
