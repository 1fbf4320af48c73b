-- What was last said of an item; `place` grows with every change, so that servers of one file see what is new.

CREATE TABLE items (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    item TEXT NOT NULL UNIQUE,
    entry BLOB NOT NULL         -- JSON (`contract.Entry`)
);
