CREATE UNIQUE INDEX event_of_no_run ON event (position) WHERE run_id IS NULL;

CREATE UNIQUE INDEX event_of_run ON event (run_id, sequence) WHERE run_id IS NOT NULL;

CREATE UNIQUE INDEX start_of_run ON event (position, run_id) WHERE sequence = 0;

CREATE TABLE event (
  position INTEGER PRIMARY KEY,
  run_id TEXT,
  sequence INTEGER,
  body TEXT NOT NULL,
  leaf BLOB NOT NULL,
  CHECK ((run_id IS NULL) = (sequence IS NULL))
) STRICT;

CREATE TABLE head (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;

CREATE TABLE tree (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  size INTEGER NOT NULL,
  hashes BLOB NOT NULL
) STRICT;

CREATE TRIGGER event_is_final BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: no event is changed');
END;

CREATE TRIGGER event_is_kept BEFORE DELETE ON event
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: no event is deleted');
END;

CREATE TRIGGER position_is_dense BEFORE INSERT ON event
WHEN NEW.position <> (SELECT coalesce(max(position) + 1, 0) FROM event)
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: positions are dense');
END;

CREATE TRIGGER sequence_is_dense BEFORE INSERT ON event
WHEN NEW.sequence <> (SELECT coalesce(max(sequence) + 1, 0) FROM event WHERE run_id = NEW.run_id)
BEGIN
  SELECT RAISE(ABORT, 'the log is append-only: sequences are dense');
END;
