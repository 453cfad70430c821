-- What a node has signed and countersigned on its lines of credit.
CREATE TABLE credit (key bytea PRIMARY KEY, value bytea NOT NULL);
