package config

import (
	"strings"
	"sync"
	"testing"
)

func scope() *Scope {
	item, err := ParseJSON([]byte(`{"path":"photos/a.b.jpg","q":3.0,"n":17,"ok":true,"none":null,"tags":["x",2.50],"<b>":"{{.job}}"}`))
	if err != nil {
		panic(err)
	}
	return &Scope{
		Item:    item,
		Items:   []Value{String("a"), String("b")},
		Index:   7,
		Matrix:  []Field{{"width", IntValue(100)}, {"fmt", String("png")}},
		Vars:    []Field{{"size", Scalar("1.50")}, {"raw", String("a\xffb")}},
		Job:     "resize",
		Attempt: 2,
		Slot:    3,
	}
}

func TestTemplate_Text(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                                   "plain",
		"}} only":                                 "}} only",
		"{{.job}}":                                "resize",
		"{{ .job }}-{{.index}}":                   "resize-7",
		"{{- .job -}} x":                          "resizex",
		"{{$.job}}":                               "resize",
		"{{.attempt}}/{{.slot}}":                  "2/3",
		"{{.item.q}} {{.item.n}}":                 "3.0 17",
		"{{.item.none}}|{{.item.ok}}":             "null|true",
		"{{.item.tags}}":                          `["x",2.50]`,
		"{{.item}}":                               `{"path":"photos/a.b.jpg","q":3.0,"n":17,"ok":true,"none":null,"tags":["x",2.50],"<b>":"{{.job}}"}`,
		"{{.matrix}} {{.items}}":                  `{"width":100,"fmt":"png"} ["a","b"]`,
		"{{.matrix.width}}x{{.matrix.fmt}}":       "100xpng",
		"{{.var.size}}{{.var.raw}}":               "1.50a\xffb",
		"{{base .item.path}}":                     "a.b.jpg",
		"{{dir .item.path}}":                      "photos",
		"{{stem .item.path}}":                     "a.b",
		"{{ext .item.path}}":                      ".jpg",
		"{{.item.path | base | stem}}":            "a.b",
		"{{stem \"d/.profile\"}}":                 ".profile",
		`{{index .item "<b>"}}`:                   "{{.job}}",
		`{{"{{"}}.job}}`:                          "{{.job}}",
		"{{if .item.ok}}{{.item.q}}{{end}}":       "3.0",
		"{{with .item}}{{.q}}{{end}}":             "3",
		"{{range .item.tags}}{{.}},{{end}}":       "x,2.5,",
		"{{range .item.tags}}{{$.item.q}}{{end}}": "3.03.0",
		"{{$x := .index}}{{$x}}{{.item.tags}}":    `7["x",2.50]`,
		"{{printf \"%03d\" .index}}":              "007",
		"{{eq .index 7}}":                         "true",
		"{{.item.tags | printf \"%v\" | len}}":    "7",
		"{{/* nothing */}}":                       "",
	} {
		tmpl, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for range 2 { // the second time comes from the pool
			if got, err := tmpl.Text(scope()); err != nil || got != want {
				t.Errorf("%s gives %q, %v, want %q", text, got, err, want)
			}
		}
	}
}

func TestTemplate_ValueKeepsTheTypeOfOneAction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		"{{.item.q}}":                  3.0,
		"{{.item.n}}":                  int64(17),
		"{{ .item.ok }}":               true,
		"{{.item.none}}":               nil,
		"{{.index}}":                   int64(7),
		"{{len .item.tags}}":           int64(2),
		"{{index .item.tags 1}}":       2.5,
		"{{eq .index 7}}":              true,
		"{{base .item.path}}":          "a.b.jpg",
		" {{.item.n}}":                 " 17",
		"{{.item.n}}{{.item.n}}":       "1717",
		"17":                           "17",
		"{{if true}}{{.index}}{{end}}": "7",
	} {
		tmpl, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := tmpl.Value(scope()); err != nil || got.Any() != want {
			t.Errorf("%s gives %T(%v), %v, want %T(%v)", text, got.Any(), got.Any(), err, want, want)
		}
	}
	tmpl, err := Compile("{{.item.tags}}")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := tmpl.Value(scope()); err != nil || v.Type() != List || v.Items()[1].Text() != "2.50" {
		t.Errorf("a list does not stay one: %v, %v", v, err)
	}
}

