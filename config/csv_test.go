package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCSVItem_IsAMapOfTexts(t *testing.T) {
	t.Parallel()
	header, err := CSVHeader([]string{"\ufeffname", "n", ""})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"name", "n", ""}, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	item := CSVItem(header, []string{"a\xff\nb", "017", ""})
	want := MapValue([]Field{{"name", String("a\xff\nb")}, {"n", String("017")}, {"", String("")}})
	if !same(item, want) {
		t.Errorf("item is %s, want %s", item.Text(), want.Text())
	}
}

func TestCSVHeader_RefusesNamesThatComeTwice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header []string
		want   string
	}{
		{nil, "CSV without a header: the first record names the fields"},
		{[]string{"a", "b", "a"}, `CSV header has "a" twice, in fields 1 and 3`},
		{[]string{"\ufeffa", "a"}, `CSV header has "a" twice, in fields 1 and 2`},
	} {
		if _, err := CSVHeader(c.header); err == nil || err.Error() != c.want {
			t.Errorf("%q gives %v, want %s", c.header, err, c.want)
		}
	}
}
