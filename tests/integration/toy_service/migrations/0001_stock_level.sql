-- One row for each article.
CREATE TABLE stock_level (
    sku text PRIMARY KEY,
    level integer NOT NULL CHECK (level >= 0)
);
