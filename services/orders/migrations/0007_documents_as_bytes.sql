-- Documents as bytes: a batch only carries them, and as jsonb each is parsed and written out again
-- by Postgres (decision 0096). No row is rewritten here: a document of before is converted when its
-- order or parcel next changes. The names of the tables of before become views, which show every
-- document as jsonb to people and to services of the version before, and let those write as well.

-- In the order of a batch, which begins at its positions: the migration waits for whole batches, and
-- no batch is halfway through its functions when their tables become views.
LOCK TABLE position IN ACCESS EXCLUSIVE MODE;
LOCK TABLE parcel IN ACCESS EXCLUSIVE MODE;
LOCK TABLE shop_order IN ACCESS EXCLUSIVE MODE;

ALTER TABLE shop_order RENAME TO stored_order;
ALTER TABLE stored_order RENAME COLUMN document TO old_document;
ALTER TABLE stored_order ADD COLUMN document bytea;
COMMENT ON COLUMN stored_order.document IS 'UTF-8 JSON; null on a placeholder and beside old_document';
COMMENT ON COLUMN stored_order.old_document IS 'As the version before wrote it; null otherwise';

ALTER TABLE parcel RENAME TO stored_parcel;
ALTER TABLE stored_parcel RENAME COLUMN document TO old_document;
ALTER TABLE stored_parcel
    ALTER COLUMN old_document DROP NOT NULL,
    ADD COLUMN document bytea,
    ADD COLUMN owners uuid[];
COMMENT ON COLUMN stored_parcel.document IS 'UTF-8 JSON; null beside old_document';
COMMENT ON COLUMN stored_parcel.owners IS 'Orders that the document names; null beside old_document';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings
                WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE stored_order ALTER COLUMN document SET COMPRESSION lz4;
        ALTER TABLE stored_parcel ALTER COLUMN document SET COMPRESSION lz4;
    END IF;
END
$$;

-- The tables as the version before knows them.
CREATE VIEW shop_order AS
SELECT order_id, shop, order_number, version,
       coalesce(old_document, convert_from(document, 'UTF8')::jsonb) AS document,
       applied, changed_at, told
  FROM stored_order;
ALTER VIEW shop_order ALTER COLUMN applied SET DEFAULT '';
ALTER VIEW shop_order ALTER COLUMN changed_at SET DEFAULT now();

CREATE VIEW parcel AS
SELECT number, coalesce(old_document, convert_from(document, 'UTF8')::jsonb) AS document, changed_at
  FROM stored_parcel;
ALTER VIEW parcel ALTER COLUMN changed_at SET DEFAULT now();

-- Rows that are deleted through the views need no trigger.
CREATE FUNCTION write_shop_order() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stored_order
               (order_id, shop, order_number, version, old_document, applied, changed_at, told)
        VALUES (NEW.order_id, NEW.shop, NEW.order_number, NEW.version, NEW.document, NEW.applied,
                NEW.changed_at, NEW.told);
    ELSE
        UPDATE stored_order
           SET order_id = NEW.order_id, shop = NEW.shop, order_number = NEW.order_number,
               version = NEW.version, old_document = NEW.document, document = NULL,
               applied = NEW.applied, changed_at = NEW.changed_at, told = NEW.told
         WHERE order_id = OLD.order_id;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER write_shop_order INSTEAD OF INSERT OR UPDATE ON shop_order
    FOR EACH ROW EXECUTE FUNCTION write_shop_order();

CREATE FUNCTION write_parcel() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stored_parcel (number, old_document, changed_at)
        VALUES (NEW.number, NEW.document, NEW.changed_at);
    ELSE
        UPDATE stored_parcel
           SET number = NEW.number, old_document = NEW.document, document = NULL, owners = NULL,
               changed_at = NEW.changed_at
         WHERE number = OLD.number;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER write_parcel INSTEAD OF INSERT OR UPDATE ON parcel
    FOR EACH ROW EXECUTE FUNCTION write_parcel();

-- What a batch needs of the rows that it locks, documents as bytes whoever wrote them.
CREATE TYPE locked_order AS (order_id uuid, document bytea, applied bytea, told jsonb);
CREATE TYPE locked_parcel AS (number text, document bytea);

