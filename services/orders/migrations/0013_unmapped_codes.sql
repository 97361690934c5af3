-- The codes of carriers that no code map has, for `orderflow carriers unmapped`: at most 10,000.
CREATE TABLE unmapped_code (
    code_set text NOT NULL,  -- The set that was looked into: a carrier's key or a dialect's name.
    name text NOT NULL,      -- What the sender calls the scan; empty for none.
    code text NOT NULL,      -- The carrier's own code; empty for none.
    scans bigint NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    sample_number text NOT NULL,  -- A tracking number whose carrier said the code last.
    sample_text text,             -- The carrier's words beside it.
    PRIMARY KEY (code_set, name, code)
);
COMMENT ON COLUMN unmapped_code.scans IS 'Scans with the code that were new to a shipment';
COMMENT ON COLUMN unmapped_code.first_seen IS 'Business time at which the first was recorded';
