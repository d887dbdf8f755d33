package broker

// front are the items that came back to a queue, as a heap: the one that was put
// first is on top. So an owner that ends with thousands of leases holds the queue
// up for as long as it takes to put them there, and no longer.
type front []taken

func (f *front) push(item taken) {
	h := append(*f, item)
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent].seq < h[i].seq {
			break
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
	*f = h
}

// pop takes the first item of those that are there.
func (f *front) pop() taken {
	h := *f
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], taken{}
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h[child+1].seq < h[child].seq {
			child++
		}
		if h[i].seq < h[child].seq {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	if *f = h; last == 0 && cap(h) > keepRing {
		*f = nil
	}
	return first
}
