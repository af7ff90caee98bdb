-- What each account allows, profiles, passwords of devices, invitations, friend requests; notices
-- beside messages. Rows that belong to an account go with it.

ALTER TABLE account ADD COLUMN who_may_add TEXT NOT NULL DEFAULT 'ask';
ALTER TABLE account ADD COLUMN who_may_write TEXT NOT NULL DEFAULT 'friends';
ALTER TABLE account ADD COLUMN suspended TEXT; -- why, NULL if it is not
ALTER TABLE account ADD COLUMN last_seen REAL;

CREATE TABLE friend_2 (
    uin INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    other INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    PRIMARY KEY (uin, other)
) STRICT, WITHOUT ROWID;
INSERT INTO friend_2 SELECT uin, other FROM friend;
DROP TABLE friend;
ALTER TABLE friend_2 RENAME TO friend;

-- A message outlives its sender; the system's number, 10000, has no account.
-- kind: message, request, accepted or refused.
CREATE TABLE message_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    sender INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text BLOB NOT NULL,
    sent REAL NOT NULL
) STRICT;
-- Ids go on where they were, also if no message waits now.
INSERT INTO sqlite_sequence SELECT 'message_2', seq FROM sqlite_sequence WHERE name = 'message';
INSERT INTO message_2 SELECT id, receiver, sender, 'message', text, sent FROM message;
DROP TABLE message;
ALTER TABLE message_2 RENAME TO message;
CREATE INDEX message_waiting ON message (receiver, id);

-- The words of GetInfo, by the names of kqq.server.profiles.
CREATE TABLE profile (
    uin INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (uin, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX profile_search ON profile (name, value);

-- A password that the server made for one phone; its proof is quick, since it is random enough.
CREATE TABLE device (
    uin INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    name TEXT NOT NULL,
    proof TEXT NOT NULL,
    created REAL NOT NULL,
    last_seen REAL,
    PRIMARY KEY (uin, name)
) STRICT, WITHOUT ROWID;

-- Who asked to be whose friend and was not answered.
CREATE TABLE request (
    asker INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    asked INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    at REAL NOT NULL,
    PRIMARY KEY (asker, asked)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_asked ON request (asked);

-- The code is shown once; what is kept cannot be used.
CREATE TABLE invitation (
    proof TEXT PRIMARY KEY,
    note TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    uses INTEGER NOT NULL -- how many more people may use it
) STRICT, WITHOUT ROWID;
