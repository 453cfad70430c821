-- Times are milliseconds since 1970 by the service's clock.

-- Bumped first by every transaction that changes the catalog, the keys, the webhooks or a standing, so that these
-- follow each other: what one transaction has written has a higher number than all that was there before.
CREATE TABLE meta (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    revision  BIGINT NOT NULL,
    -- News up to here have been told over NATS.
    told      BIGINT NOT NULL
);
INSERT INTO meta VALUES (1, 0, 0);

CREATE TABLE catalog (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    slug            TEXT NOT NULL UNIQUE,
    -- The rest of the entry, as JSON.
    entry           TEXT NOT NULL,
    owner           TEXT NOT NULL,
    -- 0 or 1.
    paused          BIGINT NOT NULL,
    created         BIGINT NOT NULL,
    updated         BIGINT NOT NULL,
    -- Of a tombstone.
    removed         BIGINT,
    revision        BIGINT NOT NULL
);
CREATE INDEX catalog_revision ON catalog (revision);

CREATE TABLE standing (
    project   BIGINT PRIMARY KEY REFERENCES catalog,
    status    TEXT NOT NULL,
    cause     TEXT NOT NULL,
    since     BIGINT NOT NULL
);

-- The last heartbeats that each replica has taken in. Written all the time, so there is nothing to be searched by but
-- the key.
CREATE TABLE beats (
    project   BIGINT NOT NULL,
    replica   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    said      TEXT NOT NULL,
    sent      BIGINT,
    boot      TEXT,
    sequence  BIGINT,
    -- What it said of itself besides, as JSON.
    details   TEXT,
    -- How many there were in the last minute with any, which is not in `hours` yet.
    minute    BIGINT NOT NULL,
    beats     BIGINT NOT NULL,
    PRIMARY KEY (replica, project)
);

-- Heartbeats per minute: one row an hour, as a JSON array of sixty numbers.
CREATE TABLE hours (
    project   BIGINT NOT NULL,
    hour      BIGINT NOT NULL,
    replica   BIGINT NOT NULL,
    minutes   TEXT NOT NULL,
    PRIMARY KEY (project, hour, replica)
);

-- What became of whom. The ids are in the order in which transactions were committed (see meta).
CREATE TABLE news (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    project   BIGINT NOT NULL,
    slug      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    was       TEXT,
    status    TEXT,
    cause     TEXT NOT NULL
);
-- What is written twice, since nobody knew whether it had been written, is there once.
CREATE UNIQUE INDEX news_once ON news (project, at, cause);

CREATE TABLE keys (
    name      TEXT PRIMARY KEY,
    scope     TEXT NOT NULL,
    slug      TEXT,
    -- SHA-256 of the secret in hexadecimal digits, and of the one before while it still counts.
    hash      TEXT NOT NULL,
    former    TEXT,
    former_until BIGINT,
    created   BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires   BIGINT
);

CREATE TABLE webhooks (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    url       TEXT NOT NULL,
    secret    TEXT NOT NULL,
    created   BIGINT NOT NULL,
    -- News up to here have been delivered, or given up.
    told      BIGINT NOT NULL,
    failures  BIGINT NOT NULL,
    failed    TEXT
);

CREATE TABLE replicas (
    id        BIGINT PRIMARY KEY,
    started   BIGINT NOT NULL,
    seen      BIGINT NOT NULL
);

-- Who judges.
CREATE TABLE lease (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    holder    BIGINT NOT NULL,
    until     BIGINT NOT NULL
);
INSERT INTO lease VALUES (1, 0, 0);

-- For people with psql.
CREATE VIEW projects AS
SELECT c.id, c.slug, json_extract(c.entry, '$.name') AS name, json_extract(c.entry, '$.hub_url') AS hub_url,
       json_extract(c.entry, '$.mesh_namespace') AS mesh_namespace, json_extract(c.entry, '$.tags') AS tags,
       json_extract(c.entry, '$.allow_fanout') AS allow_fanout, c.owner,
       s.status, s.cause, strftime('%Y-%m-%dT%H:%M:%fZ', s.since / 1000.0, 'unixepoch') AS since,
       strftime('%Y-%m-%dT%H:%M:%fZ', b.at / 1000.0, 'unixepoch') AS last_heartbeat_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', c.created / 1000.0, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', c.updated / 1000.0, 'unixepoch') AS updated_at
  FROM catalog c JOIN standing s ON s.project = c.id
  LEFT JOIN (SELECT project, max(at) AS at FROM beats GROUP BY project) b ON b.project = c.id
 WHERE c.removed IS NULL
 ORDER BY c.slug;
