-- What was asked, what came back, and what it cost. Money is in picos: trillionths of the prices' currency.

CREATE TABLE questions (
    key TEXT PRIMARY KEY,       -- SHA-256 of endpoint and request
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,      -- the body as it is sent
    state TEXT NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sent', 'received', 'parsed')),
    owner TEXT,                 -- who is asking just now; a dead owner asks no more
    answer TEXT REFERENCES attempts
) WITHOUT ROWID;

CREATE TABLE batches (
    key TEXT PRIMARY KEY,       -- ours; the endpoint keeps it in the batch's metadata
    endpoint TEXT NOT NULL,
    owner TEXT,                 -- who waits for it; none, or a dead one: whoever comes next adopts it
    remote TEXT,                -- the endpoint's name for it, once known
    made_at REAL NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE attempts (
    id TEXT PRIMARY KEY,        -- sent along as X-Client-Request-Id
    key TEXT NOT NULL REFERENCES questions,
    account TEXT NOT NULL,      -- on whose budget
    batch TEXT REFERENCES batches,
    ending TEXT NOT NULL DEFAULT 'open' CHECK (ending IN ('open', 'answered', 'failed', 'lost', 'unsent')),
    sent_at REAL NOT NULL,
    received_at REAL,
    status INTEGER,             -- of HTTP
    body BLOB,                  -- the raw answer; of an attempt without one, why there is none
    calls INTEGER NOT NULL,     -- what it is booked at: its worst case until the endpoint said what it cost
    tokens INTEGER NOT NULL,
    picos INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,  -- whether the endpoint said it
    prompt_tokens INTEGER,
    completion_tokens INTEGER
) WITHOUT ROWID;

CREATE INDEX questions_under_way ON questions (owner) WHERE state = 'sent';
CREATE INDEX attempts_of_question ON attempts (key);
CREATE INDEX attempts_of_batch ON attempts (batch) WHERE batch IS NOT NULL;

CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    calls INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    picos INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What an account has spent is the sum of its attempts, kept so by the database itself.
CREATE TRIGGER booked AFTER INSERT ON attempts BEGIN
    INSERT OR IGNORE INTO accounts (name) VALUES (new.account);
    UPDATE accounts SET calls = calls + new.calls, tokens = tokens + new.tokens, picos = picos + new.picos
    WHERE name = new.account;
END;

CREATE TRIGGER rebooked AFTER UPDATE OF calls, tokens, picos ON attempts BEGIN
    UPDATE accounts SET
        calls = calls + new.calls - old.calls,
        tokens = tokens + new.tokens - old.tokens,
        picos = picos + new.picos - old.picos
    WHERE name = new.account;
END;
