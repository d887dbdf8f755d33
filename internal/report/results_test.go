package report

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
)

// resultRows are rows of every shape.
func resultRows(t *testing.T) []*Row {
	return []*Row{
		{
			Job: "resize", Label: "resize#0", Outcome: "ok", ExitCode: -1, Attempts: 1, Wall: 1500 * time.Millisecond,
			HasItem: true, Item: item(t, `{"path":"a b.jpg","size":{"w":3.0}}`),
			Matrix: []config.Field{{Name: "fmt", Value: config.String("png")}},
			Result: result(t, map[string]any{"bytes": int64(12)}),
		},
		{
			Job: "resize", Label: "resize#1", Index: 1, Outcome: "failed", Which: "panic", ExitCode: 2, Attempts: 3, Wall: time.Second,
			HasItem: true, Item: item(t, `{"size":null,"path":"say \"hi\",\r\nthen go","new":""}`),
			Matrix: []config.Field{{Name: "fmt", Value: config.String("jpg")}},
		},
		{Job: "say", Label: "say#0", Outcome: "ok", Attempts: 1, HasItem: true, Item: config.String("\xff\n"), Result: result(t, "raw \xfe\"")},
		{Job: "sum", Label: "sum", Outcome: "ok", Attempts: 1, Items: []config.Value{config.IntValue(1), config.String("b")}, Result: result(t, []int{1, 2})},
		{Job: "late", Label: "late", Index: -1, Outcome: "skipped", ExitCode: -1},
	}
}

