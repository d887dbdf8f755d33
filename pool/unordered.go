package pool

import (
	"context"
	"iter"

	"github.com/feac4032/multiproc/task"
)

// Item is the end of one item of Unordered.
type Item[In, Out any] struct {
	Index int // in the input, from 0; −1 for the error of the loop itself
	In    In
	Out   Out
	Err   error // as in Map
}

// Unordered is Map in the order in which the results come (Pool.imap_unordered): a
// slow item delays no other than its mates in a chunk. Items tell which one they
// are. The end of ctx, ErrClosed and options that make no sense come as a last
// item, with the index −1.
func Unordered[In, Out any](ctx context.Context, p *Pool, t task.Task[In, Out], in iter.Seq[In], opts ...Option) iter.Seq[Item[In, Out]] {
	return func(yield func(Item[In, Out]) bool) {
		m, err := newMapper(ctx, p, t, in, opts)
		if err == nil {
			m.unordered = true
			err = m.loop(func(c *chunk[In], i int, out Out, err error) bool {
				item := Item[In, Out]{Index: c.index + i, In: c.ins[i], Out: out, Err: err}
				return yield(item)
			})
		}
		if err != nil {
			yield(Item[In, Out]{Index: -1, Err: err})
		}
	}
}
