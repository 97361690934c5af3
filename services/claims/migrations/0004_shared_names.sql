-- An order name may be that of several orders (decision 0140). `order_id` stays the first of them, which
-- the version before reads alone.
ALTER TABLE anchor
    ADD COLUMN others uuid[];
COMMENT ON COLUMN anchor.others IS
    'Further orders that have or had this order name, at most 15; null where there is none';
