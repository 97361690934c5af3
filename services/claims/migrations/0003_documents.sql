-- Copies of orders as bytes: a batch only carries them, and as jsonb each is parsed and written out
-- again by Postgres (decision 0102). No row is rewritten here: a copy is converted when an event of
-- its order is next taken in. One table is locked, for the catalogue's changes alone.

ALTER TABLE order_copy
    ADD COLUMN document bytea,
    ADD COLUMN lines_cut boolean,
    DROP CONSTRAINT order_copy_check,
    ADD CONSTRAINT order_copy_check CHECK (
        (order_version = 0) = (context IS NULL AND document IS NULL)
        AND (order_version = 0) = (shop IS NULL)
        AND (context IS NULL OR document IS NULL)
    ) NOT VALID;  -- Rows that are there keep to it: all have no document.
COMMENT ON COLUMN order_copy.document IS
    'UTF-8 JSON: order, customer and shipments as received; null at version 0 and beside context';
COMMENT ON COLUMN order_copy.context IS 'The same, as the version before wrote it; null otherwise';
COMMENT ON COLUMN order_copy.lines_cut IS
    'Whether the newest event left out the lines. Who inserts without it is of the version before';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings
                WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE order_copy ALTER COLUMN document SET COMPRESSION lz4;
    END IF;
END
$$;

-- For people who look by hand.
CREATE VIEW readable_order_copy AS
SELECT order_id, shop, order_version,
       coalesce(context, convert_from(document, 'UTF8')::jsonb) AS context,
       claim_sequence, is_whole, updated_at
  FROM order_copy;

-- A snapshot whose lines were cut, with the lines of the copy before it (null: there was none).
CREATE FUNCTION with_lines_of(known jsonb, snapshot jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_set(snapshot, '{order,products}', coalesce(known #> '{order,products}', '[]'));

-- Beside the version before. It names each order in an INSERT into order_copy, whose conflict locks
-- the row, before it reads the row's context. So what it names is noted row by row, and at the end
-- of its statement those rows, which it has locked, get their context back.
CREATE FUNCTION note_asked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM set_config('claims.asked',
                       concat(current_setting('claims.asked', true), NEW.order_id, ','), true);
    RETURN NEW;
END
$$;
CREATE TRIGGER note_asked BEFORE INSERT ON order_copy
    FOR EACH ROW WHEN (NEW.lines_cut IS NULL) EXECUTE FUNCTION note_asked();

CREATE FUNCTION give_contexts_back() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    asked text := current_setting('claims.asked', true);
BEGIN
    IF asked <> '' THEN
        PERFORM set_config('claims.asked', '', true);
        UPDATE order_copy
           SET context = convert_from(document, 'UTF8')::jsonb, document = NULL
         WHERE order_id = ANY (string_to_array(rtrim(asked, ','), ',')::uuid[])
           AND document IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER give_contexts_back AFTER INSERT ON order_copy
    FOR EACH STATEMENT EXECUTE FUNCTION give_contexts_back();

-- Its newer copy takes the place of a document; lines that were cut come from that document.
CREATE FUNCTION replace_document() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    NEW.document := NULL;
    IF NEW.context @> '{"lines_cut": true}' THEN
        NEW.context := with_lines_of(convert_from(OLD.document, 'UTF8')::jsonb, NEW.context);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER replace_document BEFORE UPDATE ON order_copy
    FOR EACH ROW WHEN (OLD.document IS NOT NULL AND NEW.context IS NOT NULL)
    EXECUTE FUNCTION replace_document();
