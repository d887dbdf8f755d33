package journal

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/journal.md is what users write their queries by.
func TestDocument_ItsQueriesRunAndItsTablesAreComplete(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t)
	filled(t, s, "r1", 10)
	v := view(t, s, "r1")
	n := 0
	for _, block := range regexp.MustCompile("(?ms)^```sql\n(.*?)^```$").FindAllStringSubmatch(string(doc), -1) {
		for query := range strings.SplitSeq(block[1], ";\n") {
			if strings.TrimSpace(query) == "" {
				continue
			}
			n++
			rows, err := v.db.conn.QueryContext(background, query)
			if err != nil {
				t.Errorf("%s\n%v", query, err)
				continue
			}
			for rows.Next() {
			}
			if err := rows.Err(); err != nil {
				t.Errorf("%s\n%v", query, err)
			}
			rows.Close()
		}
	}
	if n < 5 {
		t.Errorf("%d queries in the document", n)
	}
	rows, err := v.db.conn.QueryContext(background,
		"SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns := 0
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns++
		if !regexp.MustCompile("`([a-z_ ]* )?" + column + "( [a-z_ ]*)?`").Match(doc) {
			t.Errorf("the document does not name %s.%s", table, column)
		}
	}
	if columns < 40 {
		t.Errorf("%d columns", columns)
	}
}

// What is done on a network file system, on any other.
func TestRun_KeepsARollbackJournalOnANetworkFileSystem(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	s.network = "nfs"
	r := create(t, s, testInfo("r1"))
	var mode string
	if err := r.db.conn.QueryRowContext(background, "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "truncate" {
		t.Errorf("mode is %s, %v", mode, err)
	}
	var b Batch
	row := okRow(1)
	b.Add(&row, []byte("x"), nil)
	commit(t, r, &b)
	if rows := rowsOf(t, view(t, s, "r1"), Filter{}); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
	closeRun(t, r)
	p := resume(t, s, "r1")
	if _, ok := match(t, p, keyFor(1), true); !ok {
		t.Error("not found")
	}
	if _, err := os.Stat(r.Dir() + "/journal.db-wal"); err == nil {
		t.Error("there is a write-ahead log")
	}
}
