package discover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
)

// maxSeenTags bounds the tags in memory, of all repositories.
const maxSeenTags = 1_000_000

// source is a repository, and how it is reached.
type source struct {
	repo    name.Repository
	skipTLS bool
}

// key tells sources apart. There is one keychain, so the repository stands for the credentials.
func (s source) key() string {
	if s.skipTLS {
		return s.repo.Name() + " without verification"
	}
	return s.repo.Name()
}

// seen remembers what tags pointed to when they were looked at, in memory and in a folder.
type seen struct {
	mu   sync.Mutex
	tags *memory[string, *pointers]
	work map[string]*pointers // those that discoveries work with, whatever fits into the memory
	disk *folder
}

func newSeen(most int) *seen {
	return &seen{tags: newMemory[string, *pointers](most, reluctance), work: map[string]*pointers{}}
}

// pointers are the tags of one source with what they pointed to.
type pointers struct {
	Source  string           `json:"source"`
	Tags    map[string]sight `json:"tags"`
	changed bool             // since they were written
	users   int              // discoveries that work with them
}

// open keeps the pointers of a source until settle is called as often.
func (s *seen) open(src source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(src)
	known.users++
	s.work[src.key()] = known
}

// of returns the pointers of a source. The caller holds the lock.
func (s *seen) of(src source) *pointers {
	key := src.key()
	if known, ok := s.work[key]; ok {
		return known
	}
	if known, ok := s.tags.get(key); ok {
		return known
	}
	known := &pointers{}
	if !s.disk.load(seenFile(src), known) || known.Source != key {
		known = &pointers{}
	}
	if known.Tags == nil {
		known.Tags = map[string]sight{}
	}
	known.Source = key
	maps.DeleteFunc(known.Tags, func(tag string, _ sight) bool { return !tagPattern.MatchString(tag) })
	return known
}

// sight returns what the tag pointed to when it was last looked at.
func (s *seen) sight(src source, tag string) sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(src).Tags[tag]
}

// learn notes what a tag points to. That it points to nothing is not noted: as long as it is listed, it is asked for. The
// source is open.
func (s *seen) learn(src source, tag string, now sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(src)
	if now.digest != "" && known.Tags[tag] != now {
		known.changed, known.Tags[tag] = true, now
	}
}

// settle ends what open began: it forgets the tags that are not listed any more and writes what was learned. An empty list
// says nothing.
func (s *seen) settle(ctx context.Context, src source, listed []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(src)
	if len(listed) > 0 {
		gone := maps.Clone(known.Tags)
		for _, tag := range listed {
			delete(gone, tag)
		}
		for tag := range gone {
			delete(known.Tags, tag)
			known.changed = true
		}
	}
	if known.users--; known.users <= 0 {
		delete(s.work, src.key())
	}
	s.tags.put(src.key(), known, 1+len(known.Tags))
	if known.changed {
		known.changed = false
		s.disk.save(ctx, seenFile(src), known)
	}
}

func seenFile(src source) string {
	sum := sha256.Sum256([]byte(src.key()))
	return hex.EncodeToString(sum[:])
}
