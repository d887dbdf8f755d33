package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// DefaultQuota is how many bytes of outputs a run keeps.
const DefaultQuota = 1 << 30

// Outputs keeps what instances wrote in segment files of up to a 64th of a
// quota. A larger output has a segment to itself, and one larger than what there
// is room for is not stored.
//
// What has been printed may go when the room is needed: whole segments, oldest
// first, once everything in them has been printed. All methods may be called by
// several goroutines.
type Outputs struct {
	mu    sync.Mutex
	shelf shelf
	named bool // segments can be opened again
	quota int64
	limit int64 // of a segment
	reads reads

	segments []*segment // oldest first
	current  *segment   // takes small outputs
	next     int32
	total    int64 // bytes of all segments
	buffer   []byte
	names    bool // a name was made that is not durable
	unsynced []*segment
	// changed are segments whose state is to be recorded, when somebody records.
	changed map[int32]segmentState
	record  bool
	closed  bool
}

type segment struct {
	number    int32
	file      file  // nil once nothing is written to it, when it can be opened again
	size      int64 // with what is in the buffer
	unprinted int64
	origin    int64
}

type segmentState struct {
	bytes  int64
	state  string
	origin int64
}

const (
	segmentOpen   = "open"
	segmentSealed = "sealed"
	segmentGone   = "gone"
)

// Ref is where the outputs of an instance are. The zero Ref is that of one that
// wrote nothing.
type Ref struct {
	Segment int32 // 0 = not stored, or nothing to store
	Offset  int64
	Stdout  int64 // bytes; the lengths stay when the output goes
	Stderr  int64
}

// Len is the length of both outputs.
func (r Ref) Len() int64 { return r.Stdout + r.Stderr }

// Stored reports whether the outputs were stored, which is not to say that they
// still are.
func (r Ref) Stored() bool { return r.Segment != 0 || r.Len() == 0 }

// Small outputs are collected up to maxBuffer bytes before they are written.
const maxBuffer = 256 << 10

// OpenOutputs keeps outputs in files without a name in dir, "" = the folder for
// temporary files, until Close or the end of the process. quota is in bytes, 0 =
// DefaultQuota. Up to 128 files are open at a time.
func OpenOutputs(dir string, quota int64) (*Outputs, error) {
	if quota < 0 {
		return nil, fmt.Errorf("outputs: a quota of %d bytes", quota)
	}
	return newOutputs(hiddenShelf{dir}, quota, false), nil
}

func newOutputs(s shelf, quota int64, named bool) *Outputs {
	if quota <= 0 {
		quota = DefaultQuota
	}
	return &Outputs{
		shelf: s, named: named, quota: quota, limit: max(quota/64, 1), next: 1,
		reads: reads{shelf: s}, changed: map[int32]segmentState{}, record: named,
	}
}

// Put stores the outputs of an instance; nil is an empty one. It does not wait
// for the disk, see Sync. Without Room the Ref says that they were not stored.
// After an error nothing is stored of them, and what was stored before stays.
func (o *Outputs) Put(stdout, stderr Content) (Ref, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.mark()
	ref, err := o.put(stdout, stderr)
	if err == nil {
		err = o.flush()
	}
	if err != nil {
		return Ref{}, errors.Join(err, o.rollback(m))
	}
	return ref, nil
}

