-- Browsers that are signed in, and operators: their roles, tokens for programs, and what they did.

-- What the browser has is kept nowhere; the proof of it is quick, since it is random enough.
CREATE TABLE visit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    proof TEXT NOT NULL UNIQUE,
    uin INTEGER NOT NULL REFERENCES account (uin) ON DELETE CASCADE,
    created REAL NOT NULL,
    seen REAL NOT NULL,
    host TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE INDEX visit_of ON visit (uin);

-- role: observer, moderator or administrator.
CREATE TABLE operator (
    uin INTEGER PRIMARY KEY REFERENCES account (uin) ON DELETE CASCADE,
    role TEXT NOT NULL,
    since REAL NOT NULL
) STRICT;

CREATE TABLE token (
    name TEXT PRIMARY KEY,
    proof TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created REAL NOT NULL,
    expires REAL NOT NULL,
    seen REAL
) STRICT, WITHOUT ROWID;

-- What operators did. It outlives them.
CREATE TABLE deed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    who TEXT NOT NULL, -- a number, the name of a token, or the command line
    action TEXT NOT NULL,
    arguments TEXT NOT NULL, -- as JSON, without secrets
    outcome TEXT NOT NULL -- "" if it was done, else why not
) STRICT;
CREATE INDEX deed_at ON deed (at);
