package ipc

// ItemResults is what a worker has answered to a job of many items.
type ItemResults struct {
	// Values holds the results one behind the other, without the head of their
	// array; that of an item that has failed is any value.
	Values   []byte
	Failures []ItemFailure // by rising index
}

// ItemFailure is the failure of one item.
type ItemFailure struct {
	Index int
	Body  []byte // msgpack of a failure, not looked at
}

// ParseItems takes the payload of a result apart that answers a job of n items.
// The slices are parts of b. The bytes may be hostile; the error is a
// *ProtocolError.
func ParseItems(b []byte, n int) (r ItemResults, err error) {
	c := cursor{b: b}
	if parts, ok := c.arrayLen(); !ok || parts != 2 {
		return r, violation(KindResult, "of %d items is no array of 2 elements", n)
	}
	if values, ok := c.arrayLen(); !ok || values != n {
		return r, violation(KindResult, "of %d items has not as many values", n)
	}
	size, err := passValues(b[c.p:], n, MaxPayloadDepth-2)
	if err != nil {
		return r, violation(KindResult, "of %d items: %s", n, reason(err))
	}
	r.Values = b[c.p : c.p+size : c.p+size]
	c.p += size
	failed, ok := c.arrayLen()
	if !ok || failed > n {
		return r, violation(KindResult, "of %d items has no list of failures", n)
	}
	last := -1
	for range failed {
		if parts, ok := c.arrayLen(); !ok || parts != 2 {
			return r, violation(KindResult, "of %d items: a failure is no array of 2 elements", n)
		}
		index, ok := c.uint()
		if !ok || index >= uint64(n) || int(index) <= last {
			return r, violation(KindResult, "of %d items: a failure has no index above %d", n, last)
		}
		body, ok := c.bin()
		if !ok {
			return r, violation(KindResult, "of %d items: the failure of item %d is no bin", n, index)
		}
		last = int(index)
		r.Failures = append(r.Failures, ItemFailure{Index: last, Body: body})
	}
	if c.left() != 0 {
		return r, violation(KindResult, "of %d items has %d trailing bytes", n, c.left())
	}
	return r, nil
}

// SplitValues returns where the first n of the values ends that stand one behind
// the other in b. They have to be valid: what is not is taken as far as it goes.
func SplitValues(b []byte, n int) int {
	if n <= 0 {
		return 0
	}
	size, _ := passValues(b, n, MaxPayloadDepth)
	return size
}

// passValues returns how long the first n values in b are.
func passValues(b []byte, n, maxDepth int) (int, error) {
	c := cursor{b: b}
	n -= c.numbers(n)
	if n == 0 {
		return c.p, nil
	}
	size, err := walk(b[c.p:], n, maxDepth, len(b))
	return c.p + size, err
}
