package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// Carrier sends the frames of a client. Its method may be called by many
// goroutines at once.
type Carrier interface {
	// SendCall sends a call, or with id 0 a post. It blocks while the link takes no
	// more. With now nothing is held back any longer.
	SendCall(id uint64, op string, payload []byte, now bool) error
}

// Leader is a carrier whose link may be read by who waits for a reply.
type Leader interface {
	// Lead reads the link, if it may, until done has come, and reports whether it has
	// taken that. It does not block: it reports false when it cannot go on, or ended is
	// closed, and the carrier reads by itself then. A nil ended never is.
	Lead(done, ended <-chan struct{}) bool
	// ReadOn is called before something else is waited for that comes over the link:
	// the carrier has to read by itself.
	ReadOn()
}

// Client is a worker's end of the calls of one link. It is an ipc.Caller, for
// many goroutines at once.
type Client struct {
	carrier Carrier
	leader  Leader       // the same; nil if it is none
	max     uint64       // bytes of a payload
	waiting atomic.Int32 // goroutines that wait for a reply
	habit   habit

	exchanges sync.Pool // of *exchange

	mu        sync.Mutex
	room      sync.Cond // a call has ended, or the link
	calls     map[uint64]*exchange
	last      uint64 // call id
	pending   int    // bytes of the payloads of calls
	lost      error
	agents    map[*owner.Owner]*agent
	lastAgent uint64
	named     int // agents other than those of jobs
	notices   map[subject]error
	producers map[uint64]*producer
}

var _ ipc.Caller = (*Client)(nil)

// subject is what a notice is about.
type subject struct{ object, who uint64 }

// maxNotices bounds what nobody asks for.
const maxNotices = 1 << 12

// exchange is one call and its reply.
type exchange struct {
	id     uint64
	out    []byte // the payload of the call
	in     scanner
	body   []byte // the payload of the reply, so far
	status ipc.Status
	lost   error
	done   chan struct{}   // has room for one
	then   func(*exchange) // instead of done
}

// keepBuffer is the largest buffer that an exchange is kept with.
const keepBuffer = 64 << 10

// NewClient makes the client of a link, on which a payload has at most max bytes.
func NewClient(c Carrier, max uint64) *Client {
	client := &Client{
		carrier: c, max: max, calls: map[uint64]*exchange{}, agents: map[*owner.Owner]*agent{},
		notices: map[subject]error{}, producers: map[uint64]*producer{},
	}
	client.room.L = &client.mu
	client.leader, _ = c.(Leader)
	return client
}

// Waiting reports whether somebody waits for a reply.
func (c *Client) Waiting() bool { return c.Waiters() > 0 }

// Waiters returns how many wait for a reply.
func (c *Client) Waiters() int { return int(c.waiting.Load()) }

// Call implements ipc.Caller.
func (c *Client) Call(ctx context.Context, op string, payload []byte) ([]byte, error) {
	k, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	k.out = append(k.out, payload...)
	if err := c.roundTrip(ctx, k, op); err != nil {
		return nil, err
	}
	reply := k.body
	k.body = nil
	k.in.b = nil
	return reply, c.end(k)
}

// Post implements ipc.Caller.
func (c *Client) Post(op string, payload []byte) error { return c.tell(op, payload, false) }

// tell sends a post; with now nothing is held back any longer.
func (c *Client) tell(op string, payload []byte, now bool) error {
	if err := c.carrier.SendCall(0, op, payload, now); err != nil {
		return fmt.Errorf("%w: %w", broker.ErrLost, err)
	}
	return nil
}

// begin takes an exchange whose payload is to be filled in. A context that has
// ended gets none.
func (c *Client) begin(ctx context.Context) (*exchange, error) {
	if ctx.Err() != nil {
		return nil, broker.Ended(ctx)
	}
	return c.fresh(), nil
}

func (c *Client) fresh() *exchange {
	k, _ := c.exchanges.Get().(*exchange)
	if k == nil {
		k = &exchange{done: make(chan struct{}, 1)}
	}
	k.out, k.body, k.in, k.status, k.lost, k.then = k.out[:0], k.body[:0], scanner{}, 0, nil, nil
	return k
}

// head begins the arguments of an operation: n of them, the object and on whose
// behalf included.
func (k *exchange) head(n int, object, who uint64) {
	k.out = appendUint(appendUint(appendArray(k.out, n), object), who)
}

// roundTrip sends a call and waits for its reply, and returns what the call has
// failed with. After an error the exchange is gone.
func (c *Client) roundTrip(ctx context.Context, k *exchange, op string) error {
	if err := c.answer(ctx, k, op); err != nil {
		return err
	}
	return c.outcome(ctx, k)
}

// answer sends a call and waits for its reply; when ctx ends it withdraws the call,
// and waits still. After an error, that it was not sent, the exchange is gone.
func (c *Client) answer(ctx context.Context, k *exchange, op string) error {
	if err := c.start(ctx, k, op, true); err != nil {
		return err
	}
	c.waiting.Add(1)
	if ended := ctx.Done(); c.leader != nil && c.leader.Lead(k.done, ended) {
		// It has come.
	} else if ended == nil {
		<-k.done
	} else {
		select {
		case <-k.done:
		case <-ended:
			// That it cannot be sent means that the link has ended, and the call too.
			_ = c.carrier.SendCall(0, opCancel, appendUint(appendArray(nil, 1), k.id), true)
			<-k.done
		}
	}
	c.waiting.Add(-1)
	return nil
}

// readOn makes sure that replies are taken for which nobody leads.
func (c *Client) readOn() {
	if c.leader != nil {
		c.leader.ReadOn()
	}
}

