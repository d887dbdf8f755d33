package broker

import (
	"strconv"
	"sync"
)

// Event is a flag that others wait for; Python's Event.
type Event struct {
	name string

	mu      sync.Mutex
	set     bool
	line    line // not empty only while it is not set
	removed error
}

// NewEvent makes an event that is not set.
func NewEvent(name string) *Event { return &Event{name: name} }

// Name is the name that it was made with.
func (e *Event) Name() string { return e.name }

// Resource is what messages call it.
func (e *Event) Resource() string { return "event " + strconv.Quote(e.name) }

// Set sets the flag. All who wait go on, also if it is cleared at once.
func (e *Event) Set() {
	var out settlements
	e.mu.Lock()
	if e.removed == nil {
		e.set = true
		e.line.settleAll(nil, &out)
	}
	e.mu.Unlock()
	out.run()
}

// Clear clears the flag.
func (e *Event) Clear() {
	e.mu.Lock()
	e.set = false
	e.mu.Unlock()
}

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Wait waits until the flag is set. It needs no owner; the end of one ends its
// wait.
func (e *Event) Wait(t *Ticket) {
	var out settlements
	e.mu.Lock()
	switch {
	case e.removed != nil:
		out.settle(t, e.removed)
	case e.set:
		out.settle(t, nil)
	case t.enter(e, &e.mu, &out):
		e.line.push(t)
	}
	e.mu.Unlock()
	out.run()
}

// withdraw implements station.
func (e *Event) withdraw(t *Ticket, cause error, out *settlements) {
	e.line.remove(t)
	t.leave()
	out.settle(t, cause)
}

// Remove ends the event: all who wait get cause, and so does every later Wait.
func (e *Event) Remove(cause error) {
	var out settlements
	e.mu.Lock()
	if e.removed == nil {
		e.removed = cause
	}
	e.set = false
	e.line.settleAll(e.removed, &out)
	e.mu.Unlock()
	out.run()
}
