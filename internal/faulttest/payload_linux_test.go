package faulttest_test

import (
	"testing"

	"github.com/feac4032/multiproc/internal/faulttest"
)

// No value of msgpack, wherever it stands, does more than end its worker.
func TestFaults_Payloads(t *testing.T) {
	var all []row
	for _, bomb := range faulttest.Bombs() {
		all = append(all,
			row{name: "result of " + bomb.Name, want: "protocol", because: "payload for job 1"},
			row{name: "error of " + bomb.Name, want: "protocol", because: "payload for job 1"},
			row{name: "envelope with " + bomb.Name, want: "protocol", because: "protocol violation in result frame"},
			row{name: "ready with " + bomb.Name, told: "protocol violation in ready frame"},
		)
	}
	rows(t, false, append(all,
		row{name: "result with bytes behind", want: "protocol", because: "1 trailing bytes"},
		row{name: "result of nothing", want: "protocol", because: "payload for job 1"},
		row{name: "frame with bytes behind", want: "protocol", because: "1 trailing bytes"},
		row{name: "log line that is no UTF-8", want: "protocol", because: "protocol violation in log frame"},
		row{name: "id of −1", want: "protocol", because: "bad or missing id"},
		row{name: "status 9", want: "protocol", because: "bad or missing status"},
		row{name: "extension as id", want: "protocol", because: "bad or missing id"},
		row{name: "name that is no UTF-8", told: "protocol violation in ready frame"},
		row{name: "name that is an extension", told: "protocol violation in ready frame"},
		row{name: "window of −1", told: "protocol violation in ready frame"},
		row{name: "window of 2^63", told: "protocol violation in ready frame"},
	))
}
