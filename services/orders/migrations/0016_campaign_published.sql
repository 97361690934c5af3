-- What was published of shops on campaigns.events after the time the database was restored to: written
-- by `orderflow recall`, read by batches with commands of campaigns (docs/decisions/0193).
CREATE TABLE campaign_published (
    shop text PRIMARY KEY,
    sequence bigint NOT NULL,
    events bigint[] NOT NULL
);
COMMENT ON COLUMN campaign_published.sequence IS 'The highest number that was published';
COMMENT ON COLUMN campaign_published.events IS 'Digests of the ids of the published events above the stored number';
