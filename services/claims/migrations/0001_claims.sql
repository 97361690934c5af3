-- What the claims service knows: copies of orders, claims, and the anchors of names not yet seen.

-- The last that events told of each order. Its row is also the lock under which the order's claims
-- are decided, so it is made (version 0, no context) as soon as anything names the order.
CREATE TABLE order_copy (
    order_id uuid PRIMARY KEY,
    shop text,
    order_version bigint NOT NULL DEFAULT 0 CHECK (order_version >= 0),
    context jsonb,  -- order, customer and shipments as received: decided on, and sent on in events.
    claim_sequence bigint NOT NULL DEFAULT 0 CHECK (claim_sequence >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((order_version = 0) = (context IS NULL) AND (order_version = 0) = (shop IS NULL))
) WITH (fillfactor = 80);

-- Names that an order or claim id cannot be computed from: external ids and order names, by shop,
-- and claims. `order_id` is null while something waits for the name; once set, it never changes.
CREATE TABLE anchor (
    name text PRIMARY KEY,
    order_id uuid
);

CREATE TABLE claim (
    claim_id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES order_copy,
    shop text NOT NULL,
    shipment_id uuid,
    reason text NOT NULL
        CHECK (reason IN ('damage', 'partial_damage', 'investigation', 'support', 'return')),
    status text NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected', 'closed')),
    items_hash text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    details jsonb NOT NULL  -- The whole claim; the columns above repeat what is searched or checked.
);
CREATE INDEX claim_by_order ON claim (order_id);

-- One open claim for the same reason and items of the same parcel.
CREATE UNIQUE INDEX claim_open_once ON claim (order_id, shipment_id, reason, items_hash)
    NULLS NOT DISTINCT
    WHERE status IN ('pending', 'accepted') AND deleted_at IS NULL;
