-- name: add_commit
INSERT INTO commits (first_seq, id, at_us, epoch, count, chain, leaves, ends, keys, facts, payloads)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: add_decision
INSERT INTO decisions (id, admit_seq, close_seq, state, code, kind, tenant, source, key, order_key, priority,
                       received_us, deadline_us, closed_us, parent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: add_birth
INSERT OR IGNORE INTO births (id, admit_seq) VALUES (?, ?);
-- name: drop_birth
DELETE FROM births WHERE id = ?;
-- name: park
INSERT INTO parked (admit_seq, id, effector, priority, tenant, deadline_us, kind, source, key, order_key, received_us,
                    parent, body, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: unpark
DELETE FROM parked WHERE admit_seq = ?;
-- name: add_step
INSERT OR IGNORE INTO steps (decision, seq) VALUES (?, ?);
-- name: put_limit
INSERT INTO limits (budget, scope, value, window_us, latched) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (budget, scope) DO UPDATE SET value = excluded.value, window_us = excluded.window_us, latched = excluded.latched;
-- name: put_balance
INSERT INTO balances (budget, scope, window, settled, reserved) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (budget, scope, window) DO UPDATE SET settled = excluded.settled, reserved = excluded.reserved;
-- name: clear_balance
DELETE FROM balances WHERE budget = ? AND scope = ?;
-- name: put_current
INSERT INTO current (what, name, subject, body) VALUES (?, ?, ?, ?)
ON CONFLICT (what, name, subject) DO UPDATE SET body = excluded.body;
-- name: drop_current
DELETE FROM current WHERE what = ? AND name = ? AND subject = ?;
-- name: add_version
INSERT OR IGNORE INTO versions (name, version, seq) VALUES (?, ?, ?);
-- name: add_source
INSERT OR IGNORE INTO sources (tenant, source) VALUES (?, ?);
-- name: set_meta
UPDATE meta SET value = ?2 WHERE name = ?1;
-- name: get_meta
SELECT value FROM meta WHERE name = ?;
-- name: last_commit
SELECT first_seq, id, at_us, count, chain FROM commits ORDER BY first_seq DESC LIMIT 1;
-- name: commit_at
SELECT first_seq, id, at_us, count, facts, payloads FROM commits WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1;
-- name: commits_from
SELECT first_seq, id, at_us, count, facts, payloads FROM commits WHERE first_seq >= ? ORDER BY first_seq;
-- name: births_from
SELECT first_seq, facts, ends FROM commits
WHERE first_seq >= (SELECT max(first_seq) FROM commits WHERE first_seq <= ?) ORDER BY first_seq;
-- name: ends_from
SELECT first_seq, at_us, count, ends, facts, payloads FROM commits WHERE first_seq >= ? AND ends <> x'90' ORDER BY first_seq;
-- name: keys_after
SELECT first_seq, at_us, keys FROM commits WHERE first_seq > ? AND keys <> x'' ORDER BY first_seq;
-- name: all_births
SELECT id, admit_seq FROM births;
-- name: count_parked
SELECT count(*) FROM parked;
-- name: oldest_parked
SELECT min(admit_seq) FROM parked;
-- name: parked
SELECT admit_seq, body, payload FROM parked WHERE id = ?;
-- name: parked_first
SELECT id, admit_seq, body, payload FROM parked
WHERE effector = ? AND priority = ? AND tenant = ? ORDER BY deadline_us, admit_seq;
-- name: parked_queues
SELECT effector, priority, tenant, count(*), min(deadline_us) FROM parked GROUP BY effector, priority, tenant;
-- name: parked_since
SELECT id, admit_seq FROM parked WHERE admit_seq >= ? ORDER BY admit_seq;
-- name: all_parked
SELECT id, admit_seq, body, payload FROM parked ORDER BY admit_seq;
-- name: parked_rows
SELECT id, kind, tenant, source, key, order_key, priority, 'admitted', NULL, received_us, deadline_us, NULL, parent
FROM parked
WHERE id IN (
    SELECT id FROM parked INDEXED BY parked_by_id
    WHERE id < ?1 AND (?2 IS NULL OR kind IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR tenant IN (SELECT value FROM json_each(?3)))
      AND (?4 IS NULL OR source IN (SELECT value FROM json_each(?4))) AND (?5 IS NULL OR key = ?5) AND (?6 IS NULL OR parent = ?6)
      AND received_us BETWEEN ?7 AND ?8
    ORDER BY id DESC LIMIT ?9)
ORDER BY id DESC;
-- name: audit_parked
SELECT admit_seq, id, effector, priority, tenant, deadline_us, kind, source, key, order_key, received_us, parent, body,
       payload
FROM parked;
-- name: steps_of
SELECT seq FROM steps WHERE decision = ? ORDER BY seq;
-- name: steps_of_births
SELECT seq FROM steps JOIN births ON births.id = steps.decision;
-- name: all_limits
SELECT budget, scope, value, window_us, latched FROM limits;
-- name: all_balances
SELECT budget, scope, window, settled, reserved FROM balances;
-- name: all_current
SELECT what, name, subject, body FROM current;
-- name: all_sources
SELECT tenant, source FROM sources;
-- name: decision
SELECT admit_seq, close_seq FROM decisions WHERE id = ?;
-- name: kind_and_key
SELECT kind, key FROM decisions WHERE id = ?;
-- name: decisions
SELECT id, kind, tenant, source, key, order_key, priority, state, code, received_us, deadline_us, closed_us, parent
FROM decisions WHERE id < ? ORDER BY id DESC LIMIT ?;
-- name: decision_row
SELECT id, kind, tenant, source, key, order_key, priority, state, code, received_us, deadline_us, closed_us, parent
FROM decisions WHERE id = ?;
-- name: closed_since
SELECT id, kind, tenant, source, key, order_key, priority, state, code, received_us, deadline_us, closed_us, parent
FROM decisions INDEXED BY decisions_by_close
WHERE close_seq > ?1 AND id < ?2 AND (?3 IS NULL OR state IN (SELECT value FROM json_each(?3)))
  AND (?4 IS NULL OR kind IN (SELECT value FROM json_each(?4))) AND (?5 IS NULL OR tenant IN (SELECT value FROM json_each(?5)))
  AND (?6 IS NULL OR source IN (SELECT value FROM json_each(?6))) AND (?7 IS NULL OR code IN (SELECT value FROM json_each(?7))) AND (?8 IS NULL OR key = ?8)
  AND (?9 IS NULL OR parent = ?9) AND received_us BETWEEN ?10 AND ?11
ORDER BY id DESC LIMIT ?12;
-- name: to_list
SELECT close_seq, id, received_us, key, state, kind, tenant, source, code, parent FROM decisions
WHERE close_seq > ? ORDER BY close_seq LIMIT ?;
-- name: count_to_list
SELECT count(*) FROM (SELECT 1 FROM decisions WHERE close_seq > ? LIMIT ?);
-- name: volumes
SELECT number, last_seq, earliest_us, latest_us, length(ids) / 8, substr(ids, 1, 8), substr(ids, -8) FROM volumes
WHERE number > ? ORDER BY number;
-- name: last_volume
SELECT number, last_seq FROM volumes ORDER BY number DESC LIMIT 1;
-- name: volume_ids
SELECT ids FROM volumes WHERE number = ?;
-- name: volume_keys
SELECT keys FROM volumes WHERE number = ?;
-- name: places
SELECT places FROM lists WHERE volume = ? AND field = ? AND value = ?;
-- name: add_volume
INSERT INTO volumes (number, first_seq, last_seq, earliest_us, latest_us, ids, keys) VALUES (?, ?, ?, ?, ?, ?, ?);
-- name: add_list
INSERT INTO lists (volume, field, value, places) VALUES (?, ?, ?, ?);
-- name: drop_volumes
DELETE FROM volumes WHERE last_seq < ?
  AND NOT EXISTS (SELECT 1 FROM decisions WHERE close_seq BETWEEN volumes.first_seq AND volumes.last_seq)
RETURNING number;
-- name: drop_lists
DELETE FROM lists WHERE volume = ?;
-- name: audit_volumes
SELECT number, first_seq, last_seq, earliest_us, latest_us, ids, keys FROM volumes ORDER BY number;
-- name: audit_lists
SELECT field, value, places FROM lists WHERE volume = ?;
-- name: audit_listed
SELECT close_seq, id, received_us, key, state, kind, tenant, source, code, parent FROM decisions
WHERE close_seq BETWEEN ? AND ? ORDER BY close_seq;
-- name: last_span
SELECT max(number) FROM spans WHERE level = ?;
-- name: spans
SELECT hash FROM spans WHERE level = ? AND number >= ? AND number < ? ORDER BY number;
-- name: add_span
INSERT INTO spans (level, number, hash) VALUES (?, ?, ?);
-- name: leaves_between
SELECT first_seq, id, at_us, count, leaves, chain FROM commits
WHERE first_seq >= (SELECT max(first_seq) FROM commits WHERE first_seq <= ?1) AND first_seq < ?2 ORDER BY first_seq;
-- name: chain_before
SELECT chain FROM commits WHERE first_seq < ? ORDER BY first_seq DESC LIMIT 1;
-- name: facts_between
SELECT first_seq, id, at_us, count, leaves, facts, payloads FROM commits
WHERE first_seq >= (SELECT max(first_seq) FROM commits WHERE first_seq <= ?1) AND first_seq < ?2 ORDER BY first_seq;
-- name: add_checkpoint
INSERT INTO checkpoints (size, at_us, note) VALUES (?, ?, ?);
-- name: newest_checkpoint
SELECT number, at_us, note FROM checkpoints ORDER BY number DESC LIMIT 1;
-- name: checkpoint_over
SELECT number, at_us, note FROM checkpoints WHERE size >= ? ORDER BY size, number LIMIT 1;
-- name: checkpoints_before
SELECT number, at_us, note FROM checkpoints WHERE number < ? ORDER BY number DESC LIMIT ?;
-- name: handed_over
SELECT number, at_us, note FROM checkpoints WHERE instr(note, char(10) || 'was ') > 0 ORDER BY number;
-- name: all_checkpoints
SELECT number, at_us, note FROM checkpoints ORDER BY number;
-- name: version
SELECT seq FROM versions WHERE name = ? AND version = ?;
-- name: tables
SELECT count(*) FROM sqlite_master;
-- name: add_key
INSERT OR IGNORE INTO keys (segment, digest, decision, content) VALUES (?, ?, ?, ?);
-- name: find_key
SELECT decision, content FROM keys WHERE segment = ? AND digest = ?;
-- name: put_segment
INSERT INTO key_segments (id, last_seq, newest_us, count, sieve) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE
SET last_seq = excluded.last_seq, newest_us = excluded.newest_us, count = excluded.count, sieve = excluded.sieve;
-- name: all_segments
SELECT id, last_seq, newest_us, sieve FROM key_segments WHERE sieve IS NOT NULL ORDER BY id;
-- name: put_shelf
INSERT OR REPLACE INTO key_shelves (id, through, sieve) VALUES (?, ?, ?);
-- name: all_shelves
SELECT id, through, sieve FROM key_shelves;
-- name: segment_keys
SELECT digest FROM keys WHERE segment = ?;
-- name: drop_keys
DELETE FROM keys WHERE segment = ?1 AND digest IN (SELECT digest FROM keys WHERE segment = ?1 LIMIT ?2);
-- name: drop_segment
DELETE FROM key_segments WHERE id = ?;
-- name: audit_commits
SELECT first_seq, id, at_us, epoch, count, chain, leaves, ends, keys, facts, payloads FROM commits ORDER BY first_seq;
-- name: audit_decision
SELECT admit_seq, close_seq, state, code, kind, tenant, source, key, order_key, priority, received_us, deadline_us,
       closed_us, parent
FROM decisions WHERE id = ?;
-- name: count_decisions
SELECT count(*) FROM decisions;
-- name: count_steps
SELECT count(*) FROM steps;
-- name: all_versions
SELECT name, version, seq FROM versions;
-- name: all_keys
SELECT segment, digest, decision, content FROM keys;
-- name: segment_bounds
SELECT min(id), max(last_seq) FROM key_segments;
-- name: old_commits
SELECT first_seq, id, at_us, count, facts, payloads, ends FROM commits
WHERE first_seq >= ? AND at_us < ? AND facts IS NOT NULL ORDER BY first_seq LIMIT ?;
-- name: end_and_parent
SELECT closed_us, parent FROM decisions WHERE id = ?;
-- name: archive_commit
UPDATE commits SET facts = NULL, payloads = NULL WHERE first_seq = ?;
-- name: forget_steps
DELETE FROM steps WHERE decision = ?;
-- name: forget_decision
DELETE FROM decisions WHERE id = ?;
-- name: put_payloads
UPDATE commits SET payloads = ? WHERE first_seq = ?;
