-- Filling empty tables from snapshots while commands go on (decision 0070).

-- Set once the tables were emptied to be filled anew. From then on the claims of an order are known
-- only from an event that tells them all and was decided after this business time.
CREATE TABLE rebuild (
    is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
    began_at timestamptz NOT NULL
);

-- False: this copy may lack claims that were opened before the rebuild. Until it is whole, nothing
-- is decided on it; commands wait for the order as if it had not been seen.
ALTER TABLE order_copy ADD COLUMN is_whole boolean NOT NULL DEFAULT true;
