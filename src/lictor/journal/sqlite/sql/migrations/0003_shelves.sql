-- Segments became small, so that each is written in order from end to end; a shelf of them shares one sieve.
CREATE TABLE key_shelves (
    id    INTEGER PRIMARY KEY,
    sieve BLOB NOT NULL
) STRICT;
