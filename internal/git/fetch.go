package git

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

const (
	maxHaves  = 16   // commits named to the server as held
	blobBatch = 5000 // blobs asked for in one request
)

// Fetch makes the tip of a branch readable and returns its commit. When the tip is known already it costs one request,
// otherwise two; what is sent is what the commits held do not have. A branch that does not exist is ErrNotFound.
func (r *Repository) Fetch(ctx context.Context, branch string) (string, error) {
	if err := ValidBranch(branch); err != nil {
		return "", err
	}
	adv, err := r.advertise(ctx, uploadPack)
	if err != nil {
		return "", err
	}
	id, ok := adv.refs[headPrefix+branch]
	if !ok {
		return "", fmt.Errorf("branch %q in %s: %w", branch, r.URL(), ErrNotFound)
	}
	if err := r.ensure(ctx, id); err != nil {
		return "", fmt.Errorf("fetch branch %q: %w", branch, err)
	}
	return id.String(), nil
}

// Ensure makes commits readable, in one request for all that are not known. A commit that the server does not have, or
// does not give out, is ErrNotFound.
func (r *Repository) Ensure(ctx context.Context, commits ...string) error {
	ids, err := parseIDs(commits)
	if err != nil {
		return err
	}
	return r.ensure(ctx, ids...)
}

func (r *Repository) ensure(ctx context.Context, ids ...oid) error {
	var missing []oid
	for _, id := range ids {
		if !r.store.touch(id) && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return r.fetchCommits(ctx, missing, r.store.haves(maxHaves))
}

// fetchCommits gets commits with their trees, and their blobs where the server cannot leave them out.
func (r *Repository) fetchCommits(ctx context.Context, ids, haves []oid) error {
	caps, err := r.capabilities(ctx, uploadPack)
	if err != nil {
		return err
	}
	q := question{wants: ids, haves: haves, depth: 1, thin: len(haves) > 0}
	if caps.partial() {
		q.filter = "blob:none"
	} else if r.store.hasLarge() {
		q.thin = false // deltas could build on a blob that was too large to keep
	}
	return r.ask(ctx, caps, q)
}

// fetchHistory gets commits and their ancestors to a depth, without trees where the server can leave them out.
func (r *Repository) fetchHistory(ctx context.Context, ids []oid, depth int) error {
	caps, err := r.capabilities(ctx, uploadPack)
	if err != nil {
		return err
	}
	q := question{wants: ids, depth: depth, history: true}
	if caps.partial() {
		q.filter = "tree:0"
	} else {
		q.haves = r.store.haves(maxHaves)
		q.thin = len(q.haves) > 0 && !r.store.hasLarge()
	}
	return r.ask(ctx, caps, q)
}

// fetchBlobs gets blobs by id. It is called only when the server gives out blobs by id.
func (r *Repository) fetchBlobs(ctx context.Context, ids []oid) error {
	caps, err := r.capabilities(ctx, uploadPack)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, blobBatch) {
		if err := r.ask(ctx, caps, question{wants: part, blobs: true}); err != nil {
			return err
		}
	}
	return nil
}

// question is one request for objects.
type question struct {
	wants   []oid
	haves   []oid
	depth   int // 0 for blobs
	filter  string
	thin    bool
	blobs   bool // wants are blobs
	history bool // wants do not come with all their trees
}

// encode writes the request of protocol version 0 in its one-request form. Every commit named as held is named shallow
// too: what lies behind it is not here.
func (q question) encode() ([]byte, error) {
	var b bytes.Buffer
	e := pktline.NewEncoder(&b)
	caps := " side-band-64k ofs-delta no-progress agent=" + userAgent
	if q.thin {
		caps += " thin-pack"
	}
	if q.filter != "" {
		caps += " filter"
	}
	var lines []string
	for i, id := range q.wants {
		line := "want " + id.String()
		if i == 0 {
			line += caps
		}
		lines = append(lines, line+"\n")
	}
	for _, id := range q.haves {
		lines = append(lines, "shallow "+id.String()+"\n")
	}
	if q.depth > 0 {
		lines = append(lines, fmt.Sprintf("deepen %d\n", q.depth))
	}
	if q.filter != "" {
		lines = append(lines, "filter "+q.filter+"\n")
	}
	if err := e.EncodeString(lines...); err != nil {
		return nil, err
	}
	if err := e.Flush(); err != nil {
		return nil, err
	}
	for _, id := range q.haves {
		if err := e.Encodef("have %s\n", id); err != nil {
			return nil, err
		}
	}
	err := e.EncodeString("done\n")
	return b.Bytes(), err
}