// outcome is the error of a call that was answered.
func (c *Client) outcome(ctx context.Context, k *exchange) error {
	var err error
	switch {
	case k.lost != nil:
		err = k.lost
	case k.status == ipc.StatusOK:
		k.in = scanner{b: k.body}
		return nil
	case k.status == ipc.StatusCancelled:
		if err = context.Canceled; ctx.Err() != nil {
			err = broker.Ended(ctx)
		}
	default:
		var bad error
		if err, bad = decodeError(k.body); bad != nil {
			err = fmt.Errorf("reply of the supervisor: %w", bad)
		}
	}
	c.recycle(k)
	return err
}

// start sends a call.
func (c *Client) start(ctx context.Context, k *exchange, op string, now bool) error {
	if err := c.enlist(ctx, k); err != nil {
		c.recycle(k)
		return err
	}
	c.habit.calls()
	if err := c.carrier.SendCall(k.id, op, k.out, now); err != nil {
		// The call may have been ended with the link already, or will be.
		c.Lost(err)
	}
	return nil
}

// enlist gives a call its number, once the supervisor takes one more.
func (c *Client) enlist(ctx context.Context, k *exchange) error {
	if n := len(k.out); uint64(n) > c.max {
		return fmt.Errorf("call of %d bytes, at most %d travel: %w", n, c.max, ipc.ErrTooLarge)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full(k) {
		defer context.AfterFunc(ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.room.Broadcast()
		})()
	}
	for c.full(k) {
		if ctx.Err() != nil {
			return broker.Ended(ctx)
		}
		c.readOn()
		c.room.Wait()
	}
	if c.lost != nil {
		return c.lost
	}
	c.last++
	k.id = c.last
	c.calls[k.id] = k
	c.pending += k.weight()
	return nil
}

func (c *Client) full(k *exchange) bool {
	return c.lost == nil &&
		(len(c.calls) >= MaxOpen || k.weight() > 0 && c.pending > 0 && c.pending+k.weight() > maxPending)
}

// weight is what a call counts for towards maxPending.
func (k *exchange) weight() int {
	if len(k.out) <= smallCall {
		return 0
	}
	return len(k.out)
}

// end gives an exchange back whose reply was read.
func (c *Client) end(k *exchange) error {
	var err error
	if !k.in.done() {
		err = errors.New("reply of the supervisor: not as it should be")
	}
	c.recycle(k)
	return err
}

func (c *Client) recycle(k *exchange) {
	if cap(k.out) > keepBuffer {
		k.out = nil
	}
	if cap(k.body) > keepBuffer {
		k.body = nil
	}
	k.in = scanner{}
	c.exchanges.Put(k)
}

// Reply takes a reply frame. An error is a violation of the protocol.
func (c *Client) Reply(m *ipc.Message) error {
	if m.ID == 0 {
		return c.notice(m)
	}
	c.mu.Lock()
	k := c.calls[m.ID]
	if k == nil {
		c.mu.Unlock()
		return &ipc.ProtocolError{Kind: m.Kind, Reason: fmt.Sprintf("for call %d, which is not open", m.ID)}
	}
	if len(k.body)+len(m.Body) > maxReply {
		c.mu.Unlock()
		return &ipc.ProtocolError{Kind: m.Kind, Reason: fmt.Sprintf("of more than %d bytes", maxReply)}
	}
	k.body = append(k.body, m.Body...)
	if m.Status == ipc.StatusPart {
		c.mu.Unlock()
		return nil
	}
	k.status = m.Status
	c.close(k)
	c.mu.Unlock()
	k.answered()
	return nil
}

// close ends a call. The caller holds mu.
func (c *Client) close(k *exchange) {
	crowded := len(c.calls) >= MaxOpen || c.pending > 0
	delete(c.calls, k.id)
	c.pending -= k.weight()
	if crowded {
		c.room.Broadcast()
	}
}

func (k *exchange) answered() {
	if k.then != nil {
		k.then(k)
		return
	}
	k.done <- struct{}{}
}

// notice keeps what went wrong with a post, until the next operation of its owner
// on its object returns it.
func (c *Client) notice(m *ipc.Message) error {
	s := scanner{b: m.Body}
	s.arrayOf(3)
	about := subject{s.uint(), s.uint()}
	err := s.cause()
	if !s.done() || err == nil {
		return &ipc.ProtocolError{Kind: m.Kind, Reason: "a bad notice"}
	}
	c.note(about, err)
	return nil
}

func (c *Client) note(about subject, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.notices) >= maxNotices {
		for old := range c.notices { // any: its owner may have ended long ago
			delete(c.notices, old)
			break
		}
	}
	c.notices[about] = err
}

// settled forgets that an object was taken from somebody who has it again.
func (c *Client) settled(object, who uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	about := subject{object, who}
	if len(c.notices) > 0 && errors.Is(c.notices[about], broker.ErrTakenAway) {
		delete(c.notices, about)
	}
}

// noticed returns what has gone wrong before.
func (c *Client) noticed(object, who uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.notices) == 0 {
		return nil
	}
	about := subject{object, who}
	err := c.notices[about]
	delete(c.notices, about)
	return err
}

// Lost is the end of the link: all calls end with broker.ErrLost.
func (c *Client) Lost(cause error) {
	c.mu.Lock()
	if c.lost == nil {
		c.lost = broker.ErrLost
		if cause != nil {
			c.lost = fmt.Errorf("%w: %w", broker.ErrLost, cause)
		}
	}
	calls := c.calls
	c.calls = map[uint64]*exchange{}
	c.pending = 0
	for _, k := range calls {
		k.lost = c.lost
	}
	c.room.Broadcast()
	c.mu.Unlock()
	for _, k := range calls {
		k.answered()
	}
}
