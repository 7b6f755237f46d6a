package git

import (
	"cmp"
	"slices"
)

// prune drops what belongs to none of the commits used last once the store has doubled. The caller holds the lock.
func (s *store) prune() {
	if s.lazyBlobs && s.blobs > blobCache {
		s.evictBlobs()
	}
	if s.commits > keepHistory || s.size > s.pruneAt {
		s.sweep()
		s.pruneAt = max(pruneFloor, 2*s.size)
	}
}

// kept returns the commits whose trees stay: the last ones used, and all that are not pushed with what they build on.
func (s *store) kept() []oid {
	recent := make([]oid, 0, len(s.complete))
	for id := range s.complete {
		recent = append(recent, id)
	}
	slices.SortFunc(recent, func(a, b oid) int { return cmp.Compare(s.complete[b], s.complete[a]) })
	for _, id := range recent[min(keepCommits, len(recent)):] {
		if _, ok := s.pending[id]; !ok {
			delete(s.complete, id)
			delete(s.fetched, id)
		}
	}
	out := make([]oid, 0, len(s.complete))
	for id := range s.complete {
		out = append(out, id)
	}
	return out
}

func (s *store) sweep() {
	walked, bases := map[oid]bool{}, map[oid]bool{}
	for _, id := range s.kept() {
		s.mark(id, walked, bases)
	}
	dropHistory := s.commits > keepHistory
	for id, o := range s.objects {
		if walked[id] || bases[id] || (o.kind == kindCommit || o.kind == kindTag) && !dropHistory {
			continue
		}
		s.count(o, -1)
		delete(s.objects, id)
	}
	s.dirs, s.dirBytes = map[oid]*dir{}, 0
}

// mark marks a commit, its trees and their blobs as walked, and what any of them is a delta of as bases.
func (s *store) mark(commit oid, walked, bases map[oid]bool) {
	_, raw, ok := s.read(commit)
	if !ok {
		return
	}
	walked[commit] = true
	info, err := parseCommit(commit, raw)
	if err != nil {
		return
	}
	root, err := parseID(info.Tree)
	if err != nil {
		return
	}
	for stack := []oid{root}; len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if walked[id] {
			continue
		}
		walked[id] = true
		for o := s.objects[id]; o.base != nil; o = s.objects[*o.base] {
			bases[*o.base] = true
		}
		k, raw, ok := s.read(id)
		if !ok || k != kindTree {
			continue
		}
		// A malformed tree keeps what could be read of it; reading it reports the error.
		_ = eachEntry(raw, func(e entry) bool {
			if !walked[e.id] {
				stack = append(stack, e.id)
			}
			return true
		})
	}
}

// evictBlobs drops blobs until half of the cache is free. Blobs of commits that are not pushed stay.
func (s *store) evictBlobs() {
	own := map[oid]bool{}
	for _, p := range s.pending {
		for _, id := range p.objects {
			own[id] = true
		}
	}
	for id, o := range s.objects {
		if s.blobs <= blobCache/2 {
			return
		}
		if o.kind == kindBlob && !own[id] {
			s.count(o, -1)
			delete(s.objects, id)
		}
	}
}
