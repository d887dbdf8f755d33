package remote

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// Table has the shared objects. Its methods do not block.
type Table interface {
	// Object returns the state machine behind a reference, a pointer to a type of
	// package broker. ok is false when there is none, any more.
	Object(id uint64) (obj any, ok bool)
	// Open finds an object by its name, or makes it.
	Open(r *OpenRequest) (Ref, error)
}

// OpenRequest is what is asked of a Table.
type OpenRequest struct {
	Kind string
	Name string
	Type string
	Size int64 // see Ref; of cells: how many Values there are
	// Sized says that an object of another size will not do.
	Sized bool
	// Values are the cells of an object that is made by being opened.
	Values [][]byte
	// PeerKind is the kind of the lock of a condition.
	PeerKind string
}

// Jobs are those of a link.
type Jobs interface {
	// Running returns the label of a job that was sent and is not yet answered.
	Running(id uint64) (label string, ok bool)
}

// Reply is an answer on its way to the worker; with ID 0 it is the notice of a
// post that has failed.
type Reply struct {
	ID      uint64
	Status  ipc.Status
	Payload []byte
}

// Session serves the calls of one link. Call, JobEnded and End are for one
// goroutine at a time, the one that reads the link.
type Session struct {
	table Table  // nil: there is none
	home  uint32 // the upper half of the numbers of its objects; 0 = not known
	jobs  Jobs
	who   owner.Identity
	send  func(Reply)
	warn  func(msg string, kv ...any)

	serving call // by the goroutine that reads

	mu      sync.Mutex
	owners  map[uint64]*owner.Owner // by their numbers on the wire
	named   int                     // of these, those that are no jobs
	open    map[uint64]*request
	later   int                        // calls to be answered that are not in open
	pending int                        // bytes of the payloads of open
	posted  int                        // bytes of posted items that wait for room
	tails   map[uint64]*posted         // the last one of these, by object
	ends    map[uint64]*broker.PipeEnd // that the process has
	crowd   int                        // of ends, when those that were removed are looked for
	over    bool
}

// NewSession makes the session of a link to the process who. Without a table
// (nil) what needs an object fails with broker.ErrNoManager. send is called by whoever
// settles a request, from any goroutine, and does not block; never after End has
// returned. warn, which may be nil, is told what owners have left behind.
func NewSession(t Table, jobs Jobs, who owner.Identity, send func(Reply), warn func(msg string, kv ...any)) *Session {
	return &Session{
		table: t, home: registered(t), jobs: jobs, who: who, send: send, warn: warn,
		owners: map[uint64]*owner.Owner{}, open: map[uint64]*request{}, ends: map[uint64]*broker.PipeEnd{}, tails: map[uint64]*posted{},
	}
}

// Adopt makes o the owner of a job. The session ends it with the job or with
// itself, unless whoever has made it was first.
func (s *Session) Adopt(job uint64, o *owner.Owner) {
	s.mu.Lock()
	s.owners[job<<1] = o
	s.mu.Unlock()
}

// request is a call that has to wait.
type request struct {
	broker.Ticket
	s     *Session
	id    uint64
	bytes int
	grant func(r *request) []byte // the payload of the answer
}

// call is a message that is being served.
type call struct {
	scanner
	id     uint64
	object uint64
	size   int // of the payload
	owned  bool
}

// Call serves a call or a post. It never blocks. An error is a violation of the
// protocol: the worker is not heard any further.
func (s *Session) Call(m *ipc.Message) error {
	op, ok := operations[string(m.Name)]
	switch {
	case !ok && m.ID == 0:
		return nil // of a later version, which does not need to know
	case !ok:
		s.refuse(&call{id: m.ID}, 0, fmt.Errorf("operation %.64q is not known to this supervisor", m.Name))
		return nil
	case op.as == asPost && m.ID != 0:
		return violation("%s is not a call", m.Name)
	case op.as == asCall && m.ID == 0:
		return violation("%s is not a post", m.Name)
	}
	c := &s.serving
	*c = call{scanner: scanner{b: m.Body}, id: m.ID, size: len(m.Body), owned: len(m.Body) > ipc.MaxInline}
	if c.id != 0 {
		if err := s.admit(c); err != nil {
			return err
		}
	}
	op.serve(s, c)
	if c.bad {
		return violation("bad arguments of %s", m.Name)
	}
	return nil
}

// admit checks what a worker that waits for its answers keeps to.
func (s *Session) admit(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open[c.id] != nil:
		return violation("call %d is open", c.id)
	case len(s.open)+s.later >= MaxOpen:
		return violation("more than %d open calls", MaxOpen)
	case c.size > smallCall && s.pending > 0 && s.pending+c.size > maxPending:
		return violation("open calls have payloads of more than %d bytes", maxPending)
	}
	return nil
}

func violation(format string, args ...any) error {
	return &ipc.ProtocolError{Kind: ipc.KindCall, Reason: fmt.Sprintf(format, args...)}
}

