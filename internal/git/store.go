package git

import (
	"cmp"
	"slices"
	"sync"
)

const (
	keepCommits   = 32       // commits whose trees survive pruning
	keepPending   = 10_000   // commits made here and not pushed
	keepHistory   = 50_000   // commit objects without their trees, and tag objects
	pruneFloor    = 32 << 20 // bytes below which pruning is not worth it
	blobCache     = 48 << 20 // bytes of blobs that may be fetched again
	maxDeltaDepth = 50
	deltaFrom     = 4 << 10 // trees below this size are stored whole
)

// object is a stored object: whole, or a delta on another stored object.
type object struct {
	data  []byte
	base  *oid // data is a delta when set
	kind  kind
	depth uint8
}

// pending is a commit made here and not known to be on the server.
type pending struct {
	objects []oid         // what the server may lack, the commit included
	thin    map[oid]delta // smaller forms for sending
	needs   []oid         // commits whose objects this one builds on
	seq     uint64
}

type delta struct {
	base oid
	body []byte
}

// store holds objects in memory. Contents are immutable: slices handed out must not be changed.
type store struct {
	mu       sync.RWMutex
	objects  map[oid]object
	complete map[oid]uint64 // commits with all their trees → when last used
	fetched  map[oid]bool   // those of complete that came from the server
	pending  map[oid]*pending
	large    map[oid]bool // blobs above MaxBlobSize
	// lazyBlobs says that blobs can be fetched one by one, so that they may be dropped.
	lazyBlobs bool
	clock     uint64
	size      int // bytes of objects
	blobs     int // bytes of blobs among them
	commits   int // number of commit and tag objects
	pruneAt   int
	dirs      map[oid]*dir // parsed large trees
	dirBytes  int
}

func newStore() *store {
	return &store{
		objects:  map[oid]object{},
		complete: map[oid]uint64{},
		fetched:  map[oid]bool{},
		pending:  map[oid]*pending{},
		large:    map[oid]bool{},
		dirs:     map[oid]*dir{},
		pruneAt:  pruneFloor,
	}
}

// get returns an object's content.
func (s *store) get(id oid) (kind, []byte, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.read(id)
}

func (s *store) read(id oid) (kind, []byte, bool) {
	o, ok := s.objects[id]
	if !ok {
		return 0, nil, false
	}
	if o.base == nil {
		return o.kind, o.data, true
	}
	_, base, ok := s.read(*o.base)
	if !ok {
		return 0, nil, false
	}
	data, err := applyDelta(base, o.data, maxTreeSize)
	return o.kind, data, err == nil
}

// has reports whether an object is held.
func (s *store) has(id oid) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.objects[id]
	return ok
}

func (s *store) isLarge(id oid) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.large[id]
}

func (s *store) hasLarge() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.large) > 0
}

// touch reports whether a commit is held with all its trees, and marks it as used.
func (s *store) touch(id oid) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.complete[id]; !ok {
		return false
	}
	s.clock++
	s.complete[id] = s.clock
	return true
}

// forget makes the next use of a commit fetch it again.
func (s *store) forget(id oid) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.complete, id)
	delete(s.fetched, id)
}

// add stores what was fetched. commits are those that are complete now.
func (s *store) add(objects []packObject, large, commits []oid) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.put(o)
	}
	for _, id := range large {
		s.large[id] = true
	}
	for _, id := range commits {
		s.clock++
		s.complete[id] = s.clock
		s.fetched[id] = true
	}
	s.prune()
}

// put stores one object, a large tree as a delta where that is much smaller.
func (s *store) put(o packObject) {
	if _, ok := s.objects[o.id]; ok {
		return
	}
	out := object{data: o.data, kind: o.kind}
	if o.kind == kindTree && o.delta != nil && len(o.data) >= deltaFrom && len(o.delta) < len(o.data)/4 {
		if base, ok := s.objects[o.base]; ok && base.depth < maxDeltaDepth {
			out = object{data: slices.Clone(o.delta), base: &o.base, kind: o.kind, depth: base.depth + 1}
		}
	}
	s.objects[o.id] = out
	s.count(out, 1)
}

