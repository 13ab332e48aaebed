-- The Merkle tree over all facts: hashes of whole spans, from which all others are made; built behind the commits.
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

-- Those at which one key handed over to another: who checks needs them all.
CREATE INDEX checkpoints_of_keys ON checkpoints (number) WHERE instr(note, char(10) || 'was ') > 0;
