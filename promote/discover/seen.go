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
	tags *lru[string, *pointers]
	disk *folder
}

// pointers are the tags of one source with their digests.
type pointers struct {
	Source  string            `json:"source"`
	Tags    map[string]string `json:"tags"`
	changed bool              // since they were written
}

// of returns the pointers of a source. The caller holds the lock.
func (s *seen) of(src source) *pointers {
	key := src.key()
	if known, ok := s.tags.get(key); ok {
		return known
	}
	known := &pointers{}
	if !s.disk.load(seenFile(src), known) || known.Source != key {
		known = &pointers{}
	}
	if known.Tags == nil {
		known.Tags = map[string]string{}
	}
	known.Source = key
	maps.DeleteFunc(known.Tags, func(tag, digest string) bool { return !tagPattern.MatchString(tag) || !isDigest(digest) })
	s.tags.put(key, known, 1+len(known.Tags))
	return known
}

// digest returns what the tag pointed to when it was last looked at.
func (s *seen) digest(src source, tag string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	digest, ok := s.of(src).Tags[tag]
	return digest, ok
}

// learn notes what a tag points to. That it points to nothing is not noted: as long as it is listed, it is asked for.
func (s *seen) learn(src source, tag, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(src)
	known.changed = known.changed || known.Tags[tag] != digest
	known.Tags[tag] = digest
}

// settle forgets the tags that are not listed any more and writes what was learned. An empty list says nothing.
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
	if !known.changed {
		return
	}
	known.changed = false
	s.tags.put(src.key(), known, 1+len(known.Tags))
	s.disk.save(ctx, seenFile(src), known)
}

func seenFile(src source) string {
	sum := sha256.Sum256([]byte(src.key()))
	return hex.EncodeToString(sum[:])
}
