package promote

import "testing"

func TestNewFreightGetsAnAliasOfItsOwn(t *testing.T) {
	first := aliasOf(asDiscovered("1.0.1").ID, 0)
	taken := version("0.9.9")
	taken.Alias = first
	for _, c := range []struct {
		name  string
		state State
		want  string
	}{
		{"the name comes from the ID", known(discovered("1.0.1")), first},
		{"a name that is taken is counted on", known(discovered("1.0.1"), func(s *State) { s.History.Freights = append(s.History.Freights, taken) }), first + "-2"},
		{"a name of another project is free", known(discovered("1.0.1"), func(s *State) {
			other := taken
			other.Project = "bank"
			s.History.Freights = append(s.History.Freights, other)
		}), first},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, action := range Decide(c.state).Actions {
				if a, ok := action.(RecordFreight); ok {
					if a.Freight.Alias != c.want {
						t.Errorf("alias %q, want %q", a.Freight.Alias, c.want)
					}
					return
				}
			}
			t.Error("no freight was recorded")
		})
	}
	if first != "patient-seal" {
		t.Errorf("the alias of equal freight changed: %q", first)
	}
}
