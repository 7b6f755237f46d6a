package argocd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/lru"
)

// Memory remembers what documents make, by their content and by the folders that their generators find, so that commits
// with equal documents share their Applications. It is safe for concurrent use.
type Memory struct {
	documents *lru.Cache[digest, *made]
	trees     *lru.Cache[digest, *whole]
	matches   *lru.Cache[digest, []string] // the folders that patterns take
}

// NewMemory returns an empty Memory for at most limit Applications, documents and findings together. Lists of them for whole
// trees, which share what the Applications hold, and names of folders are counted by themselves.
func NewMemory(limit int) *Memory {
	return &Memory{
		documents: lru.New[digest, *made](limit),
		trees:     lru.New[digest, *whole](limit),
		matches:   lru.New[digest, []string](limit),
	}
}

// whole is what all documents of a tree make together. It never changes.
type whole struct {
	parts    []*made // of the documents, in their order
	apps     []Application
	findings []finding.Finding
}

// digest is equal for equal content: of one document with all that decides what it makes apart from the tree's folders, of
// all documents of a tree, or of the patterns of a generator with the folders that they begin with.
type digest [sha256.Size]byte

// made is what one document makes. It never changes.
type made struct {
	apps     []Application // without those of a name that came before
	findings []finding.Finding
	walks    []walk        // what was looked up in the tree, of folders that make one Application each
	lookups  []lookup      // what else was looked up in it
	all      []Application // what the instances of walks count by
	passing  bool          // a generator reads elsewhere, where the next time there may be something else
}

// walk is one generator over folders: what it found, and what was made for each.
type walk struct {
	at        string // path of the generator in the document
	patterns  patterns
	dirs      []string
	instances []instance // of dirs; nil when the generator failed
}

// instance is what a template makes of one parameter set.
type instance struct {
	app      int // index into made.all, none when there is no Application
	findings []finding.Finding
}

// none is the index of no Application.
const none = -1

// holds reports whether the generators would find the same folders again. A nil made holds nothing.
func (m *made) holds(ctx context.Context, f *folders) (bool, error) {
	if m == nil {
		return false, nil
	}
	for _, w := range m.walks {
		dirs, err := f.match(ctx, w.patterns)
		if err != nil || !slices.Equal(dirs, w.dirs) {
			return false, err
		}
	}
	for _, l := range m.lookups {
		if same, err := l.same(ctx, f); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// instances returns what the generator at a path made for each folder.
func (m *made) instances(at string) map[string]instance {
	if m == nil {
		return nil
	}
	for _, w := range m.walks {
		if w.at != at {
			continue
		}
		known := make(map[string]instance, len(w.instances))
		for i, one := range w.instances {
			known[w.dirs[i]] = one
		}
		return known
	}
	return nil
}

// weight is what a Memory counts.
func (m *made) weight() int {
	n := 1 + len(m.all) + len(m.findings)
	for _, l := range m.lookups {
		n += len(l.found)
	}
	for _, w := range m.walks {
		for _, one := range w.instances {
			n += len(one.findings)
		}
	}
	return n
}

// reader makes the Applications of one tree.
type reader struct {
	in      Input
	fleet   fleet
	asked   string // all else that an ApplicationSet's generators are told
	folders *folders
	scratch []byte
	keys    []byte // of all documents read, and what is wrong with their files
}

// read returns what one document makes. It fails only when the tree cannot be read, or with its context.
func (r *reader) read(ctx context.Context, doc manifest.Document) (*made, error) {
	key := r.key(doc)
	r.keys = append(r.keys, key[:]...)
	known, _ := r.in.Memory.get(key)
	if same, err := known.holds(ctx, r.folders); same || err != nil {
		return known, err
	}
	out, err := r.make(ctx, doc, known)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err // what was cut short is not worth remembering
	}
	if !out.passing {
		r.in.Memory.put(key, out)
	}
	return out, nil
}

func (r *reader) make(ctx context.Context, doc manifest.Document, known *made) (*made, error) {
	switch doc.GroupKind().Kind {
	case "Application":
		app, err := parseApplication(doc)
		if err != nil {
			return &made{findings: finding.FromError("invalid-application", err)}, nil
		}
		only := []Application{app.hydratedAt(r.in.Revision)}
		return &made{apps: only, all: only}, nil
	case "ApplicationSet":
		return r.expand(ctx, doc, known)
	default:
		return &made{}, nil
	}
}

// key covers everything with its length, so that no two inputs are written alike.
func (r *reader) key(doc manifest.Document) digest {
	all := r.scratch[:0]
	add := func(text string) {
		all = binary.AppendUvarint(all, uint64(len(text)))
		all = append(all, text...)
	}
	add(r.in.Revision)
	asked, clusters := "", ""
	if mayHold(doc.Raw, "ApplicationSet") {
		asked = r.asked
		if mayHold(doc.Raw, "cluster") { // in clusters or clusterDecisionResource
			clusters = r.fleet.key
		}
	}
	add(asked)
	add(clusters)
	all = binary.AppendUvarint(all, uint64(len(r.in.RepoURLs)))
	for _, url := range r.in.RepoURLs {
		add(url)
	}
	add(doc.File)
	all = binary.AppendUvarint(all, uint64(max(doc.Line, 0)))
	all = append(all, doc.Raw...)
	r.scratch = all
	return sha256.Sum256(all)
}

// mayHold reports whether a document may hold a word: in quotes it may be written with escapes.
func mayHold(raw []byte, word string) bool {
	return bytes.Contains(raw, []byte(word)) || bytes.IndexByte(raw, '\\') >= 0
}

// whole returns what was put together before from the very same parts.
func (m *Memory) whole(key digest, parts []*made) *whole {
	if m == nil {
		return nil
	}
	if known, ok := m.trees.Get(key); ok && slices.Equal(known.parts, parts) {
		return known
	}
	return nil
}

func (m *Memory) keep(key digest, w *whole) {
	if m != nil {
		m.trees.Put(key, w, 1+len(w.parts)+len(w.apps)+len(w.findings))
	}
}

func (m *Memory) get(key digest) (*made, bool) {
	if m == nil {
		return nil, false
	}
	return m.documents.Get(key)
}

func (m *Memory) put(key digest, value *made) {
	if m != nil {
		m.documents.Put(key, value, value.weight())
	}
}
