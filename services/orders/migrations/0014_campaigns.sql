-- Campaigns, discounts and AB tests of shops, and which orders they may concern (decision 0193).

-- One row for each shop that has named any: a batch reads one row a shop.
CREATE TABLE campaign_book (
    shop text PRIMARY KEY,
    digest bigint NOT NULL,    -- Of the document: a process keeps the books that it has decoded.
    document bytea NOT NULL,
    sequence bigint NOT NULL
);
COMMENT ON COLUMN campaign_book.document IS 'UTF-8 JSON: all campaigns and tests, without what pages show';
COMMENT ON COLUMN campaign_book.sequence IS 'Number of the last event of the shop on campaigns.events';

-- Each campaign, discount and test whole.
CREATE TABLE campaign_entry (
    shop text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('campaign', 'discount', 'ab_test')),
    entry_id text NOT NULL,
    code text,
    document bytea NOT NULL,   -- UTF-8 JSON.
    next_change_at timestamptz,
    PRIMARY KEY (shop, kind, entry_id)
);
COMMENT ON COLUMN campaign_entry.code IS 'Of a discount: its code, compared without regard to case';
COMMENT ON COLUMN campaign_entry.next_change_at IS 'When a campaign begins or ends by time, if an event follows then';
CREATE INDEX campaign_entry_by_code ON campaign_entry (shop, code) WHERE code IS NOT NULL;
CREATE INDEX campaign_entry_by_change ON campaign_entry (next_change_at)
    WHERE next_change_at IS NOT NULL;

-- The last time of an order at which campaigns matter; orders of shops with a book alone.
CREATE TABLE campaign_order (
    order_id uuid PRIMARY KEY,
    shop text NOT NULL,
    at timestamptz NOT NULL,
    has_contact boolean NOT NULL
) WITH (fillfactor = 90);
COMMENT ON COLUMN campaign_order.at IS 'When it was placed, or its first parcel attached if that is later';
COMMENT ON COLUMN campaign_order.has_contact IS 'Whether it names a campaign, or a code that may be of one';
CREATE INDEX campaign_order_by_time ON campaign_order (shop, at, order_id);
CREATE INDEX campaign_order_with_contact ON campaign_order (shop, at, order_id) WHERE has_contact;

-- Orders to choose and credit again, page by page.
CREATE TABLE campaign_review (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop text NOT NULL,
    since timestamptz,
    only_contacts boolean NOT NULL,
    after_at timestamptz,      -- The last order of the page before: its time, none where `since` is null,
    after_id uuid,             -- and its id; null before the first page.
    causation_id text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    turn_at timestamptz NOT NULL DEFAULT clock_timestamp()  -- The earliest is next.
);
COMMENT ON COLUMN campaign_review.only_contacts IS 'Whether only orders with a contact are concerned';
COMMENT ON COLUMN campaign_review.since IS 'Orders of this time or later; null: all stored orders of the shop, which have no row in campaign_order yet';
CREATE INDEX campaign_review_by_shop ON campaign_review (shop, id);
CREATE INDEX campaign_review_by_turn ON campaign_review (turn_at, id);

CREATE TYPE locked_book AS (shop text, digest bigint, document bytea, sequence bigint);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings
                WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE campaign_book ALTER COLUMN document SET COMPRESSION lz4;
        ALTER TABLE campaign_entry ALTER COLUMN document SET COMPRESSION lz4;
    END IF;
END
$$;
