-- What visitors of orders' pages see and click. Nothing here can be read again once its topic no
-- longer has it, so a rebuild leaves it.

-- Counters by campaign and part of the page, in stripes as those of sales. '': no campaign.
CREATE TABLE campaign_activity (
    shop text NOT NULL,
    campaign_id text NOT NULL,
    widget text NOT NULL,
    seen_on date NOT NULL,  -- In UTC.
    stripe smallint NOT NULL,
    impressions bigint NOT NULL,
    clicks bigint NOT NULL,
    sessions bigint NOT NULL,  -- Visits that had some of these on this day.
    PRIMARY KEY (shop, campaign_id, widget, seen_on, stripe)
) WITH (fillfactor = 50);

-- Visits, by the digest of their session, and the orders whose pages were opened in them.
CREATE TABLE page_visit (
    session uuid NOT NULL,
    order_id uuid NOT NULL,
    shop text NOT NULL,
    seen_on date NOT NULL,  -- The first day of it, in UTC.
    PRIMARY KEY (session, order_id)
);
CREATE INDEX page_visit_by_order ON page_visit (order_id);

-- Orders that a visit led to, and orders that are in a test: few of all, read by reports.
CREATE INDEX order_fact_with_sessions ON order_fact (shop, placed_on) WHERE sessions IS NOT NULL;
CREATE INDEX order_fact_in_test ON order_fact (shop, test_id) WHERE test_id IS NOT NULL;
