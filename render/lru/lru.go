// Package lru remembers a bounded amount of what was computed, the values used last. It does not know what it holds; who
// puts a value says how heavy it is.
package lru

import (
	"container/list"
	"sync"
)

// Cache holds values by key. It is safe for concurrent use; the values are shared by all who get them.
type Cache[K comparable, V any] struct {
	limit int
	mu    sync.Mutex
	held  int
	order *list.List // of entry[K, V], the one used last in front
	at    map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

// New returns an empty Cache for values of at most limit weight together. The value put last is held even when it alone is
// heavier.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, order: list.New(), at: map[K]*list.Element{}}
}

// Get returns the value of a key, which counts as using it.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.at[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(element)
	e, ok := element.Value.(entry[K, V])
	return e.value, ok
}

// Put holds a value of the given weight, in place of an earlier one of the key, and forgets those not used for longest
// until the rest is light enough.
func (c *Cache[K, V]) Put(key K, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.at[key]; ok {
		c.forget(element)
	}
	c.at[key] = c.order.PushFront(entry[K, V]{key, value, weight})
	c.held += weight
	for c.held > c.limit && c.order.Len() > 1 {
		c.forget(c.order.Back())
	}
}

func (c *Cache[K, V]) forget(element *list.Element) {
	if e, ok := c.order.Remove(element).(entry[K, V]); ok {
		delete(c.at, e.key)
		c.held -= e.weight
	}
}
