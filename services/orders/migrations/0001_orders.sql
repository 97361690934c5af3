-- Orders, their other names, and tracking numbers. Each is one wide row with its value as a
-- document: a batch reads and writes whole values, and the domain alone knows what is inside.

-- `document` is null on a placeholder: somebody waits for an order that nobody has placed yet.
-- The placeholder is what the waiting transaction and the placing one collide on.
CREATE TABLE shop_order (
    order_id uuid PRIMARY KEY,
    shop text NOT NULL,
    order_number text NOT NULL,
    version bigint NOT NULL CHECK (version >= 0),
    document jsonb,
    applied bytea NOT NULL DEFAULT '',  -- Digests of the last 64 items, 8 bytes each, oldest first.
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
COMMENT ON COLUMN shop_order.version IS 'Events of the order so far, over all topics';

-- External ids and order names. `order_id` is null while somebody waits for the name.
CREATE TABLE reference (
    shop text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('external_id', 'order_name')),
    value text NOT NULL,
    order_id uuid,
    PRIMARY KEY (shop, kind, value)
);

-- One row per normalised tracking number: the scans of every carrier, and its owners. The lock on
-- this row is where tracking and the order it belongs to meet, whichever comes first.
CREATE TABLE parcel (
    number text PRIMARY KEY,
    document jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