// answer grants a call. That to a post is not sent, and one that is too large to
// travel is an error.
func (s *Session) answer(c *call, payload []byte) {
	switch {
	case len(payload) > maxReply:
		s.refuse(c, 0, tooLarge(len(payload)))
	case c.id != 0:
		s.send(Reply{ID: c.id, Payload: payload})
	}
}

func tooLarge(n int) error {
	return fmt.Errorf("%w: %d bytes, at most %d travel", broker.ErrTooLarge, n, ipc.MaxMessage)
}

// settle answers a call that says nothing but whether it has worked.
func (s *Session) settle(c *call, who uint64, err error) {
	if err != nil {
		s.refuse(c, who, err)
		return
	}
	s.answer(c, done)
}

var done = appendNil(nil)

// refuse answers a call with an error, and a post with a notice.
func (s *Session) refuse(c *call, who uint64, err error) {
	if c.id == 0 {
		s.notify(c.object, who, err)
		return
	}
	s.send(Reply{ID: c.id, Status: ipc.StatusFailed, Payload: appendError(nil, err)})
}

func (s *Session) notify(object, who uint64, err error) {
	b := appendUint(appendUint(appendArray(nil, 3), object), who)
	s.send(Reply{Status: ipc.StatusFailed, Payload: appendCause(b, err)})
}

// ask hands the request of a call that may wait to its object.
func (s *Session) ask(c *call, o *owner.Owner, do func(*broker.Ticket), grant func(*request) []byte) {
	r := &request{s: s, id: c.id, grant: grant}
	r.Owner = o
	r.Settled = r.settled
	s.mu.Lock()
	s.open[c.id] = r
	if c.size > smallCall {
		r.bytes = c.size
	}
	s.pending += r.bytes
	s.mu.Unlock()
	do(&r.Ticket)
}

// settled answers a request that has become final.
func (r *request) settled(*broker.Ticket) {
	s := r.s
	s.mu.Lock()
	delete(s.open, r.id)
	s.pending -= r.bytes
	over := s.over
	s.mu.Unlock()
	if over {
		return
	}
	reply := Reply{ID: r.id}
	switch {
	case r.Err == nil:
		reply.Payload = r.grant(r)
	case r.Err == errCancelled:
		// A condition's wait has its lock again, which may have been left to it.
		reply.Status, reply.Payload = ipc.StatusCancelled, abandonedPayload(r.Abandoned)
	default:
		reply.Status, reply.Payload = ipc.StatusFailed, appendError(nil, r.Err)
	}
	s.send(reply)
}

// owner finds an owner by its number on the wire: 0 is nobody, n<<1 job n, an odd
// one was named. One that has ended gets nothing any more.
func (s *Session) owner(wire uint64) (*owner.Owner, error) {
	if wire == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.owners[wire]; o != nil {
		return o, nil
	}
	if wire&1 == 0 && !s.over {
		if label, ok := s.jobs.Running(wire >> 1); ok {
			if label == "" {
				label = strconv.FormatUint(wire>>1, 10)
			}
			o := owner.New(owner.Identity{Name: "job " + label, PID: s.who.PID, Job: label})
			s.owners[wire] = o
			return o, nil
		}
	}
	return nil, broker.ErrEnded
}

// JobEnded is the end of a job's owner: the job was answered. Calls of it that
// come later get broker.ErrEnded.
func (s *Session) JobEnded(id uint64, cause error) { s.ownerEnded(id<<1, cause) }

func (s *Session) ownerEnded(wire uint64, cause error) {
	s.mu.Lock()
	o := s.owners[wire]
	delete(s.owners, wire)
	if o != nil && wire&1 == 1 {
		s.named--
	}
	s.mu.Unlock()
	if o != nil {
		s.endOwner(o, cause)
	}
}

func (s *Session) endOwner(o *owner.Owner, cause error) {
	if s.warn != nil {
		for _, p := range o.Parties() {
			if r, ok := p.(interface{ Resource() string }); ok {
				s.warn("abandoned", "object", r.Resource(), "owner", o.Identity().String(), "worker", s.who.Name, "cause", cause)
			}
		}
	}
	o.End(cause)
}

// End is the end of the session: the process is gone, and everything that it had
// to say was read. All its owners end with the cause.
func (s *Session) End(cause error) {
	s.mu.Lock()
	s.over = true
	open, owners, ends := s.open, s.owners, s.ends
	s.open, s.owners, s.ends = map[uint64]*request{}, map[uint64]*owner.Owner{}, nil
	s.mu.Unlock()
	// First the owners: one who waits must not get what it waits for any more, as a
	// condition's wait that is merely cancelled gets its lock.
	for _, o := range owners {
		s.endOwner(o, cause)
	}
	for _, r := range open {
		r.Cancel(cause)
	}
	for _, e := range ends {
		e.Release()
	}
}
