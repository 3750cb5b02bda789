-- What a member declares of themselves, sealed. A view is of a category: a camera sees before which shelf
-- somebody stands, and not which of its products they look at.
-- Only who agreed to a text that says so has views.
ALTER TABLE members ADD COLUMN facts BLOB;
ALTER TABLE consent_texts ADD COLUMN views INTEGER NOT NULL DEFAULT 0 CHECK (views IN (0, 1));

CREATE TABLE looks (
    id INTEGER PRIMARY KEY,
    member INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    category TEXT NOT NULL,
    at INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL CHECK (milliseconds >= 0)
) STRICT;
INSERT INTO looks (member, category, at, milliseconds)
    SELECT v.member, json_extract(p.category, '$[#-1]'), v.at, v.milliseconds
    FROM views v JOIN products p ON p.id = v.product WHERE json_array_length(p.category) > 0;
DROP TABLE views;
ALTER TABLE looks RENAME TO views;
CREATE INDEX views_by_member ON views (member, at);
CREATE INDEX views_by_time ON views (at);

CREATE TRIGGER view_needs_consent BEFORE INSERT ON views
WHEN NOT EXISTS (
    SELECT 1 FROM consents c JOIN consent_texts t ON t.version = c.version WHERE c.member = NEW.member AND t.views = 1
)
BEGIN SELECT RAISE(ABORT, 'no consent to views'); END;
