-- The first schema. Times are UTC, Unix milliseconds; money is in the currency's smallest unit.

PRAGMA application_id = 1936156516;

-- What changes here tells a running daemon to read the gallery or the catalogue again.
CREATE TABLE revisions (what TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO revisions VALUES ('gallery', 0), ('catalogue', 0);

-- A product that no catalogue named yet, but a receipt did, has listed = 0 and is never suggested.
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    category TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(category)),
    brand TEXT,
    price INTEGER NOT NULL CHECK (price >= 0),
    attributes TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(attributes)),
    stock INTEGER,
    place TEXT,
    withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn IN (0, 1)),
    age_restricted INTEGER NOT NULL DEFAULT 0 CHECK (age_restricted IN (0, 1)),
    sensitive INTEGER NOT NULL DEFAULT 0 CHECK (sensitive IN (0, 1)),
    listed INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1))
) STRICT;

-- Ids are given out by the key database and never twice. Name and contact are sealed.
CREATE TABLE members (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    alias TEXT NOT NULL UNIQUE,
    joined INTEGER NOT NULL,
    name BLOB,
    contact BLOB
) STRICT;

CREATE TABLE consent_texts (version TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE consents (
    id INTEGER PRIMARY KEY,
    member INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    scope TEXT NOT NULL CHECK (scope IN ('card', 'face')),
    version TEXT NOT NULL REFERENCES consent_texts (version),
    reference TEXT NOT NULL,
    action TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_by_member ON consents (member, scope);

CREATE TABLE templates (
    id INTEGER PRIMARY KEY,
    member INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    model TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX templates_by_member ON templates (member);

CREATE TRIGGER template_needs_consent BEFORE INSERT ON templates
WHEN NOT EXISTS (SELECT 1 FROM consents WHERE member = NEW.member AND scope = 'face')
BEGIN SELECT RAISE(ABORT, 'no consent to a template'); END;

-- receipt is the till's number; digest is of time and lines. A return has negative quantities.
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY,
    receipt TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    member INTEGER REFERENCES members (id) ON DELETE SET NULL,
    source TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE INDEX receipts_by_member ON receipts (member, at) WHERE member IS NOT NULL;
CREATE INDEX receipts_by_time ON receipts (at);

CREATE TABLE lines (
    receipt INTEGER NOT NULL REFERENCES receipts (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    product INTEGER NOT NULL REFERENCES products (id),
    quantity REAL NOT NULL CHECK (quantity <> 0),
    unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (receipt, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE visits (
    id INTEGER PRIMARY KEY,
    member INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    zone TEXT NOT NULL,
    entered INTEGER NOT NULL,
    left INTEGER CHECK (left >= entered)
) STRICT;
CREATE INDEX visits_by_member ON visits (member, entered);
CREATE INDEX visits_by_time ON visits (entered);

CREATE TABLE views (
    id INTEGER PRIMARY KEY,
    member INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    product INTEGER NOT NULL REFERENCES products (id),
    at INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL CHECK (milliseconds >= 0)
) STRICT;
CREATE INDEX views_by_member ON views (member, at);
CREATE INDEX views_by_time ON views (at);

-- member is present exactly in personal slates.
CREATE TABLE slates (
    id TEXT PRIMARY KEY,
    display TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    member INTEGER REFERENCES members (id) ON DELETE CASCADE,
    visit INTEGER REFERENCES visits (id) ON DELETE SET NULL,
    made INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    captured INTEGER
) STRICT;
CREATE INDEX slates_by_member ON slates (member, made) WHERE member IS NOT NULL;
CREATE INDEX slates_by_visit ON slates (visit) WHERE visit IS NOT NULL;
CREATE INDEX slates_by_time ON slates (made);

CREATE TABLE slate_items (
    slate TEXT NOT NULL REFERENCES slates (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    product INTEGER NOT NULL REFERENCES products (id),
    score REAL NOT NULL,
    reason TEXT NOT NULL CHECK (json_valid(reason)),
    PRIMARY KEY (slate, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE impressions (
    slate TEXT PRIMARY KEY REFERENCES slates (id) ON DELETE CASCADE,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- product 0 stands for the slate as a whole.
CREATE TABLE outcomes (
    slate TEXT NOT NULL REFERENCES slates (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('taken', 'dismissed', 'bought')),
    product INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (slate, kind, product)
) STRICT, WITHOUT ROWID;

-- Only grows. member is a number only: entries outlive the member they are about.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('enrol', 'erase', 'view', 'export', 'login', 'restore')),
    member INTEGER,
    detail TEXT NOT NULL,
    link BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END;

-- How far back data has been expired.
CREATE TABLE retention (one INTEGER PRIMARY KEY CHECK (one = 1), until INTEGER NOT NULL) STRICT;

CREATE TRIGGER gallery_template_added AFTER INSERT ON templates
BEGIN UPDATE revisions SET count = count + 1 WHERE what = 'gallery'; END;
CREATE TRIGGER gallery_template_gone AFTER DELETE ON templates
BEGIN UPDATE revisions SET count = count + 1 WHERE what = 'gallery'; END;
CREATE TRIGGER gallery_member_gone AFTER DELETE ON members
BEGIN UPDATE revisions SET count = count + 1 WHERE what = 'gallery'; END;
CREATE TRIGGER catalogue_product_added AFTER INSERT ON products
BEGIN UPDATE revisions SET count = count + 1 WHERE what = 'catalogue'; END;
CREATE TRIGGER catalogue_product_changed AFTER UPDATE ON products
BEGIN UPDATE revisions SET count = count + 1 WHERE what = 'catalogue'; END;
