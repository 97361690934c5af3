-- Older items: what was applied to an order, beyond the newest items that its row names. Partitions
-- by age, of ten days each (decision 0125). Nothing is written or read here for an order that was
-- sent up to 64 commands.

-- The partition that takes rows at a time. The one after it holds the oldest rows and is truncated.
CREATE FUNCTION older_item_slot(at timestamptz DEFAULT clock_timestamp()) RETURNS smallint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (floor(extract(epoch FROM at) / (10 * 86400))::bigint % 5)::smallint;

CREATE TABLE older_item (
    owner uuid NOT NULL,     -- The order.
    digest bigint NOT NULL,  -- Of the item's id.
    slot smallint NOT NULL DEFAULT older_item_slot(),
    PRIMARY KEY (owner, digest, slot)
) PARTITION BY LIST (slot);
CREATE TABLE older_item_0 PARTITION OF older_item FOR VALUES IN (0);
CREATE TABLE older_item_1 PARTITION OF older_item FOR VALUES IN (1);
CREATE TABLE older_item_2 PARTITION OF older_item FOR VALUES IN (2);
CREATE TABLE older_item_3 PARTITION OF older_item FOR VALUES IN (3);
CREATE TABLE older_item_4 PARTITION OF older_item FOR VALUES IN (4);

DO $$
BEGIN
    EXECUTE format(
        'GRANT TRUNCATE ON older_item_0, older_item_1, older_item_2, older_item_3, older_item_4'
        ' TO %I', 'orderflow_' || current_schema()
    );
END
$$;

-- Which of the items are remembered here, by index whatever the statistics say. Arguments pairwise.
CREATE FUNCTION find_older_items(owners uuid[], digests bigint[])
RETURNS TABLE (owner uuid, digest bigint) LANGUAGE plpgsql STABLE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
BEGIN
    RETURN QUERY
    SELECT held.owner, held.digest
      FROM unnest(owners, digests) AS asked(owner, digest)
      JOIN older_item AS held ON held.owner = asked.owner AND held.digest = asked.digest;
END
$$;