func (s *store) count(o object, sign int) {
	s.size += sign * len(o.data)
	switch o.kind {
	case kindBlob:
		s.blobs += sign * len(o.data)
	case kindCommit, kindTag:
		s.commits += sign
	case kindTree:
	}
}

// addPending stores a commit made here. It reports false when a base of a delta was pruned meanwhile.
func (s *store) addPending(id oid, objects []packObject, needs []oid) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &pending{thin: map[oid]delta{}, needs: needs}
	for _, o := range objects {
		if o.data == nil && o.delta != nil && !s.holds(o.id) && !s.holds(o.base) {
			return false
		}
	}
	for _, o := range objects {
		p.objects = append(p.objects, o.id)
		if o.delta != nil {
			p.thin[o.id] = delta{o.base, o.delta}
		}
		if o.data == nil && !s.holds(o.id) {
			s.putDelta(o)
			continue
		}
		s.put(packObject{id: o.id, kind: o.kind, data: o.data})
	}
	s.clock++
	p.seq = s.clock
	s.complete[id] = s.clock
	if !s.fetched[id] {
		s.pending[id] = p
	}
	s.boundPending()
	return true
}

func (s *store) holds(id oid) bool { _, ok := s.objects[id]; return ok }

// putDelta stores a tree that was made as a delta, whole when the chain gets long.
func (s *store) putDelta(o packObject) {
	base := s.objects[o.base]
	out := object{data: o.delta, base: &o.base, kind: o.kind, depth: base.depth + 1}
	if base.depth >= maxDeltaDepth {
		if _, raw, ok := s.read(o.base); ok {
			if data, err := applyDelta(raw, o.delta, maxTreeSize); err == nil {
				out = object{data: data, kind: o.kind}
			}
		}
	}
	s.objects[o.id] = out
	s.count(out, 1)
}

// boundPending forgets the oldest tenth of the commits that nobody pushed.
func (s *store) boundPending() {
	if len(s.pending) <= keepPending {
		return
	}
	seqs := make([]uint64, 0, len(s.pending))
	for _, p := range s.pending {
		seqs = append(seqs, p.seq)
	}
	slices.Sort(seqs)
	limit := seqs[len(seqs)/10]
	for id, p := range s.pending {
		if p.seq < limit {
			delete(s.pending, id)
			delete(s.complete, id)
		}
	}
}

// toSend collects what the server lacks to hold the given commits.
func (s *store) toSend(tips []oid, thin bool) []outgoing {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []outgoing
	sent, seen := map[oid]bool{}, map[oid]bool{}
	for queue := slices.Clone(tips); len(queue) > 0; queue = queue[1:] {
		p, ok := s.pending[queue[0]]
		if !ok || seen[queue[0]] {
			continue
		}
		seen[queue[0]] = true
		queue = append(queue, p.needs...)
		for _, id := range p.objects {
			if sent[id] {
				continue
			}
			sent[id] = true
			if d, ok := p.thin[id]; ok && thin {
				out = append(out, outgoing{base: &d.base, body: d.body})
			} else if k, data, ok := s.read(id); ok {
				out = append(out, outgoing{kind: k, body: data})
			}
		}
	}
	return out
}

// pushed notes that the server holds these commits now, with what they build on.
func (s *store) pushed(tips []oid) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for queue := slices.Clone(tips); len(queue) > 0; queue = queue[1:] {
		if p, ok := s.pending[queue[0]]; ok {
			delete(s.pending, queue[0])
			queue = append(queue, p.needs...)
		}
	}
	s.prune()
}

// haves returns the commits to name to the server as held, those used last first.
func (s *store) haves(limit int) []oid {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]oid, 0, len(s.fetched))
	for id := range s.fetched {
		if s.holds(id) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b oid) int { return cmp.Compare(s.complete[b], s.complete[a]) })
	return out[:min(limit, len(out))]
}
