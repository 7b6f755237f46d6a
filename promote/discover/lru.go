package discover

import (
	"container/list"
	"sync"
)

// lru keeps the values that were used last, as many as their costs allow. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	mu       sync.Mutex
	max      int
	used     int
	order    list.List // of *kept[K, V], the last used first
	elements map[K]*list.Element
}

type kept[K comparable, V any] struct {
	key   K
	value V
	cost  int
}

func newLRU[K comparable, V any](most int) *lru[K, V] {
	return &lru[K, V]{max: most, elements: map[K]*list.Element{}}
}

func (l *lru[K, V]) get(key K) (V, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	element, ok := l.elements[key]
	if !ok {
		var none V
		return none, false
	}
	l.order.MoveToFront(element)
	return element.Value.(*kept[K, V]).value, true
}

// put keeps a value. One that costs more than everything together may is not kept.
func (l *lru[K, V]) put(key K, value V, cost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if element, ok := l.elements[key]; ok {
		l.drop(element)
	}
	if cost > l.max {
		return
	}
	for l.used+cost > l.max {
		l.drop(l.order.Back())
	}
	l.used += cost
	l.elements[key] = l.order.PushFront(&kept[K, V]{key, value, cost})
}

func (l *lru[K, V]) drop(element *list.Element) {
	dropped := l.order.Remove(element).(*kept[K, V])
	l.used -= dropped.cost
	delete(l.elements, dropped.key)
}
