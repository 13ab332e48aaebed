-- What filters of lists are answered from: closed decisions in volumes, in the order in which they closed; built behind
-- the commits. Those that closed since the last volume are found by this index, which only ever grows at its end.
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

-- A filter over what is parked reads an index alone; bodies and payloads lie in the table.
DROP INDEX parked_by_id;

CREATE INDEX parked_by_id ON parked (id, kind, tenant, source, key, parent, received_us);
