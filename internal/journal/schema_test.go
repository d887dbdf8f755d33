package journal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSchema_WholeIsWhatTheStepsMake(t *testing.T) {
	t.Parallel()
	made := func(name string, steps ...string) []string {
		s := openStore(t)
		db, err := openDatabase(name, s.dir+"/"+name, toWrite, false)
		if err != nil {
			t.Fatal(err)
		}
		defer db.close()
		for _, step := range steps {
			if err := db.exec(step); err != nil {
				t.Fatal(err)
			}
		}
		// Columns with all that is said of them; of views their text, but for its spaces.
		rows, err := db.conn.QueryContext(background, `SELECT m.type, m.name, c.cid, c.name, c.type, c."notnull", coalesce(c.dflt_value,''), c.pk,
			CASE m.type WHEN 'view' THEN m.sql ELSE m.sql LIKE '%WITHOUT ROWID' END
			FROM sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.type <> 'index' ORDER BY m.name, c.cid`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var all []string
		for rows.Next() {
			var v [9]any
			if err := rows.Scan(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]); err != nil {
				t.Fatal(err)
			}
			all = append(all, strings.Join(strings.Fields(fmt.Sprint(v[:]...)), " "))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	want := made("steps", steps[:wholeVersion]...)
	if len(want) < 60 {
		t.Fatalf("the steps make %d columns", len(want))
	}
	if diff := cmp.Diff(want, made("whole", whole)); diff != "" {
		t.Errorf("whole makes something else (- steps, + whole):\n%s", diff)
	}
}
