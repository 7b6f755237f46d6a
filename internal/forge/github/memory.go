package github

const maxRemembered = 1000

// A memory keeps what is known of a bounded number of things. Forgetting costs a request each.
type memory[K comparable, V any] map[K]V

func (m *memory[K, V]) put(key K, value V) { m.putOf(maxRemembered, key, value) }

// putOf is put for things of which fewer are kept.
func (m *memory[K, V]) putOf(most int, key K, value V) {
	if *m == nil || len(*m) >= most {
		*m = memory[K, V]{}
	}
	(*m)[key] = value
}