-- All that a batch locks and reads, in one round trip, as lock_batch did (0004 and 0006 say why each
-- statement is as it is).
CREATE FUNCTION lock_rows(
    shops text[], kinds text[], reference_values text[],  -- Names of orders, pairwise.
    numbers text[],                                       -- Normalised tracking numbers.
    ids uuid[],                                           -- Of orders that are named by id.
    awaited text[],                                       -- What items may wait for.
    is_final boolean,
    OUT waits waiting[],
    OUT tracked locked_parcel[],
    OUT named reference[],
    OUT stored locked_order[],
    OUT is_contended boolean,
    OUT is_any_parked boolean
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
    before bigint[];
    owned uuid[];
BEGIN
    SELECT array_agg(item::waiting ORDER BY item.id), array_agg(item.id ORDER BY item.id)
      INTO waits, before
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    IF before IS NOT NULL AND NOT is_final THEN
        RETURN;
    END IF;

    WITH locked AS MATERIALIZED (
        SELECT number, document, old_document, owners
          FROM stored_parcel WHERE number = ANY (numbers) ORDER BY number FOR UPDATE
    )
    SELECT (SELECT array_agg(ROW(
                number, coalesce(document, convert_to(old_document::text, 'UTF8'))
            )::locked_parcel) FROM locked),
           (SELECT array_agg(owner) FROM locked, unnest(coalesce(owners, ARRAY (
                SELECT (owner ->> 'order_id')::uuid
                  FROM jsonb_array_elements(old_document -> 'owners') AS owner
            ))) AS owner)
      INTO tracked, owned;

    SELECT array_agg(locked::reference)
      INTO named
      FROM (SELECT reference.*
              FROM reference
              JOIN unnest(shops, kinds, reference_values) AS wanted(shop, kind, value)
                ON reference.shop = wanted.shop AND reference.kind = wanted.kind
               AND reference.value = wanted.value
             ORDER BY reference.shop, reference.kind, reference.value
               FOR UPDATE OF reference) AS locked;

    ids := ids || ARRAY (SELECT order_id FROM unnest(named) WHERE order_id IS NOT NULL) || owned;
    SELECT array_agg(ROW(
               order_id, coalesce(document, convert_to(old_document::text, 'UTF8')), applied, told
           )::locked_order)
      INTO stored
      FROM (SELECT order_id, document, old_document, applied, told
              FROM stored_order WHERE order_id = ANY (ids) ORDER BY order_id FOR UPDATE) AS locked;

    SELECT array_agg(item::waiting ORDER BY item.id),
           array_agg(item.id ORDER BY item.id) IS DISTINCT FROM before
      INTO waits, is_contended
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;

    PERFORM FROM parked ORDER BY id, nth LIMIT 1;
    is_any_parked := FOUND;
END
$$;

-- lock_batch for the version before, on the views: its rows are of the tables' types, which the
-- views now have. Its body is that of 0006.
DROP FUNCTION lock_batch(text[], text[], text[], text[], uuid[], text[], boolean);
CREATE FUNCTION lock_batch(
    shops text[], kinds text[], reference_values text[],  -- Names of orders, pairwise.
    numbers text[],                                       -- Normalised tracking numbers.
    ids uuid[],                                           -- Of orders that are named by id.
    awaited text[],                                       -- What items may wait for.
    is_final boolean,
    OUT waits waiting[],
    OUT tracked parcel[],
    OUT named reference[],
    OUT stored shop_order[],
    OUT is_contended boolean,
    OUT is_any_parked boolean
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
-- Planned once a session, and by index whatever the tables' sizes were then: planned for each batch
-- it takes twice as long. No other join than the one that looks each name up.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
    before bigint[];
BEGIN
    SELECT array_agg(item::waiting ORDER BY item.id), array_agg(item.id ORDER BY item.id)
      INTO waits, before
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;
    IF before IS NOT NULL AND NOT is_final THEN
        RETURN;
    END IF;

    SELECT array_agg(locked::parcel)
      INTO tracked
      FROM (SELECT * FROM parcel WHERE number = ANY (numbers) ORDER BY number FOR UPDATE) AS locked;

    SELECT array_agg(locked::reference)
      INTO named
      FROM (SELECT reference.*
              FROM reference
              JOIN unnest(shops, kinds, reference_values) AS wanted(shop, kind, value)
                ON reference.shop = wanted.shop AND reference.kind = wanted.kind
               AND reference.value = wanted.value
             ORDER BY reference.shop, reference.kind, reference.value
               FOR UPDATE OF reference) AS locked;

    ids := ids || ARRAY (SELECT order_id FROM unnest(named) WHERE order_id IS NOT NULL)
               || ARRAY (SELECT (owner ->> 'order_id')::uuid
                           FROM unnest(tracked) AS owned,
                                jsonb_array_elements(owned.document -> 'owners') AS owner);
    SELECT array_agg(locked::shop_order)
      INTO stored
      FROM (SELECT * FROM shop_order WHERE order_id = ANY (ids) ORDER BY order_id FOR UPDATE)
        AS locked;

    SELECT array_agg(item::waiting ORDER BY item.id),
           array_agg(item.id ORDER BY item.id) IS DISTINCT FROM before
      INTO waits, is_contended
      FROM (SELECT * FROM waiting WHERE waits_for = ANY (awaited) ORDER BY id + 0 FOR UPDATE)
           AS item;

    PERFORM FROM parked ORDER BY id, nth LIMIT 1;
    is_any_parked := FOUND;
END
$$;
