-- What sending a refused item again needs to know of it.
ALTER TABLE rejected
    ADD COLUMN ce_id text,
    ADD COLUMN ce_source text,
    -- Index of the item of the same record whose row holds value and headers; null: this row.
    ADD COLUMN carried_by integer,
    -- Whether the items of its record were read one by one: the others may have been applied.
    ADD COLUMN of_many boolean NOT NULL DEFAULT false;
