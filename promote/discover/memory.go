package discover

import (
	"math/rand/v2"
	"sync"
)

// reluctance is how many values that do not fit are turned away for each that takes the place of others.
const reluctance = 16

// memory keeps values, as many as their costs allow. When it is full it is reluctant to give up what is there for what is
// new: those who poll ask for everything in turn, and whoever makes room for the next in turn has nothing left when its turn
// comes again. So of twice as much as fits, about half is found in every turn. What is not asked for any more is replaced
// little by little. It is safe for concurrent use.
type memory[K comparable, V any] struct {
	mu        sync.Mutex
	max       int
	used      int
	at        map[K]int // in all
	all       []kept[K, V]
	reluctant int // one in so many is let in when there is no room; 1: all
	chance    *rand.Rand
}

type kept[K comparable, V any] struct {
	key   K
	value V
	cost  int
}

func newMemory[K comparable, V any](most, reluctant int) *memory[K, V] {
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret depends on it
	return &memory[K, V]{max: most, at: map[K]int{}, reluctant: reluctant, chance: chance}
}

func (m *memory[K, V]) get(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.at[key]
	if !ok {
		var none V
		return none, false
	}
	return m.all[i].value, true
}

// put keeps a value if there is room or if it replaces another of its key; else seldom, in the place of any others. One that
// costs more than everything together may is not kept.
func (m *memory[K, V]) put(key K, value V, cost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, known := m.at[key]
	if known {
		m.drop(i)
	}
	full := m.used+cost > m.max
	if cost > m.max || full && !known && m.chance.IntN(m.reluctant) != 0 {
		return
	}
	for m.used+cost > m.max {
		m.drop(m.chance.IntN(len(m.all)))
	}
	m.used += cost
	m.at[key] = len(m.all)
	m.all = append(m.all, kept[K, V]{key, value, cost})
}

func (m *memory[K, V]) drop(i int) {
	last := len(m.all) - 1
	m.used -= m.all[i].cost
	delete(m.at, m.all[i].key)
	if i != last {
		m.all[i] = m.all[last]
		m.at[m.all[i].key] = i
	}
	m.all[last] = kept[K, V]{}
	m.all = m.all[:last]
}
