-- What was published of an order after the time its database was restored to: numbers, and digests
-- of the events (decision 0071). Null unless `orderflow recall` found any.
ALTER TABLE shop_order ADD COLUMN told jsonb;
