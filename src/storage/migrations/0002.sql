-- When a product first stood in a catalogue (absent: before this was kept), and how likely the rules
-- were to put a product in its place.
ALTER TABLE products ADD COLUMN first_listed INTEGER;
ALTER TABLE slate_items ADD COLUMN propensity REAL NOT NULL DEFAULT 1
    CHECK (propensity > 0 AND propensity <= 1);
