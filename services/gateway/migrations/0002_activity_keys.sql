-- Keys that may send activity of a shop's tracking pages, and nothing else.
ALTER TABLE api_key
    DROP CONSTRAINT api_key_kind_check,
    ADD CONSTRAINT api_key_kind_check CHECK (kind IN ('shop', 'carrier', 'activity'));
