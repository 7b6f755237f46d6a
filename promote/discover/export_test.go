package discover

import "path/filepath"

// Bounds are those of what a Registry remembers, for tests that exceed them.
type Bounds struct {
	Tags     int // and repositories, in memory
	Bytes    int // of images that were taken, in memory; one of a plant costs 700
	TagFiles int // on disk
}

// Bound sets the bounds of a Registry that was not asked yet.
func (r *Registry) Bound(b Bounds) {
	r.seen.tags = newMemory[string, *pointers](b.Tags, reluctance)
	r.records.taken = newMemory[string, record](b.Bytes, reluctance)
	r.records.passed = newMemory[string, record](1000, 1)
	if r.config.CacheDir != "" {
		r.seen.disk = newFolder(filepath.Join(r.config.CacheDir, "tags"), content{files: b.TagFiles, bytes: 1 << 30}, r.config.Now, r.config.Logger)
	}
}
