-- What the migrations amount to, for people to read; tests/journal/sqlite/test_migrations.py holds it to them.

CREATE TABLE commits (
    first_seq INTEGER PRIMARY KEY,   -- position of its first fact; positions have no gaps
    id        INTEGER NOT NULL,      -- 1, 2, 3, ...
    at_us     INTEGER NOT NULL,      -- never below the one before
    epoch     INTEGER NOT NULL,      -- of the node that wrote it
    count     INTEGER NOT NULL,      -- facts
    chain     BLOB NOT NULL,         -- SHA-256(chain of the one before || leaves)
    leaves    BLOB NOT NULL,         -- 32 bytes a fact, kept when its bytes are archived
    ends      BLOB NOT NULL,         -- msgpack [[ordinal, decision, source or nil where it was refused], ...]: what became terminal
    keys      BLOB NOT NULL,         -- 56 bytes a key bound: digest of tenant, source and key; decision; digest of its content
    facts     BLOB,                  -- msgpack [[event, decision or nil, body], ...]; NULL once archived
    payloads  BLOB                   -- msgpack [nil | [salt, payload] | [digest of an erased one], ...]; NULL once archived
) STRICT;

CREATE TABLE decisions (
    id          INTEGER PRIMARY KEY,
    admit_seq   INTEGER NOT NULL,    -- its first fact
    close_seq   INTEGER NOT NULL,    -- its last one
    state       TEXT NOT NULL,
    code        TEXT,
    kind        TEXT NOT NULL,
    tenant      TEXT NOT NULL,
    source      TEXT NOT NULL,
    key         TEXT,
    order_key   TEXT,
    priority    INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    deadline_us INTEGER NOT NULL,
    closed_us   INTEGER NOT NULL,
    parent      INTEGER
) STRICT;

CREATE TABLE births (
    id        INTEGER PRIMARY KEY,
    admit_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE steps (
    decision INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (decision, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE limits (
    budget    TEXT NOT NULL,
    scope     TEXT NOT NULL,
    value     TEXT NOT NULL,         -- amounts are decimal text
    window_us INTEGER,
    latched   INTEGER NOT NULL,
    PRIMARY KEY (budget, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE balances (
    budget   TEXT NOT NULL,
    scope    TEXT NOT NULL,
    window   INTEGER NOT NULL,       -- its start; -1 where the budget has no windows
    settled  TEXT NOT NULL,
    reserved TEXT NOT NULL,
    PRIMARY KEY (budget, scope, window)
) STRICT, WITHOUT ROWID;

CREATE TABLE current (
    what    TEXT NOT NULL,
    name    TEXT NOT NULL,
    subject TEXT NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (what, name, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
    name    TEXT NOT NULL,
    version TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
    tenant TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (tenant, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key_segments (
    id        INTEGER PRIMARY KEY,
    last_seq  INTEGER NOT NULL,      -- the youngest commit that bound a key in it
    newest_us INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    sieve     BLOB                   -- a bit for each hash that occurs; NULL while it still fills
) STRICT;

CREATE TABLE keys (
    segment  INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    decision INTEGER NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (segment, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_shelves (
    id      INTEGER PRIMARY KEY,     -- its first segment
    through INTEGER NOT NULL,        -- the last segment that is in the sieve
    sieve   BLOB NOT NULL
) STRICT;

CREATE TABLE parked (
    admit_seq   INTEGER PRIMARY KEY,
    id          INTEGER NOT NULL,
    effector    TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    tenant      TEXT NOT NULL,
    deadline_us INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    source      TEXT NOT NULL,
    key         TEXT,
    order_key   TEXT,
    received_us INTEGER NOT NULL,
    parent      INTEGER,
    body        BLOB NOT NULL,
    payload     BLOB NOT NULL
) STRICT;

CREATE INDEX parked_by_queue ON parked (effector, priority, tenant, deadline_us);

CREATE TABLE spans (
    level  INTEGER NOT NULL,         -- a span of this level is over 256 ** level facts
    number INTEGER NOT NULL,         -- 0, 1, 2, ...
    hash   BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY,
    size   INTEGER NOT NULL,         -- the facts that it covers
    at_us  INTEGER NOT NULL,         -- when it was signed
    note   TEXT NOT NULL             -- as it was signed
) STRICT;

CREATE INDEX checkpoints_by_size ON checkpoints (size);

CREATE INDEX checkpoints_of_keys ON checkpoints (number) WHERE instr(note, char(10) || 'was ') > 0;

CREATE INDEX decisions_by_close ON decisions (close_seq);

CREATE TABLE volumes (
    number      INTEGER PRIMARY KEY,
    first_seq   INTEGER NOT NULL,    -- of its first decision's last fact
    last_seq    INTEGER NOT NULL,    -- of its last decision's
    earliest_us INTEGER NOT NULL,    -- when its decisions were received, at the least
    latest_us   INTEGER NOT NULL,    -- and at the most
    ids         BLOB NOT NULL,       -- 8 bytes a decision, ascending: its place is its position here
    keys        BLOB NOT NULL        -- 4 bytes of hash a decision
) STRICT;

CREATE TABLE lists (
    volume INTEGER NOT NULL,
    field  INTEGER NOT NULL,
    value  ANY NOT NULL,
    places BLOB NOT NULL,            -- of the decisions that have it: a bit each, or 2 bytes each where they are few
    PRIMARY KEY (volume, field, value)
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_by_id ON parked (id, kind, tenant, source, key, parent, received_us);