// put is Put without the flush. After an error the caller rolls back.
func (o *Outputs) put(stdout, stderr Content) (Ref, error) {
	ref := Ref{Stdout: lengthOf(stdout), Stderr: lengthOf(stderr)}
	n := ref.Len()
	if n == 0 {
		return ref, nil
	}
	if o.closed {
		return Ref{}, ErrClosed
	}
	if !o.room(n) {
		return ref, nil
	}
	if err := o.makeRoom(n); err != nil {
		return Ref{}, err
	}
	s, err := o.place(n)
	if err != nil {
		return Ref{}, err
	}
	ref.Segment, ref.Offset = s.number, s.size
	o.total += n
	s.size += n
	s.unprinted += n
	if !slices.Contains(o.unsynced, s) {
		o.unsynced = append(o.unsynced, s)
	}
	if s == o.current && n <= maxBuffer/4 {
		if len(o.buffer)+int(n) > maxBuffer {
			// The buffer holds what stands before this output.
			if err := o.write(s, s.size-n); err != nil {
				return Ref{}, err
			}
		}
		w := (*appender)(o)
		if err := copyContent(w, stdout); err != nil {
			return Ref{}, err
		}
		return ref, copyContent(w, stderr)
	}
	if s == o.current {
		if err := o.write(s, ref.Offset); err != nil {
			return Ref{}, err
		}
	}
	w := &writerAt{f: s.file, off: ref.Offset}
	if err := copyContent(w, stdout); err != nil {
		return Ref{}, err
	}
	if err := copyContent(w, stderr); err != nil {
		return Ref{}, err
	}
	if s != o.current {
		o.seal(s)
	}
	return ref, nil
}

// place finds the segment for n bytes more.
func (o *Outputs) place(n int64) (*segment, error) {
	if n > o.limit {
		return o.create()
	}
	if o.current != nil && o.current.size+n > o.limit {
		if err := o.sealCurrent(); err != nil {
			return nil, err
		}
	}
	if o.current == nil {
		s, err := o.create()
		if err != nil {
			return nil, err
		}
		o.current = s
	}
	return o.current, nil
}

func (o *Outputs) create() (*segment, error) {
	if o.next > maxSegment {
		return nil, fmt.Errorf("outputs: more than %d segments", maxSegment)
	}
	f, err := o.shelf.create(o.next)
	if err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	s := &segment{number: o.next, file: f}
	o.next++
	o.segments = append(o.segments, s)
	o.names = true
	o.note(s, segmentOpen)
	return s, nil
}

func (o *Outputs) sealCurrent() error {
	s := o.current
	if err := o.write(s, s.size); err != nil {
		return err
	}
	o.current = nil
	o.seal(s)
	return nil
}

// seal says that nothing more comes to a segment. Its file stays open until it
// is on the disk.
func (o *Outputs) seal(s *segment) { o.note(s, segmentSealed) }

func (o *Outputs) note(s *segment, state string) {
	if o.record {
		o.changed[s.number] = segmentState{s.size, state, s.origin}
	}
}

// room reports whether n bytes fit. The caller holds mu.
func (o *Outputs) room(n int64) bool {
	free := o.quota - o.total
	if n <= free {
		return true
	}
	for _, s := range o.segments {
		if s.unprinted == 0 {
			free += s.size
		}
	}
	return n <= free
}

// Room reports whether n bytes more can be stored now: what has not been printed
// cannot go.
func (o *Outputs) Room(n int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.room(n)
}

// makeRoom lets printed segments go, oldest first, until n bytes fit.
func (o *Outputs) makeRoom(n int64) error {
	for i := 0; i < len(o.segments) && o.total+n > o.quota; {
		if o.segments[i].unprinted > 0 {
			i++
			continue
		}
		if err := o.evict(i); err != nil {
			return err
		}
	}
	return nil
}

// evict removes a segment.
func (o *Outputs) evict(i int) error {
	s := o.segments[i]
	if err := o.shelf.remove(s.number); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	if s == o.current {
		o.current, o.buffer = nil, o.buffer[:0]
	}
	o.reads.drop(s.number)
	if s.file != nil {
		s.file.Close()
	}
	o.segments = slices.Delete(o.segments, i, i+1)
	o.unsynced = slices.DeleteFunc(o.unsynced, func(u *segment) bool { return u == s })
	o.total -= s.size
	o.note(s, segmentGone)
	return nil
}

// write writes the buffer, which ends at end in s.
func (o *Outputs) write(s *segment, end int64) error {
	if len(o.buffer) == 0 {
		return nil
	}
	n, err := s.file.WriteAt(o.buffer, end-int64(len(o.buffer)))
	if err == nil && n < len(o.buffer) {
		err = io.ErrShortWrite
	}
	o.buffer = o.buffer[:0]
	if err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	return nil
}

func (o *Outputs) flush() error {
	if o.current == nil {
		return nil
	}
	return o.write(o.current, o.current.size)
}

