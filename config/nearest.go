package config

// Nearest gives the name closest to what was written, for a "did you mean"; ""
// where none is close enough to be a slip of the hand.
func Nearest(written string, names []string) string {
	limit := 1
	switch {
	case len(written) < 3:
		return "" // everything short is near everything short
	case len(written) >= 8:
		limit = 3
	case len(written) >= 4:
		limit = 2
	}
	best, bestAt := "", limit+1
	for _, n := range names {
		if d := distance(written, n, bestAt); d < bestAt {
			best, bestAt = n, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between a and b, giving up at limit.
func distance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit {
		return limit
	}
	if len(a) > 128 || len(b) > 128 {
		return limit
	}
	var rows [3][129]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
