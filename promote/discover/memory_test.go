package discover

import (
	"testing"
)

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory[int, int](100, 2)
	for i := range 1000 {
		m.put(i%150, i, 1+i%7)
		m.get(i * 7 % 150)
		cost := 0
		for at, one := range m.all {
			if cost += one.cost; m.at[one.key] != at {
				t.Fatalf("after %d: %d is not where it should be", i, one.key)
			}
		}
		if cost != m.used || cost > 100 || len(m.at) != len(m.all) {
			t.Fatalf("after %d: %d used of %d in %d of %d", i, m.used, cost, len(m.at), len(m.all))
		}
	}
	m.put(7, 1, 101)
	if _, ok := m.get(7); ok {
		t.Error("what does not fit at all is there")
	}
	m.put(8, 1, 1)
	m.put(8, 2, 100)
	if value, ok := m.get(8); !ok || value != 2 || m.used != 100 {
		t.Errorf("%d %t with %d used: what grows has to stay", value, ok, m.used)
	}
}

// TestMemoryDegradesByWhatDoesNotFit: a poll asks for everything in turn.
func TestMemoryDegradesByWhatDoesNotFit(t *testing.T) {
	const most = 1000
	tests := []struct {
		name       string
		before     int // others that were put before
		values     int
		asAt       int // the poll that is looked at
		least, top int // of it that is found
	}{
		{"everything fits", 0, 1000, 2, 1000, 1000},
		{"a little does not fit", 0, 1010, 5, 930, 1000},
		{"half does not fit", 0, 2000, 5, 400, 1000},
		{"three quarters do not fit", 0, 4000, 5, 750, 1000},
		{"what nobody asks for any more makes room", 1000, 500, 100, 450, 500},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory[int, int](most, reluctance)
			poll := func(from, values int) (found int) {
				for key := range values {
					if _, ok := m.get(from + key); ok {
						found++
					} else {
						m.put(from+key, key, 1)
					}
				}
				return found
			}
			poll(-1_000_000, tt.before)
			found := 0
			for range tt.asAt {
				found = poll(0, tt.values)
			}
			if found < tt.least || found > tt.top {
				t.Errorf("found %d of %d, want %d to %d", found, tt.values, tt.least, tt.top)
			}
		})
	}
}