func TestTemplate_ErrorsNameThePlaceOfTheValue(t *testing.T) {
	t.Parallel()
	f := mustParse(t, `
jobs:
  - id: a
    task: t
    foreach: {jsonl: rows}
    args: {plain: "{{.item.width}}", mixed: "w{{.item.path.x}}", call: "{{base .item.width}}", range: "{{range .item.n}}{{.x}}{{end}}"}
`)
	args := f.Jobs[0].Args
	want := []string{
		`dir/job.yaml:6:19: {{.item.width}}: the map has no field "width"`,
		`dir/job.yaml:6:45: {{.item.path.x}}: x is not a field of a text`,
		`dir/job.yaml:6:72: template: <.item.width>: map has no entry for key "width"`,
		`dir/job.yaml:6:103: template: <.x>: can't evaluate field x in type int64`,
	}
	for i, a := range args.list {
		_, err := a.Value(scope())
		if err == nil || err.Error() != want[i] {
			t.Errorf("got  %v\nwant %s", err, want[i])
		}
	}
}

func TestTemplate_UsesNamesTheRootsReferredTo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"x":                               "",
		"{{.item}}":                       "item",
		"{{.item.slot}}":                  "item",
		"{{if .attempt}}{{.slot}}{{end}}": "attempt slot",
		"{{range .items}}{{.job}}{{$.index}}{{end}}":                  "items index",
		"{{with $x := .var.a}}{{$x.job}}{{else}}{{.matrix.b}}{{end}}": "matrix var",
		"{{base (printf \"%s\" .job)}}":                               "job",
	} {
		tmpl, err := Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, r := range rootNames {
			if tmpl.Uses(r) {
				got = append(got, r)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s uses %v, want %s", text, got, want)
		}
	}
}

// The reader of plain references must agree with the standard library's.
func TestTemplate_PlainReaderAgreesWithTheStandardOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{{.item}}", "a{{ .matrix.width }}b", "{{.var.size}}{{.index}}", "{{.item.tags}} "} {
		plain := &Template{raw: text}
		if !plain.parsePlain() {
			t.Errorf("%s is not read as plain", text)
			continue
		}
		// A comment keeps the plain reader out and expands to nothing.
		full, err := Compile(text + "{{/**/}}")
		if err != nil {
			t.Fatal(err)
		}
		a, errA := plain.Text(scope())
		b, errB := full.Text(scope())
		if a != b || errA != nil || errB != nil || plain.uses != full.uses {
			t.Errorf("%s: %q %v and %q %v", text, a, errA, b, errB)
		}
	}
	for _, text := range []string{"{{.}}", "{{item}}", "{{.item.}}", "{{.item..a}}", "{{.item.9}}", "{{.nobody}}", "{{.item", "{{.job.x}}", "{{-.item}}", "{{.item a}}", "{{}}"} {
		if (&Template{raw: text}).parsePlain() {
			t.Errorf("%s is read as plain", text)
		}
	}
}

func TestTemplate_MayBeUsedByManyGoroutines(t *testing.T) {
	t.Parallel()
	tmpl, err := Compile("{{base .item}} {{.index}} {{if .attempt}}{{.slot}}{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				s := &Scope{Item: String("d/f"), Index: int64(i), Attempt: 1, Slot: g}
				want := "f " + IntValue(int64(i)).Text() + " " + IntValue(int64(g)).Text()
				if got, err := tmpl.Text(s); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTemplate_DataIsNeverExpandedAgain(t *testing.T) {
	t.Parallel()
	f := mustParse(t, "jobs: [{id: a, run: [echo, '{{.item}}', '{{base .item}}'], foreach: ['{{.job}}']}]\n")
	j := f.Jobs[0]
	argv, err := j.Argv(&Scope{Item: j.Foreach.List[0], Job: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if argv[1] != "{{.job}}" || argv[2] != "{{.job}}" {
		t.Errorf("got %q", argv)
	}
}

func TestLiteral_IsNoTemplate(t *testing.T) {
	t.Parallel()
	if got, err := Literal("{{.item}}").Text(&Scope{}); err != nil || got != "{{.item}}" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestArgs_ExpandInPlace(t *testing.T) {
	t.Parallel()
	f := mustParse(t, `
vars: {size: 1.50}
jobs:
  - id: a
    task: t
    foreach: {jsonl: rows}
    args: {z: "{{.item.q}}", list: ["{{.index}}", "n{{.index}}", 3.0, {deep: "{{.item.tags}}"}], const: {b: 1, a: ~}, text: "{{.var.size}}"}
`)
	j := f.Jobs[0]
	s := scope()
	v, err := j.Args.Value(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"z":3.0,"list":[7,"n7",3.0,{"deep":["x",2.50]}],"const":{"b":1,"a":null},"text":1.50}`
	if got := v.Text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	raw := `{"z":"{{.item.q}}","list":["{{.index}}","n{{.index}}",3.0,{"deep":"{{.item.tags}}"}],"const":{"b":1,"a":null},"text":"{{.var.size}}"}`
	if got := j.Args.Raw().Text(); got != raw {
		t.Errorf("raw is %s\nwant   %s", got, raw)
	}
	if !j.RefersTo("index") || !j.RefersTo("var") || j.RefersTo("slot") {
		t.Error("Uses does not look into args")
	}
}
