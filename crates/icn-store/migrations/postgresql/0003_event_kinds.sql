-- Which events are of which kind.
CREATE TABLE event_kinds (key bytea PRIMARY KEY, value bytea NOT NULL);
