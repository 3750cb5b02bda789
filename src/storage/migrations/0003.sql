-- A member may pause being recognised; people of the shop sign in; "not this person" is kept as a score
-- for whoever reviews the threshold, without the member once that member is erased.
ALTER TABLE members ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));

CREATE TRIGGER gallery_member_paused AFTER UPDATE OF paused ON members
BEGIN UPDATE revisions SET count = count + 1 WHERE what = 'gallery'; END;

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('staff', 'admin')),
    secret TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    zone TEXT NOT NULL,
    member INTEGER REFERENCES members (id) ON DELETE SET NULL,
    score REAL,
    votes INTEGER NOT NULL
) STRICT;
