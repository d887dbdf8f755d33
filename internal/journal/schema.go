package journal

import (
	"database/sql"
	"fmt"
)

// steps are the versions of the schema: step i leads from version i to i+1. A
// step that was released is never changed. docs/journal.md describes the result. A new
// step goes into whole too, or whole stays behind and is followed by it.
var steps = []string{version1, version2}

const version1 = `
CREATE TABLE run (
	id        TEXT PRIMARY KEY NOT NULL,
	name      TEXT,
	identity  TEXT,
	file      TEXT,
	dir       TEXT,
	argv      TEXT,
	begin_us  INTEGER NOT NULL,
	end_us    INTEGER,
	exit_code INTEGER,
	workers   INTEGER,
	parent    TEXT,
	totals    TEXT,
	version   TEXT
) WITHOUT ROWID;

CREATE TABLE job (
	number  INTEGER PRIMARY KEY,
	id      TEXT NOT NULL,
	kind    TEXT,
	program TEXT
);

CREATE TABLE origin (
	number INTEGER PRIMARY KEY,
	run    TEXT NOT NULL
);

CREATE TABLE instance (
	row          INTEGER PRIMARY KEY,
	job          INTEGER NOT NULL,
	idx          INTEGER,
	key          BLOB,
	outcome      TEXT NOT NULL,
	which        TEXT,
	exit_code    INTEGER,
	signal       INTEGER,
	attempt      INTEGER,
	slot         INTEGER,
	worker       TEXT,
	pid          INTEGER,
	start_us     INTEGER,
	wall_us      INTEGER,
	cpu_us       INTEGER,
	peak_bytes   INTEGER,
	items        INTEGER,
	flags        INTEGER NOT NULL DEFAULT 0,
	origin       INTEGER,
	origin_row   INTEGER,
	segment      INTEGER,
	offset       INTEGER,
	stdout_bytes INTEGER NOT NULL DEFAULT 0,
	stderr_bytes INTEGER NOT NULL DEFAULT 0,
	result_bytes INTEGER,
	item,
	evidence     TEXT,
	result       BLOB
);

CREATE TABLE attempt (
	job       INTEGER NOT NULL,
	idx       INTEGER NOT NULL,
	attempt   INTEGER NOT NULL,
	outcome   TEXT NOT NULL,
	which     TEXT,
	exit_code INTEGER,
	signal    INTEGER,
	worker    TEXT,
	pid       INTEGER,
	start_us  INTEGER,
	wall_us   INTEGER,
	evidence  TEXT,
	PRIMARY KEY (job, idx, attempt)
) WITHOUT ROWID;

CREATE TABLE segment (
	number INTEGER PRIMARY KEY,
	file   TEXT NOT NULL,
	bytes  INTEGER NOT NULL,
	state  TEXT NOT NULL,
	origin INTEGER
);

CREATE VIEW instances AS
SELECT i.row, j.id AS job, i.idx AS "index", i.outcome, i.which, i.exit_code, i.signal, i.attempt AS attempts,
	i.worker, i.pid,
	strftime('%Y-%m-%dT%H:%M:%fZ', (r.begin_us + i.start_us) / 1e6, 'unixepoch') AS start,
	i.wall_us / 1e6 AS wall_s, i.cpu_us / 1e6 AS cpu_s, i.peak_bytes, i.items, i.item, i.evidence,
	i.stdout_bytes, i.stderr_bytes, o.run AS resumed_from
FROM instance i JOIN run r LEFT JOIN job j ON j.number = i.job LEFT JOIN origin o ON o.number = i.origin;

CREATE VIEW failures AS SELECT * FROM instances WHERE outcome <> 'ok';
`

const version2 = `
ALTER TABLE instance ADD COLUMN limit_value INTEGER;
ALTER TABLE instance ADD COLUMN observed INTEGER;
ALTER TABLE instance ADD COLUMN enforced_by TEXT;
ALTER TABLE instance ADD COLUMN peak_source TEXT;
ALTER TABLE attempt ADD COLUMN limit_value INTEGER;
ALTER TABLE attempt ADD COLUMN observed INTEGER;
ALTER TABLE attempt ADD COLUMN enforced_by TEXT;

DROP VIEW failures;
DROP VIEW instances;

CREATE VIEW instances AS
SELECT i.row, j.id AS job, i.idx AS "index", i.outcome, i.which, i.limit_value, i.observed, i.enforced_by,
	i.exit_code, i.signal, i.attempt AS attempts, i.worker, i.pid,
	strftime('%Y-%m-%dT%H:%M:%fZ', (r.begin_us + i.start_us) / 1e6, 'unixepoch') AS start,
	i.wall_us / 1e6 AS wall_s, i.cpu_us / 1e6 AS cpu_s, i.peak_bytes, i.peak_source, i.items, i.item, i.evidence,
	i.stdout_bytes, i.stderr_bytes, o.run AS resumed_from
FROM instance i JOIN run r LEFT JOIN job j ON j.number = i.job LEFT JOIN origin o ON o.number = i.origin;

CREATE VIEW failures AS SELECT * FROM instances WHERE outcome <> 'ok';
`

