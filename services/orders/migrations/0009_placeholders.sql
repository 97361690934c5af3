-- The names for which a waiting item made a row without an order (a placeholder): an order without a
-- document, or a reference without an order id. The sweep finds in here the rows that nothing waits
-- for any more; an index on the rows themselves would have to be kept by every change of an order.
CREATE TABLE placeholder (
    shop text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    order_id uuid,  -- Of the order that has the row; null where the row is in `reference`.
    awaited_at timestamptz NOT NULL,
    PRIMARY KEY (shop, kind, value)
);
COMMENT ON COLUMN placeholder.awaited_at IS 'Business time at which an item last began to wait';
CREATE INDEX placeholder_by_time ON placeholder (awaited_at);

-- Placeholders of the version before. A row with the UUID as its number was made for the UUID.
INSERT INTO placeholder (shop, kind, value, order_id, awaited_at)
SELECT shop, CASE WHEN order_number = order_id::text THEN 'uuid' ELSE 'order_number' END,
       order_number, order_id, changed_at
  FROM stored_order
 WHERE document IS NULL AND old_document IS NULL AND told IS NULL;
INSERT INTO placeholder (shop, kind, value, awaited_at)
SELECT shop, kind, value, now() FROM reference WHERE order_id IS NULL;
