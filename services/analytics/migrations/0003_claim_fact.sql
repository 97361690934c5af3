-- One row per claim, from the newest event seen of it. It may arrive before its order: the two
-- topics keep no order between them, so nothing is referenced.
CREATE TABLE claim_fact (
    claim_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    shop text NOT NULL,
    shipment_id uuid,
    reason text NOT NULL,
    status text NOT NULL,
    resolution_preference text,
    country text,
    opened_at timestamptz NOT NULL,
    opened_on date NOT NULL,
    is_withdrawn boolean NOT NULL
) WITH (fillfactor = 80);
