-- By which orders are chosen to be told again (`orderflow republish`). Neither index takes part in
-- an order's usual update: the shop does not change, and a BRIN index leaves it a HOT update.
CREATE INDEX shop_order_by_shop ON shop_order (shop, order_id);
CREATE INDEX shop_order_by_change ON shop_order
    USING brin (changed_at) WITH (pages_per_range = 32, autosummarize = on);
