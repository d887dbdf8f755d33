package pool

import (
	"context"
	"iter"

	"github.com/feac4032/multiproc/task"
)

// Map calls the task for every item of in, in the pool's workers, and hands over
// the results in the order of the input (Pool.map, Pool.imap). It is lazy: nothing
// is begun before the loop over it is, the input is read only as far ahead as
// Buffer allows, and so it may be endless. The sequence can be looped over again,
// and then begins anew, with its input.
//
// Small items travel together, in chunks. By default their number is measured; see
// Chunk. A chunk's results come together, so that an item which takes much longer
// than those before it did holds its mates back once; Chunk(1) is for inputs where
// that matters. A worker without the capability map gets single items.
//
// An item that fails does not end the loop: the loop gets the zero Out and the
// error, as Future.Result returns it, and what follows. So does an item that
// cannot be encoded, or whose result cannot be decoded. FailFast changes that. Its
// mates in a chunk keep their results. WithRetry holds for each item, which is
// tried again alone.
//
// When a worker ends, the error is that of the item that it was at. Its mates, those
// before it too, are run again in other chunks: their function may so run twice,
// and it may for a result that finds no room beside others (64 MiB for a chunk).
// WithTimeout bounds one item, and makes chunks of one.
//
// The end of ctx ends the loop: it gets context.Cause(ctx) as a last error. So it
// does with ErrClosed, when the pool is closed, and with an error that is ErrJob for
// options that make no sense. Leaving the loop, by break or in any other way,
// cancels what is under way, and waits for nothing: neither for the jobs nor for
// the input.
//
// The input runs on a goroutine of its own, at most until it next calls yield after
// the loop has ended, and one that blocks holds no result back. If it panics, the
// loop does, after the results of the items before, with the input's stack in the
// text.
func Map[In, Out any](ctx context.Context, p *Pool, t task.Task[In, Out], in iter.Seq[In], opts ...Option) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		m, err := newMapper(ctx, p, t, in, opts)
		if err == nil {
			err = m.loop(func(_ *chunk[In], _ int, out Out, err error) bool { return yield(out, err) })
		}
		if err != nil {
			var none Out
			yield(none, err)
		}
	}
}