// ask sends a question and stores the answer.
func (r *Repository) ask(ctx context.Context, caps capabilities, q question) error {
	if caps.partial() {
		r.store.setLazyBlobs()
	}
	body, err := q.encode()
	if err != nil {
		return err
	}
	var pack *packReader
	c := call{operation: "fetch", service: uploadPack, body: body}
	err = r.remote.do(ctx, c, func(answer io.Reader) error {
		pack = newPackReader(nil, r.store.get)
		return q.read(answer, pack)
	})
	if err != nil {
		return err
	}
	var done []oid
	if !q.blobs && !q.history {
		if err := q.check(pack); err != nil {
			return err
		}
		done = q.wants
	}
	r.store.add(pack.objects, pack.large, done)
	return nil
}

// read reads an answer: which commits are shallow, which are common, and the pack.
func (q question) read(answer io.Reader, pack *packReader) error {
	lines := pktline.NewScanner(answer)
	if q.depth > 0 {
		for lines.Scan() && len(lines.Bytes()) > 0 {
		}
		if err := lines.Err(); err != nil {
			return serverError(err)
		}
	}
	band := &sideband{lines: lines}
	pack.in.src = band
	if err := pack.read(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, io.LimitReader(band, 1<<20))
	return err
}

// check makes sure that every wanted commit came. A want that is a tree or a blob is not what the caller asked for.
func (q question) check(pack *packReader) error {
	for _, id := range q.wants {
		i, ok := pack.byID[id]
		if !ok {
			return fmt.Errorf("commit %s: server did not send it: %w", id, ErrNotFound)
		}
		if k := pack.objects[i].kind; k != kindCommit {
			return fmt.Errorf("%s is a %s, expected a commit: %w", id, k, ErrNotFound)
		}
	}
	return nil
}

func (s *store) setLazyBlobs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lazyBlobs = true
}

// CommitInfo returns the content of a commit. Only the commit object is fetched when it is not known.
func (r *Repository) CommitInfo(ctx context.Context, commit string) (CommitInfo, error) {
	id, err := parseID(commit)
	if err != nil {
		return CommitInfo{}, err
	}
	return r.commitInfo(ctx, id)
}

func (r *Repository) commitInfo(ctx context.Context, id oid) (CommitInfo, error) {
	if info, ok, err := r.knownCommit(id); ok || err != nil {
		return info, err
	}
	if err := r.fetchHistory(ctx, []oid{id}, 1); err != nil {
		return CommitInfo{}, fmt.Errorf("commit %s: %w", id, err)
	}
	info, ok, err := r.knownCommit(id)
	if err == nil && !ok {
		err = fmt.Errorf("commit %s: %w", id, ErrNotFound)
	}
	return info, err
}

func (r *Repository) knownCommit(id oid) (CommitInfo, bool, error) {
	k, raw, ok := r.store.get(id)
	if !ok {
		return CommitInfo{}, false, nil
	}
	if k != kindCommit {
		return CommitInfo{}, false, fmt.Errorf("%s is a %s, expected a commit: %w", id, k, ErrNotFound)
	}
	info, err := parseCommit(id, raw)
	return info, err == nil, err
}

// treeData returns a raw tree of a commit. When it was pruned meanwhile, the commit is fetched again, once.
func (r *Repository) treeData(ctx context.Context, commit, id oid) ([]byte, error) {
	if id == emptyTree() || id.IsZero() {
		return nil, nil
	}
	k, raw, ok := r.store.get(id)
	if !ok {
		r.store.forget(commit)
		if err := r.fetchCommits(ctx, []oid{commit}, nil); err != nil {
			return nil, fmt.Errorf("read commit %s again: %w", commit, err)
		}
		if k, raw, ok = r.store.get(id); !ok {
			return nil, fmt.Errorf("tree %s of commit %s: server did not send it", id, commit)
		}
	}
	if k != kindTree {
		return nil, fmt.Errorf("%w: %s is a %s", errTree, id, k)
	}
	return raw, nil
}

// blobData returns the content of a file, fetching it when it is not held.
func (r *Repository) blobData(ctx context.Context, commit, id oid) ([]byte, error) {
	k, data, ok := r.store.get(id)
	if !ok && !r.store.isLarge(id) {
		if err := r.fetchMissing(ctx, commit, []oid{id}); err != nil {
			return nil, err
		}
		k, data, ok = r.store.get(id)
	}
	switch {
	case !ok && r.store.isLarge(id):
		return nil, fmt.Errorf("file is larger than %d MiB: %w", MaxBlobSize>>20, ErrTooLarge)
	case !ok:
		return nil, fmt.Errorf("blob %s: server did not send it: %w", id, ErrNotFound)
	case k != kindBlob:
		return nil, fmt.Errorf("%w: %s is a %s, expected a blob", errTree, id, k)
	}
	return data, nil
}

// fetchMissing gets blobs of a commit, with the whole commit where the server gives out no single blobs.
func (r *Repository) fetchMissing(ctx context.Context, commit oid, blobs []oid) error {
	caps, err := r.capabilities(ctx, uploadPack)
	if err != nil {
		return err
	}
	if caps.partial() {
		return r.fetchBlobs(ctx, blobs)
	}
	return r.fetchCommits(ctx, []oid{commit}, nil)
}
