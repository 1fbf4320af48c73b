-- Who did what when. Users and events are pseudonyms (keyed hashes); the key lies elsewhere.

CREATE TABLE events (
    place INTEGER PRIMARY KEY,  -- order of arrival
    id BLOB NOT NULL UNIQUE,
    user BLOB NOT NULL,
    item TEXT NOT NULL,
    at REAL NOT NULL            -- seconds since 1970
);

CREATE INDEX histories ON events (user, at, place, item);

CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
