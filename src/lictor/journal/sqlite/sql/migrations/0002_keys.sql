-- The index of keys, in segments rolled by time, so that its cost does not grow with history.
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
