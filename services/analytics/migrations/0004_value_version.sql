-- Version of the newest event that told the value of an order's items; 0 before the first. Events
-- cut for size may not tell it, and must not take it away. A value from before this column gives
-- way to the next one told.
ALTER TABLE order_fact
    ADD COLUMN value_version bigint NOT NULL DEFAULT 0 CHECK (value_version >= 0);