// appender appends to the buffer.
type appender Outputs

func (a *appender) Write(b []byte) (int, error) {
	a.buffer = append(a.buffer, b...)
	return len(b), nil
}

type writerAt struct {
	f   file
	off int64
}

func (w *writerAt) Write(b []byte) (int, error) {
	n, err := w.f.WriteAt(b, w.off)
	w.off += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

// Sync returns when everything that was put is on the disk.
func (o *Outputs) Sync() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sync()
}

func (o *Outputs) sync() error {
	if err := o.flush(); err != nil {
		return err
	}
	for len(o.unsynced) > 0 {
		s := o.unsynced[len(o.unsynced)-1]
		if err := s.file.Sync(); err != nil {
			return fmt.Errorf("outputs: %w", err)
		}
		o.unsynced = o.unsynced[:len(o.unsynced)-1]
	}
	if o.named {
		for _, s := range o.segments {
			if s.file != nil && s != o.current {
				s.file.Close()
				s.file = nil
			}
		}
	}
	if o.names {
		if err := o.shelf.sync(); err != nil {
			return fmt.Errorf("outputs: %w", err)
		}
		o.names = false
	}
	return nil
}

// mark is a state to which outputs can be rolled back.
type mark struct {
	next      int32
	current   *segment
	size      int64
	unprinted int64
}

func (o *Outputs) mark() mark {
	m := mark{next: o.next, current: o.current}
	if o.current != nil {
		m.size, m.unprinted = o.current.size, o.current.unprinted
	}
	return m
}

// rollback takes back what was put since the mark, at which the buffer was
// empty. It gives the room on the disk back, too.
func (o *Outputs) rollback(m mark) error {
	o.buffer = o.buffer[:0]
	var errs []error
	for i := len(o.segments) - 1; i >= 0 && o.segments[i].number >= m.next; i-- {
		if o.segments[i].origin != 0 {
			continue
		}
		s := o.segments[i]
		if err := o.evict(i); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(o.changed, s.number)
	}
	s := m.current
	if s == nil || !slices.Contains(o.segments, s) {
		return errors.Join(errs...)
	}
	o.total -= s.size - m.size
	s.size, s.unprinted = m.size, m.unprinted
	if s.file == nil {
		return errors.Join(errs...) // sealed and on the disk; the rest of it is ignored
	}
	if err := s.file.Truncate(s.size); err != nil {
		errs = append(errs, fmt.Errorf("outputs: %w", err))
	}
	o.current = s
	o.note(s, segmentOpen)
	return errors.Join(errs...)
}

// Reader gives the outputs of a ref. They may be read until Close or until they
// go, which is ErrGone, also in the midst of reading.
func (o *Outputs) Reader(ref Ref) (stdout, stderr *io.SectionReader, err error) {
	return read(ref, o.file)
}

func (o *Outputs) file(number int32) (file, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, ErrClosed
	}
	i, ok := slices.BinarySearchFunc(o.segments, number, func(s *segment, n int32) int { return int(s.number) - int(n) })
	if !ok {
		return nil, ErrGone
	}
	s := o.segments[i]
	if s == o.current {
		if err := o.flush(); err != nil {
			return nil, err
		}
	}
	if s.file != nil {
		return s.file, nil
	}
	return o.reads.get(number)
}

// Printed says that an output has been printed, once.
func (o *Outputs) Printed(ref Ref) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.printed(ref)
}

func (o *Outputs) printed(ref Ref) {
	if ref.Segment == 0 {
		return
	}
	// The oldest are printed first, as a rule.
	for _, s := range o.segments {
		if s.number == ref.Segment {
			s.unprinted = max(0, s.unprinted-ref.Len())
			return
		}
	}
}

// Close closes all files; those without a name are gone. It does not wait for
// the disk.
func (o *Outputs) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	err := o.flush()
	o.closed = true
	for _, s := range o.segments {
		if s.file != nil {
			if e := s.file.Close(); e != nil && !errors.Is(e, fs.ErrClosed) {
				err = errors.Join(err, e)
			}
			s.file = nil
		}
	}
	o.reads.close()
	return err
}
