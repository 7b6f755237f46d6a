package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

const maxSignature = 64 << 10 // bytes; one of a 16384 bit RSA key takes 4 KiB

// File is the new content of one path.
type File struct {
	Data   []byte
	Mode   fs.FileMode // permission bits only; 0 keeps the mode of an existing file and means 0o644 for a new one
	Delete bool        // removes the path; Data and Mode are ignored
}

// CommitRequest describes a commit.
type CommitRequest struct {
	Parents []string // first parent first; empty makes a root commit
	Base    string   // commit whose tree the files are laid over; default the first parent, or the empty tree
	// Files are the changes: slash-separated path → content. Directories come and go with their files. One commit cannot
	// put a file where it empties a directory, or the reverse: that takes two.
	Files      map[string]File
	Message    string     // required
	Author     *Signature // default Config.Author
	Committer  *Signature // default Config.Author
	When       time.Time  // required; time of author and committer, in whole seconds and with its zone
	AllowEmpty bool       // make the commit even when its tree is that of its first parent
}

// Commit makes a commit in memory and returns its id; Push sends it. It is deterministic: equal requests give equal ids, also
// where Config.Sign signs it.
//
// A tree equal to the first parent's is ErrNoChange. ErrConflict is a file where a directory is needed, a directory where
// a file is asked for, or a symbolic link or submodule on the path. Deleting what is not there is ErrNotFound. A file above
// MaxBlobSize is ErrTooLarge. Commits that are never pushed are forgotten after 10,000 others.
func (r *Repository) Commit(ctx context.Context, req CommitRequest) (string, error) {
	info, err := r.header(req)
	if err != nil {
		return "", err
	}
	edits, err := planEdits(req.Files)
	if err != nil {
		return "", err
	}
	for range 2 {
		id, stored, err := r.commit(ctx, req, info, edits)
		if err != nil || stored {
			return id, err
		}
	}
	return "", errors.New("commit: its base was dropped from memory twice while it was made")
}

// header checks the request and prepares everything of the commit but its tree.
func (r *Repository) header(req CommitRequest) (CommitInfo, error) {
	info := CommitInfo{Parents: req.Parents, Message: cleanMessage(req.Message)}
	if _, err := parseIDs(req.Parents); err != nil {
		return info, fmt.Errorf("parent: %w", err)
	}
	if info.Message == "" {
		return info, errors.New("commit message is empty")
	}
	if len(info.Message) > maxCommitSize/2 {
		return info, fmt.Errorf("commit message of %d bytes: %w", len(info.Message), ErrTooLarge)
	}
	if req.When.IsZero() || req.When.Unix() < 0 {
		return info, fmt.Errorf("commit time %s: expected a time after 1970", req.When)
	}
	info.Author = Stamp{Signature: r.author, When: req.When}
	info.Committer = info.Author
	if req.Author != nil {
		info.Author.Signature = *req.Author
	}
	if req.Committer != nil {
		info.Committer.Signature = *req.Committer
	}
	for _, sig := range []Signature{info.Author.Signature, info.Committer.Signature} {
		if cleanName(sig.Name) == "" || cleanName(sig.Email) == "" {
			return info, fmt.Errorf("signature %q <%q>: expected a name and an e-mail address", sig.Name, sig.Email)
		}
	}
	return info, nil
}

// commit makes the objects and stores them, which fails when the base was pruned meanwhile.
func (r *Repository) commit(ctx context.Context, req CommitRequest, info CommitInfo, edits *edit) (string, bool, error) {
	base, baseTree, err := r.base(ctx, req)
	if err != nil {
		return "", false, err
	}
	ed := &editor{repo: r, base: base, made: map[oid]bool{}}
	root, err := ed.directory(ctx, "", baseTree, edits)
	if err != nil {
		return "", false, err
	}
	if root.IsZero() {
		root = emptyTree()
		ed.add(packObject{id: root, kind: kindTree, data: []byte{}})
	}
	if !req.AllowEmpty {
		if err := r.changes(ctx, req, root); err != nil {
			return "", false, err
		}
	}
	info.Tree = root.String()
	raw, err := r.signed(encodeCommit(info), info.Committer.When)
	if err != nil {
		return "", false, err
	}
	id := hashObject(kindCommit, raw)
	ed.add(packObject{id: id, kind: kindCommit, data: raw})
	needs, err := parseIDs(req.Parents)
	if err != nil {
		return "", false, err
	}
	if !base.IsZero() {
		needs = append(needs, base)
	}
	return id.String(), r.store.addPending(id, ed.objects, needs), nil
}

// signed adds the signature to a commit, where one is configured.
func (r *Repository) signed(raw []byte, when time.Time) ([]byte, error) {
	if r.sign == nil {
		return raw, nil
	}
	signature, err := r.sign(bytes.Clone(raw), when)
	if err != nil {
		return nil, fmt.Errorf("sign the commit: %w", err)
	}
	signature = strings.TrimRight(signature, "\n")
	switch {
	case signature == "" || strings.ContainsAny(signature, "\x00\r"):
		return nil, errors.New("sign the commit: the signature is not armored text")
	case len(signature) > maxSignature:
		return nil, fmt.Errorf("sign the commit: signature of %d bytes: %w", len(signature), ErrTooLarge)
	}
	return withSignature(raw, signature), nil
}

// base returns the commit whose tree is changed and that tree; both are zero for an empty one.
func (r *Repository) base(ctx context.Context, req CommitRequest) (commit, tree oid, err error) {
	name := req.Base
	if name == "" && len(req.Parents) > 0 {
		name = req.Parents[0]
	}
	if name == "" {
		return oid{}, oid{}, nil
	}
	if commit, err = parseID(name); err != nil {
		return oid{}, oid{}, fmt.Errorf("base: %w", err)
	}
	t, err := r.tree(ctx, commit)
	if err != nil {
		return oid{}, oid{}, err
	}
	if t.root == emptyTree() {
		return commit, oid{}, nil
	}
	return commit, t.root, nil
}

// changes is ErrNoChange when the tree is that of the first parent.
func (r *Repository) changes(ctx context.Context, req CommitRequest, root oid) error {
	before := emptyTree().String()
	if len(req.Parents) > 0 {
		parent, err := r.CommitInfo(ctx, req.Parents[0])
		if err != nil {
			return err
		}
		before = parent.Tree
	}
	if before == root.String() {
		return ErrNoChange
	}
	return nil
}
