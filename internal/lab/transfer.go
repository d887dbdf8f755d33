package lab

// transfer is what became of items: producer p of n has put the numbers from
// 1+p*each to each+p*each, in this order.
type transfer struct {
	got, twice int
	disordered int // came to a party behind a later one of the same producer
}

// transferred judges the lists of all who took items.
func transferred(lists [][]int64, producers, each int) (t transfer) {
	seen := make(map[int64]bool)
	for _, items := range lists {
		last := make([]int64, producers)
		for _, item := range items {
			if seen[item] {
				t.twice++
			}
			seen[item] = true
			p := (item - 1) / int64(each)
			if item < 1 || p >= int64(producers) {
				continue // nobody has put it
			}
			t.got++
			if item < last[p] {
				t.disordered++
			}
			last[p] = item
		}
	}
	t.got -= t.twice
	return t
}
