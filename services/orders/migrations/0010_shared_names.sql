-- An order name may be that of several orders (decision 0140). `order_id` stays the first of them: the
-- version before goes on reading it alone. Functions that return rows of this table return the new
-- column too, so each connection of the version before prepares its statements once more.
ALTER TABLE reference
    ADD COLUMN others uuid[];
COMMENT ON COLUMN reference.others IS
    'Further orders that have or had this order name, at most 15; null where there is none';
