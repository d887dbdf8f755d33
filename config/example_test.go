package config_test

import (
	"fmt"

	"github.com/feac4032/multiproc/config"
)

func ExampleParse() {
	f, err := config.Parse("job.yaml", []byte(`
vars: {size: 100}
jobs:
  - id: thumbnail
    run: [convert, "{{.item}}", -resize, "{{.var.size}}", "out/{{base .item}}"]
    foreach: [photos/a.jpg, photos/b.jpg]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	j := f.Jobs[0]
	for i, item := range j.Foreach.List {
		argv, err := j.Argv(&config.Scope{Item: item, Index: int64(i), Vars: f.Vars, Job: j.ID, Attempt: 1, Slot: 1})
		fmt.Println(argv, err)
	}
	// Output:
	// [convert photos/a.jpg -resize 100 out/a.jpg] <nil>
	// [convert photos/b.jpg -resize 100 out/b.jpg] <nil>
}

func ExampleParse_mistakes() {
	_, err := config.Parse("job.yaml", []byte(`
jobs:
  - id: thumbnail
    comand: [convert, "{{.item}}"]
    timeout: 30
`))
	fmt.Println(err)
	// Output:
	// job.yaml:4:5: unknown key "comand" in a job (did you mean "run"?)
	// job.yaml:5:14: timeout: duration "30" has no unit: write 30s, 30m or 30h
}
