package owner

import (
	"cmp"
	"slices"
)

// parties is what has something of one owner. Mostly there are few, and the last
// one in is the first one out: a slice, searched from its end. An owner that many
// goroutines share may wait in thousands of places at once: then a map.
type parties struct {
	few  []entry
	many map[Party]entry
	last uint64 // order of the last one entered
}

type entry struct {
	party Party
	n     int    // how often it was entered
	order uint64 // of its first entry
}

// maxFew is when searching a slice becomes slower than a map.
const maxFew = 32

func (s *parties) add(p Party) {
	if s.many != nil {
		e, ok := s.many[p]
		if !ok {
			s.last++
			e = entry{party: p, order: s.last}
		}
		e.n++
		s.many[p] = e
		return
	}
	if i := s.find(p); i >= 0 {
		s.few[i].n++
		return
	}
	s.last++
	s.few = append(s.few, entry{p, 1, s.last})
	if len(s.few) > maxFew {
		s.many = make(map[Party]entry, 2*len(s.few))
		for _, e := range s.few {
			s.many[e.party] = e
		}
		s.few = nil
	}
}

func (s *parties) remove(p Party) {
	if s.many != nil {
		e, ok := s.many[p]
		switch {
		case !ok:
		case e.n > 1:
			e.n--
			s.many[p] = e
		default:
			if delete(s.many, p); len(s.many) == 0 {
				s.many = nil
			}
		}
		return
	}
	i := s.find(p)
	if i < 0 {
		return
	}
	if s.few[i].n--; s.few[i].n == 0 {
		s.few = slices.Delete(s.few, i, i+1)
	}
}

func (s *parties) find(p Party) int {
	for i := len(s.few) - 1; i >= 0; i-- {
		if s.few[i].party == p {
			return i
		}
	}
	return -1
}

// list returns the parties in the order in which they were entered.
func (s *parties) list() []Party {
	entries := s.few
	if s.many != nil {
		entries = make([]entry, 0, len(s.many))
		for _, e := range s.many {
			entries = append(entries, e)
		}
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
	}
	var all []Party
	for _, e := range entries {
		all = append(all, e.party)
	}
	return all
}

func (s *parties) clear() { s.few, s.many = nil, nil }
