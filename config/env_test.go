package config

import (
	"testing"
)

func TestInheritEnv_StarStandsForAnyCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"PATH", "PATH", true}, {"PATH", "PATHS", false}, {"AWS_*", "AWS_KEY", true}, {"AWS_*", "AWS", false},
		{"*", "", true}, {"*_KEY", "A_KEY", true}, {"*_KEY", "A_KEYS", false}, {"A*B*C", "AxBxBC", true}, {"A*B*C", "AC", false},
		{"A*A", "A", false}, {"[A]", "A", false}, {"?", "A", false},
	} {
		ie := InheritEnv{Patterns: []string{c.pattern}}
		if got := ie.Match(c.name); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	if !(&InheritEnv{All: true}).Match("X") || (&InheritEnv{}).Match("X") {
		t.Error("all or none")
	}
}

func TestEnvName(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{"width": "ITEM_WIDTH", "a-b.c": "ITEM_A_B_C", "Ü9": "ITEM__9", "": "ITEM_"} {
		if got := EnvName("ITEM", field); got != want {
			t.Errorf("%q gives %s, want %s", field, got, want)
		}
	}
	if ReservedEnv("ITEMS") || ReservedEnv("PATH") || !ReservedEnv("SLOT") || !ReservedEnv("USES_GPU") {
		t.Error("ReservedEnv")
	}
}
