package render

import (
	"container/list"
	"sync"
)

// lru remembers the values used last. It is safe for concurrent use.
type lru[V any] struct {
	limit int
	mu    sync.Mutex
	order *list.List // of lruEntry[V], the one used last in front
	at    map[string]*list.Element
}

type lruEntry[V any] struct {
	key   string
	value V
}

func newLRU[V any](limit int) *lru[V] {
	return &lru[V]{limit: limit, order: list.New(), at: map[string]*list.Element{}}
}

func (l *lru[V]) get(key string) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	element, ok := l.at[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(element)
	entry, ok := element.Value.(lruEntry[V])
	return entry.value, ok
}

func (l *lru[V]) put(key string, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if element, ok := l.at[key]; ok {
		element.Value = lruEntry[V]{key, value}
		l.order.MoveToFront(element)
		return
	}
	l.at[key] = l.order.PushFront(lruEntry[V]{key, value})
	if l.order.Len() <= l.limit {
		return
	}
	if oldest, ok := l.order.Remove(l.order.Back()).(lruEntry[V]); ok {
		delete(l.at, oldest.key)
	}
}
