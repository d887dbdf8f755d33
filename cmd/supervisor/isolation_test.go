package main

import (
	"strings"
	"testing"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/spawn"
)

func TestGaps_AreThoseOfLevelsThatNeedNotBeWhole(t *testing.T) {
	t.Parallel()
	survey := &spawn.Survey{Parts: []spawn.Part{
		{Level: spawn.Plain, Name: "process", OK: true},
		{Level: spawn.Namespaces, Name: "user"},
		{Level: spawn.Namespaces, Name: "net", OK: true},
		{Level: spawn.Sandbox, Name: "uid"},
	}}
	for file, want := range map[string]string{
		"jobs: [{id: a, run: [x]}]":                                              "",
		"jobs: [{id: a, run: [x], isolation: namespaces}]":                       "user",
		"defaults: {isolation: sandbox}\njobs: [{id: a, run: [x]}]":              "user uid",
		"worker: {isolation: sandbox}\njobs: [{id: a, task: echo}]":              "user uid",
		"jobs: [{id: a, run: [x], isolation: sandbox, require_isolation: true}]": "",
	} {
		f, err := config.Parse("job.yaml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(gapsOf(survey, lenientLevel(f)), " "); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}
