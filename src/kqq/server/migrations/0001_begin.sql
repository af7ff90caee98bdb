-- Accounts, who is whose friend, and the messages that wait.

CREATE TABLE account (
    uin INTEGER PRIMARY KEY,
    nick TEXT NOT NULL,
    face INTEGER NOT NULL,
    proof TEXT NOT NULL, -- a slow, salted hash of the MD5 that phones send
    created REAL NOT NULL
) STRICT;

-- Both directions are stored.
CREATE TABLE friend (
    uin INTEGER NOT NULL REFERENCES account (uin),
    other INTEGER NOT NULL REFERENCES account (uin),
    PRIMARY KEY (uin, other)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT, so that an id never comes back: sessions remember the last one they took.
-- Text is a BLOB, because phones send bytes that are no UTF-8 and get them back.
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver INTEGER NOT NULL REFERENCES account (uin),
    sender INTEGER NOT NULL REFERENCES account (uin),
    text BLOB NOT NULL,
    sent REAL NOT NULL
) STRICT;

CREATE INDEX message_waiting ON message (receiver, id);
