package git

import (
	"slices"
	"strings"
)

const (
	dirFrom  = 2 << 10  // raw trees below this size are searched as they are
	dirCache = 16 << 20 // bytes of parsed trees that are kept
)

// dir is a parsed tree for looking names up.
type dir struct {
	entries []dirEntry // by name, bytewise
	size    int
}

type dirEntry struct {
	name string
	mode uint32
	id   oid
}

func parseDir(raw []byte) (*dir, error) {
	text := string(raw)
	d := &dir{entries: make([]dirEntry, 0, len(raw)/32), size: len(raw)}
	err := eachEntry(raw, func(e entry) bool {
		nameEnd := e.end - 21
		d.entries = append(d.entries, dirEntry{text[nameEnd-len(e.name) : nameEnd], e.mode, e.id})
		return true
	})
	slices.SortFunc(d.entries, func(a, b dirEntry) int { return strings.Compare(a.name, b.name) })
	d.size += len(d.entries) * 40
	return d, err
}

func (d *dir) find(name string) (entry, bool) {
	i, ok := slices.BinarySearchFunc(d.entries, name, func(e dirEntry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return entry{}, false
	}
	e := d.entries[i]
	return entry{mode: e.mode, name: []byte(e.name), id: e.id}, true
}

func (s *store) parsed(id oid) *dir {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dirs[id]
}

// keepParsed keeps a parsed tree. When they get too many, all are dropped: parsing again is cheap.
func (s *store) keepParsed(id oid, d *dir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirs[id] != nil {
		return
	}
	if s.dirBytes+d.size > dirCache {
		clear(s.dirs)
		s.dirBytes = 0
	}
	s.dirs[id] = d
	s.dirBytes += d.size
}
