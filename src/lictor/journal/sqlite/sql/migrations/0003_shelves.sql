-- Segments became small, so that each is written in order from end to end; a shelf of them shares one sieve.
CREATE TABLE key_shelves (
    id      INTEGER PRIMARY KEY,     -- its first segment
    through INTEGER NOT NULL,        -- the last segment that is in the sieve
    sieve   BLOB NOT NULL
) STRICT;
