package text

import (
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
)

func TestObject_ListsWhatItEscaped(t *testing.T) {
	t.Parallel()
	o := new(Object).Open()
	o.Text("plain", "a\nb")
	o.Text("raw", "\xff")
	o.Some("none", "")
	o.Value("list", config.ListValue([]config.Value{config.IntValue(1), config.String("\xfe")}))
	o.Value("n", config.Scalar("3.0"))
	o.Int("i", -1)
	o.Seconds("s", 1500*time.Microsecond)
	o.Text("odd \"name\"\xfd", "x")
	want := `{"plain":"a\nb","raw":"\\xff","list":"[1,\"\\xfe\"]","n":3.0,"i":-1,"s":0.0015,` +
		`"odd \"name\"\\xfd":"x","escaped":["raw","list"]}`
	if got := string(o.Close()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestObject_CutsLongItems(t *testing.T) {
	t.Parallel()
	o := new(Object).Open()
	o.Item(config.String("abcdef"), 4)
	if got, want := string(o.Close()), `{"item":"abcd","item_bytes":6}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
