package faulttest_test

import "testing"

// everything are the flags of all that a run writes.
var everything = []string{"-results", "results.jsonl", "-output-dir", "out", "-trace", "trace.json"}

// A worker that is given a secret may print it, fail with it and die with it: it is in
// nothing that the run writes. The checker looks for it everywhere.
func TestFaults_SecretsOfAWorker(t *testing.T) {
	const job = "secrets: [PLANTED]"
	rows(t, false, []row{
		{name: "panic with the secret", job: job, flags: everything, want: "crashed", which: "panic", because: "panic: no access with "},
		{name: "error with the secret", job: job, flags: everything, want: "failed", because: "no access with "},
		{name: "last words with the secret", job: job, flags: everything, want: "crashed", because: "no access with "},
	})
}

func TestFaults_SecretsOfACommand(t *testing.T) {
	const job = "secrets: [PLANTED]"
	rows(t, true, []row{
		{name: "last words with the secret", job: job, flags: everything, want: "failed", because: "exit code 3"},
		{name: "the secret in pieces", job: job, flags: everything},
		{name: "the secret in quotes", job: job, flags: everything},
	})
}
