-- What a batch reads of the campaigns of its shops, in one round trip, after it has locked all else.
-- Shops are locked until the end of the transaction, in groups of 256: together by batches of orders,
-- alone by a batch with commands of campaigns. So no order is chosen for by a book that is older than
-- a change which has committed before, and the review of a change finds every order. Without a book
-- nothing but the locks is taken.
CREATE FUNCTION lock_books(
    shops text[], changing boolean[], known bigint[],  -- And digests of known documents; pairwise.
    code_shops text[], codes text[],                   -- Codes of discounts, pairwise.
    entry_shops text[], kinds text[], ids text[],      -- Entries by name, pairwise.
    OUT books locked_book[],
    OUT entries bytea[]
) LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_mergejoin = off SET enable_hashjoin = off AS $$
DECLARE
    group_lock record;
BEGIN
    FOR group_lock IN
        SELECT hashtext(shop) & 255 AS key, bool_or(is_changing) AS is_alone
          FROM unnest(shops, changing) AS each(shop, is_changing)
         GROUP BY 1
         ORDER BY 1
    LOOP
        IF group_lock.is_alone THEN
            PERFORM pg_advisory_xact_lock(1128353104, group_lock.key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(1128353104, group_lock.key);
        END IF;
    END LOOP;

    SELECT array_agg(ROW(
               book.shop, book.digest,
               CASE WHEN book.digest IS DISTINCT FROM wanted.digest THEN book.document END,
               book.sequence
           )::locked_book)
      INTO books
      FROM unnest(shops, known) AS wanted(shop, digest)
      JOIN campaign_book AS book ON book.shop = wanted.shop;
    IF books IS NULL THEN
        RETURN;
    END IF;

    SELECT array_agg(found.document)
      INTO entries
      FROM (SELECT entry.document
              FROM unnest(entry_shops, kinds, ids) AS wanted(shop, kind, entry_id)
              JOIN campaign_entry AS entry
                ON entry.shop = wanted.shop AND entry.kind = wanted.kind
               AND entry.entry_id = wanted.entry_id
             UNION
            SELECT entry.document
              FROM unnest(code_shops, codes) AS wanted(shop, code)
              JOIN campaign_entry AS entry
                ON entry.shop = wanted.shop AND entry.code = wanted.code) AS found;
END
$$;
