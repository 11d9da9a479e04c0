CREATE TABLE IF NOT EXISTS kek_install (
  id       TEXT PRIMARY KEY CHECK (id = 'singleton'),
  provider TEXT NOT NULL,
  chain    TEXT NOT NULL,
  ceremony INTEGER NOT NULL,
  roster   TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kek_versions (
  id             INTEGER PRIMARY KEY,
  provider       TEXT NOT NULL,
  state          TEXT NOT NULL,
  label          TEXT NOT NULL,
  key_id         TEXT NOT NULL,
  canary_wrapped BLOB NOT NULL,
  canary_sha256  TEXT NOT NULL,
  ceremony       INTEGER NOT NULL,
  created        TEXT NOT NULL,
  bound          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS kek_active (
  id      TEXT PRIMARY KEY CHECK (id = 'active'),
  version INTEGER NOT NULL,
  epoch   INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kek_wraps (
  id       INTEGER PRIMARY KEY,
  reserved INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kek_ceremonies (
  id      INTEGER PRIMARY KEY,
  kind    TEXT NOT NULL,
  mode    TEXT NOT NULL,
  bundle  TEXT NOT NULL,
  outcome TEXT NOT NULL,
  head    TEXT NOT NULL,
  final   TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kek_events (
  ceremony INTEGER NOT NULL,
  name     TEXT NOT NULL,
  data     BLOB NOT NULL,
  PRIMARY KEY (ceremony, name)
) STRICT;
CREATE TABLE IF NOT EXISTS process_heartbeats (
  id   TEXT PRIMARY KEY,
  seen TEXT NOT NULL,
  beat TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS process_heartbeats_seen ON process_heartbeats (seen);
CREATE TABLE IF NOT EXISTS kek_void (
  id       TEXT PRIMARY KEY,
  ceremony TEXT NOT NULL,
  entries  TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS kek_refusals (
  version INTEGER NOT NULL,
  process TEXT NOT NULL,
  role    TEXT NOT NULL,
  epoch   INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  last    TEXT NOT NULL,
  PRIMARY KEY (version, process)
) STRICT;
