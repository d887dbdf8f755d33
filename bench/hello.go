package main

import (
	"context"
	"io"
	"os/exec"

	"github.com/feac4032/multiproc/bench/figure"
)

// waiting is n Go programs that have said a byte and wait.
func waiting(ctx context.Context, stand *Stand, n int) (figure.Set, error) {
	var pids []int
	for range n {
		cmd := exec.CommandContext(ctx, stand.programs["hello"])
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		defer func() {
			stdin.Close() // which is its end
			cmd.Wait()
		}()
		if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil {
			return nil, err
		}
		pids = append(pids, cmd.Process.Pid)
	}
	return figure.MeanPSS(pids)
}
