package faulttest_test

import "testing"

// Bytes that are no frame, or not the one that is due, end the worker that sent
// them, and cost no other job.
func TestFaults_Frames(t *testing.T) {
	const megabytes = 1_000_000
	const large = "\nforeach: {lines: large}\nchunk: 4" // 40 MB
	rows(t, false, []row{
		{name: "text on the link", want: "protocol", because: "frame of "},
		{name: "half a frame then silence", want: "protocol", because: "frame did not end within 3", within: 50e9, waits: true},
		{name: "one byte a second", within: 50e9, waits: true},
		{name: "zeros on the link", want: "protocol", because: "frame of 0 bytes"},
		{name: "noise on the link", want: "protocol", because: "frame of "},
		{name: "length 0", want: "protocol", because: "frame of 0 bytes"},
		{name: "length over the cap", want: "protocol", because: "frame of 1048577 bytes"},
		{name: "length of 4 GiB", want: "protocol", because: "frame of 4294967295 bytes"},
		{name: "bad kind", want: "protocol", because: "no such kind"},
		{name: "kind of a supervisor", want: "protocol", because: "not for a supervisor"},
		{name: "half a frame then death", want: "crashed", because: "exited with code 6 under the job"},
		{name: "half of ready then silence", worker: swift, told: "not ready within 1s"},
		{name: "bad version", told: "worker answers with 2"},
		{name: "bad nonce", worker: swift, told: "not ready within 1s"},
		{name: "ready again", want: "protocol", because: "ready frame: out of place"},
		{name: "prints hello", told: "nonce in something else"},
		{name: "result twice", told: "which it has answered before"},
		{name: "result of a finished job", told: "which it has answered before"},
		{name: "result of an unknown job", want: "protocol", because: "for job 18446744073709551615, which it has not been given"},
		{name: "more chunks than announced", want: "protocol", because: "more than the 70000 bytes that were announced"},
		{name: "result announced as 2^63", want: "protocol", because: "protocol violation"},
		{name: "flood of log lines", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "flood of progress", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "flood of pings", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "stops reading", job: "timeout: 2s" + large, n: 1, want: "timeout", because: "timeout of 2s",
			large: 10 * megabytes, memory: 400 * megabytes, again: true},
		{name: "closes its input", job: "timeout: 5s" + large, n: 1, want: "protocol", because: "closed its end of the link and went on",
			large: 10 * megabytes, memory: 400 * megabytes, again: true},
	})
}