// whole makes of nothing what all steps make, which takes half as long as to go through
// them.
const whole = `
CREATE TABLE run (
	id        TEXT PRIMARY KEY NOT NULL,
	name      TEXT,
	identity  TEXT,
	file      TEXT,
	dir       TEXT,
	argv      TEXT,
	begin_us  INTEGER NOT NULL,
	end_us    INTEGER,
	exit_code INTEGER,
	workers   INTEGER,
	parent    TEXT,
	totals    TEXT,
	version   TEXT
) WITHOUT ROWID;

CREATE TABLE job (
	number  INTEGER PRIMARY KEY,
	id      TEXT NOT NULL,
	kind    TEXT,
	program TEXT
);

CREATE TABLE origin (
	number INTEGER PRIMARY KEY,
	run    TEXT NOT NULL
);

CREATE TABLE instance (
	row          INTEGER PRIMARY KEY,
	job          INTEGER NOT NULL,
	idx          INTEGER,
	key          BLOB,
	outcome      TEXT NOT NULL,
	which        TEXT,
	exit_code    INTEGER,
	signal       INTEGER,
	attempt      INTEGER,
	slot         INTEGER,
	worker       TEXT,
	pid          INTEGER,
	start_us     INTEGER,
	wall_us      INTEGER,
	cpu_us       INTEGER,
	peak_bytes   INTEGER,
	items        INTEGER,
	flags        INTEGER NOT NULL DEFAULT 0,
	origin       INTEGER,
	origin_row   INTEGER,
	segment      INTEGER,
	offset       INTEGER,
	stdout_bytes INTEGER NOT NULL DEFAULT 0,
	stderr_bytes INTEGER NOT NULL DEFAULT 0,
	result_bytes INTEGER,
	item,
	evidence     TEXT,
	result       BLOB,
	limit_value  INTEGER,
	observed     INTEGER,
	enforced_by  TEXT,
	peak_source  TEXT
);

CREATE TABLE attempt (
	job         INTEGER NOT NULL,
	idx         INTEGER NOT NULL,
	attempt     INTEGER NOT NULL,
	outcome     TEXT NOT NULL,
	which       TEXT,
	exit_code   INTEGER,
	signal      INTEGER,
	worker      TEXT,
	pid         INTEGER,
	start_us    INTEGER,
	wall_us     INTEGER,
	evidence    TEXT,
	limit_value INTEGER,
	observed    INTEGER,
	enforced_by TEXT,
	PRIMARY KEY (job, idx, attempt)
) WITHOUT ROWID;

CREATE TABLE segment (
	number INTEGER PRIMARY KEY,
	file   TEXT NOT NULL,
	bytes  INTEGER NOT NULL,
	state  TEXT NOT NULL,
	origin INTEGER
);

CREATE VIEW instances AS
SELECT i.row, j.id AS job, i.idx AS "index", i.outcome, i.which, i.limit_value, i.observed, i.enforced_by,
	i.exit_code, i.signal, i.attempt AS attempts, i.worker, i.pid,
	strftime('%Y-%m-%dT%H:%M:%fZ', (r.begin_us + i.start_us) / 1e6, 'unixepoch') AS start,
	i.wall_us / 1e6 AS wall_s, i.cpu_us / 1e6 AS cpu_s, i.peak_bytes, i.peak_source, i.items, i.item, i.evidence,
	i.stdout_bytes, i.stderr_bytes, o.run AS resumed_from
FROM instance i JOIN run r LEFT JOIN job j ON j.number = i.job LEFT JOIN origin o ON o.number = i.origin;

CREATE VIEW failures AS SELECT * FROM instances WHERE outcome <> 'ok';
`

// wholeVersion is the version that whole makes.
const wholeVersion = 2

// migrate brings a database to the version after the last of steps. Each step is
// a transaction of its own with the number of its version, so that one that was
// interrupted has not happened.
func migrate(conn *sql.Conn, run string, steps []string) error {
	var version int
	if err := conn.QueryRowContext(background, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return &NewerError{Run: run, Version: version, Known: len(steps)}
	}
	for version < len(steps) {
		step, next := steps[version], version+1
		if version == 0 && len(steps) >= wholeVersion {
			step, next = whole, wholeVersion
		}
		script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\n;PRAGMA user_version = %d;\nCOMMIT", step, next)
		if _, err := conn.ExecContext(background, script); err != nil {
			conn.ExecContext(background, "ROLLBACK")
			return fmt.Errorf("migrate the journal of run %s to version %d: %w", run, next, err)
		}
		version = next
	}
	return nil
}