func TestJSONL_WritesARowOfTypedValues(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.jsonl")
	s, err := OpenResults(path)
	if err != nil {
		t.Fatal(err)
	}
	got := finish(t, s, path, &Summary{}, resultRows(t)...)
	want := `{"job":"resize","index":0,"outcome":"ok","wall_s":1.5,"attempts":1,"item.path":"a b.jpg","item.size":{"w":3.0},"matrix.fmt":"png","result.bytes":12}
{"job":"resize","index":1,"outcome":"failed","which":"panic","exit_code":2,"wall_s":1,"attempts":3,"item.size":null,"item.path":"say \"hi\",\r\nthen go","item.new":"","matrix.fmt":"jpg"}
{"job":"say","index":0,"outcome":"ok","exit_code":0,"wall_s":0,"attempts":1,"item":"\\xff\n","result":"raw \\xfe\"","escaped":["item","result"]}
{"job":"sum","index":0,"outcome":"ok","exit_code":0,"wall_s":0,"attempts":1,"items":[1,"b"],"result":[1,2]}
{"job":"late","outcome":"skipped"}
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestJSONL_HasEachRowAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.jsonl")
	s, err := OpenJSONL(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(nil)
	for i := range 3 {
		if err := s.Add(&Row{Job: "a", Label: fmt.Sprint("a#", i), Index: int64(i)}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || strings.Count(string(b), "\n") != i+1 {
			t.Errorf("after %d rows: %q, %v", i+1, b, err)
		}
	}
}

func TestCSV_WritesATableByGroups(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.csv")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenResults(path)
	if err != nil {
		t.Fatal(err)
	}
	got := finish(t, s, path, &Summary{}, resultRows(t)...)
	want := strings.Join([]string{
		`job,index,outcome,which,exit_code,wall_s,attempts,item.path,item.size,item.new,item,items,matrix.fmt,result.bytes,result`,
		`resize,0,ok,,,1.5,1,a b.jpg,"{""w"":3.0}",,,,png,12,`,
		"resize,1,failed,panic,2,1,3,\"say \"\"hi\"\",\r\nthen go\",,\"\",,,jpg,,",
		"say,0,ok,,0,0,1,,,,\"\xff\n\",,,,\"raw \xfe\"\"\"",
		`sum,0,ok,,0,0,1,,,,,"[1,""b""]",,,"[1,2]"`,
		"late,,skipped,,,,,,,,,,,,",
		"",
	}, "\r\n")
	if got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	table, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil || len(table) != 6 {
		t.Errorf("a reader finds %d rows: %v", len(table), err)
	}
}

func TestCSV_RefusesTooManyColumns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, wide := range map[string]func(i int) string{
		"many": func(i int) string { return fmt.Sprint("f", i) },
		"long": func(i int) string { return fmt.Sprint(i, strings.Repeat("x", 100_000)) },
	} {
		path := filepath.Join(dir, name+".csv")
		s, err := OpenCSV(path)
		if err != nil {
			t.Fatal(err)
		}
		var fields []config.Field
		for i := range 4096 {
			fields = append(fields, config.Field{Name: wide(i), Value: config.IntValue(1)})
			if name == "long" && i > 20 {
				break
			}
		}
		err = s.Add(&Row{Job: "a", Label: "a#7", HasItem: true, Item: config.MapValue(fields)})
		if err == nil || !strings.Contains(err.Error(), path+": a#7: column item.") || !strings.Contains(err.Error(), ".jsonl") {
			t.Errorf("%s: %.300v", name, err)
		}
		if again := s.Add(&Row{}); again != err {
			t.Errorf("%s: then %v", name, again)
		}
		if end := s.Close(&Summary{}); end != err {
			t.Errorf("%s: in the end %v", name, end)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a table: %v", name, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestResults_AreNotFlattenedWhereThatWouldLoseSomething(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		result []byte
		want   string
	}{
		"names twice": {[]byte{0x82, 0x01, 0x05, 0xa1, '1', 0x06}, `"result":{"1":5,"1":6}`},
		"bytes":       {[]byte{0xc4, 1, 0xff}, `"result":{"$bytes":"/w=="}`},
		"key":         {[]byte{0x81, 0x90, 0x01}, `"result_error":"result of 3 bytes cannot be shown: `},
		"cut":         {[]byte{0xdd, 0xff, 0xff, 0xff, 0xff}, `"result_error":"result of 5 bytes cannot be shown: `},
		"nil":         {[]byte{0xc0}, `"outcome":"ok"}`},
		"empty":       {[]byte{0x80}, `"result":{}`},
		"deep":        {[]byte{0x81, 0xa1, 'a', 0x81, 0xa1, ',', 0x92, 0x01, 0xc0}, `"result.a":{",":[1,null]}`},
	} {
		path := filepath.Join(t.TempDir(), "r.jsonl")
		s, err := OpenJSONL(path)
		if err != nil {
			t.Fatal(err)
		}
		got := finish(t, s, path, nil, &Row{Job: "a", Label: "a", Outcome: "ok", ExitCode: -1, Result: tc.result})
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestSinks_TakeNothingWhenClosed(t *testing.T) {
	t.Parallel()
	for name, open := range opens {
		s, err := open(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(&Summary{}); err != nil {
			t.Error(err)
		}
		if err := s.Add(&Row{}); !errors.Is(err, ErrClosed) {
			t.Errorf("%T: %v", s, err)
		}
	}
}

// FuzzResults gives rows any texts and results, and reads them back.
func FuzzResults(f *testing.F) {
	f.Add("a,b", "x\"\r\n", []byte{0x81, 0xa1, 'k', 0xc3})
	f.Add("0", "\r\r\n", []byte("0"))
	f.Add("\xff", "", []byte{0xa2, '"', '\n'})
	f.Add("$", "\ufeff", []byte{0x82, 0xa1, '{', 0xa1, '}', 0xa1, '\\', 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, name, value string, result []byte) {
		dir := t.TempDir()
		row := &Row{
			Job: "j", Label: "j#0", Outcome: "ok", Result: result, HasItem: true,
			Item: config.MapValue([]config.Field{{Name: name, Value: config.String(value)}}),
		}
		jsonl, table := filepath.Join(dir, "r.jsonl"), filepath.Join(dir, "r.csv")
		for _, path := range []string{jsonl, table} {
			s, err := OpenResults(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Add(row); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(&Summary{}); err != nil {
				t.Fatal(err)
			}
		}
		b, _ := os.ReadFile(jsonl)
		var object map[string]json.RawMessage
		if err := json.Unmarshal(b, &object); err != nil || strings.Count(string(b), "\n") != 1 {
			t.Fatalf("%q: %v", b, err)
		}
		b, _ = os.ReadFile(table)
		rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
			t.Fatalf("%q: %v", b, err)
		}
		// The reader makes one line feed of CR LF inside of quotes.
		same := func(read, written string) bool {
			return read == strings.ReplaceAll(written, "\r\n", "\n")
		}
		at := slices.IndexFunc(rows[0], func(s string) bool { return same(s, "item."+name) })
		if at < 0 || !same(rows[1][at], value) {
			t.Fatalf("%q: no %q: %q", b, name, value)
		}
	})
}
