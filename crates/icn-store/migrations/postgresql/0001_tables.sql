-- One table for each table of the store; bytea sorts by its bytes. What has been released is never
-- edited: a change is a new file.
CREATE TABLE meta (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE state (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE blocks (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE pins (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE log (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE operations (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE events (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE jobs (key bytea PRIMARY KEY, value bytea NOT NULL);

-- How many commits there have been. Who has lost the connection during one sees here whether it
-- happened.
CREATE TABLE icn_store (commits bigint NOT NULL);
INSERT INTO icn_store VALUES (0);
