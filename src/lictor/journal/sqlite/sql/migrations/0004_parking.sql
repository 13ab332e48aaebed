-- `parked` is from now on what its name says; what it was, the births of old open decisions, is called that.
CREATE TABLE births (
    id        INTEGER PRIMARY KEY,
    admit_seq INTEGER NOT NULL
) STRICT;

INSERT INTO births (id, admit_seq) SELECT id, admit_seq FROM parked;

DROP TABLE parked;

UPDATE meta SET name = 'births_to' WHERE name = 'parked_to';

-- Admitted decisions that have not begun and are not in memory, with the fact that they follow from.
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

CREATE UNIQUE INDEX parked_by_id ON parked (id);

CREATE INDEX parked_by_queue ON parked (effector, priority, tenant, deadline_us);
