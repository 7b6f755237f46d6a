package local

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// Repository is a clone on this machine. It is safe for concurrent use until it is closed.
type Repository struct {
	dir     string // of the work tree, or of the repository when it is bare
	bare    bool
	objects *objects

	mu   sync.Mutex
	dirs map[string][]entry // parsed tree objects by id
}

// Open finds the repository that a folder belongs to, from any folder inside it. It can be used until ctx ends or Close
// is called.
func Open(ctx context.Context, dir string) (*Repository, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	out, err := run(ctx, "open", absolute, "rev-parse", "--is-bare-repository", "--show-object-format", "--absolute-git-dir")
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%q is not in a readable Git repository (%w): name a folder of your clone with --dir, or create a repository with git init: %w",
			dir, err, ErrNoRepository)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(lines) != 3 {
		return nil, fmt.Errorf("%q: git describes the repository in %d lines, 3 were expected: %w", dir, len(lines), ErrNoRepository)
	}
	r := &Repository{dir: lines[2], bare: lines[0] == "true", dirs: map[string][]entry{}}
	if !r.bare {
		top, err := run(ctx, "find the work tree", absolute, "rev-parse", "--show-toplevel")
		if err != nil {
			return nil, fmt.Errorf("%q is in no work tree (%w): name a folder of your clone: %w", dir, err, ErrNoRepository)
		}
		r.dir = line(top)
	}
	if r.objects, err = openObjects(ctx, r.dir, lines[1]); err != nil {
		return nil, err
	}
	return r, nil
}

// Close ends the process that reads objects. Trees of the repository cannot be read afterwards.
func (r *Repository) Close() error { return r.objects.close() }

// Dir returns the folder of the work tree, or of the repository itself when it is bare.
func (r *Repository) Dir() string { return r.dir }

// Bare reports whether the repository has no work tree.
func (r *Repository) Bare() bool { return r.bare }

// Resolve returns the id of the commit that a revision names: a branch, a tag, a remote branch such as origin/main, HEAD,
// an id or the beginning of one, or anything else that git understands as one commit, such as HEAD~2. Whatever leads to no
// commit is ErrUnknownRevision, with the names that come near.
func (r *Repository) Resolve(ctx context.Context, rev string) (string, error) {
	if rev == "" || strings.HasPrefix(rev, "-") || strings.ContainsAny(rev, "\x00\n") {
		return "", fmt.Errorf("%w %q: expected the name of a branch or tag, or the id of a commit", ErrUnknownRevision, rev)
	}
	out, err := run(ctx, "resolve", r.dir, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
	if err == nil {
		return line(out), nil
	}
	if exitCode(err) < 0 {
		return "", err
	}
	return "", fmt.Errorf("%w %q: %s", ErrUnknownRevision, rev, r.advice(ctx, rev))
}

// advice says what a revision that does not exist may have meant.
func (r *Repository) advice(ctx context.Context, rev string) string {
	if same := r.beginWith(ctx, rev); len(same) > 1 {
		return fmt.Sprintf("%d objects begin with it; write more of the id", len(same))
	}
	if _, err := run(ctx, "resolve", r.dir, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil && rev == "HEAD" {
		return "nothing is committed yet; commit first"
	}
	names := r.names(ctx)
	text := "no branch, tag or commit of this clone has that name"
	if near := meant(rev, names); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	} else if len(names) > 0 {
		text += "; there are " + listed(names, 8)
	}
	if r.Shallow(ctx) {
		return text + "; the clone is shallow: get the rest with git fetch --unshallow"
	}
	return text + "; what is only on the server comes with git fetch"
}

// beginWith lists the objects whose ids begin with a text.
func (r *Repository) beginWith(ctx context.Context, prefix string) []string {
	if len(prefix) < 4 || strings.Trim(prefix, "0123456789abcdefABCDEF") != "" {
		return nil
	}
	out, err := run(ctx, "look up", r.dir, "rev-parse", "--disambiguate="+prefix)
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// names lists the short names of branches, tags and remote branches.
func (r *Repository) names(ctx context.Context) []string {
	out, err := run(ctx, "list names", r.dir, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", "refs/remotes")
	if err != nil {
		return nil
	}
	var names []string
	for ref := range strings.Lines(string(out)) {
		ref = strings.TrimSpace(ref)
		if _, short, found := strings.Cut(strings.TrimPrefix(ref, "refs/"), "/"); found && !strings.HasSuffix(ref, "/HEAD") {
			names = append(names, short)
		}
	}
	return names
}

// Shallow reports whether the clone lacks the history before some commits.
func (r *Repository) Shallow(ctx context.Context) bool {
	out, err := run(ctx, "look for a shallow clone", r.dir, "rev-parse", "--is-shallow-repository")
	return err == nil && line(out) == "true"
}

// MergeBase returns the newest commit that two commits have in common. None is ErrNoMergeBase.
func (r *Repository) MergeBase(ctx context.Context, a, b string) (string, error) {
	for _, id := range []string{a, b} {
		if !isID(id) {
			return "", fmt.Errorf("%w %q: expected the id of a commit", ErrUnknownRevision, id)
		}
	}
	out, err := run(ctx, "find the common commit", r.dir, "merge-base", a, b)
	switch {
	case err == nil:
		return line(out), nil
	case exitCode(err) != 1:
		return "", err
	case r.Shallow(ctx):
		return "", fmt.Errorf("%w of %.8s and %.8s in this shallow clone: get the history with git fetch --unshallow, or name the commit to compare with", ErrNoMergeBase, a, b)
	}
	return "", fmt.Errorf("%w of %.8s and %.8s: their histories are unrelated; name the commit to compare with", ErrNoMergeBase, a, b)
}

// Missing returns how many commits of base are not in head: 0 when head grew out of base.
func (r *Repository) Missing(ctx context.Context, base, head string) (int, error) {
	if !isID(base) || !isID(head) {
		return 0, fmt.Errorf("%w: expected the ids of two commits", ErrUnknownRevision)
	}
	out, err := run(ctx, "count commits", r.dir, "rev-list", "--count", head+".."+base)
	if err != nil {
		return 0, err
	}
	var n int
	if _, err := fmt.Sscan(line(out), &n); err != nil {
		return 0, fmt.Errorf("count commits: %w", err)
	}
	return n, nil
}

// Branch is a branch that other people build on.
type Branch struct {
	Name string // short, such as main
	Rev  string // what Resolve takes, such as origin/main
}

// DefaultBranch finds the branch that changes go into: the one that the remote calls its default, else main or master, on
// the remote before the local one. The remote is origin, or the only other one.
func (r *Repository) DefaultBranch(ctx context.Context) (Branch, error) {
	remote := r.remote(ctx)
	var tracked string // where the branches of the remote stand
	var names []string
	if remote != "" {
		tracked = "refs/remotes/" + remote + "/"
		names = []string{tracked + "HEAD", tracked + "main", tracked + "master"}
	}
	names = append(names, "refs/heads/main", "refs/heads/master")
	there, err := r.branches(ctx, names)
	if err != nil {
		return Branch{}, err
	}
	for _, ref := range names {
		target, ok := there[ref]
		if ref != tracked+"HEAD" {
			target = ref
		}
		if name, ours := strings.CutPrefix(ref, "refs/heads/"); ok && ours {
			return Branch{Name: name, Rev: name}, nil
		}
		if name, theirs := strings.CutPrefix(target, tracked); ok && theirs {
			return Branch{Name: name, Rev: remote + "/" + name}, nil
		}
	}
	return Branch{}, fmt.Errorf("%w: this clone has no branch main or master, and its remote names no default branch; name the branch that Argo CD deploys", ErrUnknownRevision)
}

// branches finds out, with one start of git, which of the refs there are and lead to a commit, and the ref that each stands
// for, "" when it stands for itself.
func (r *Repository) branches(ctx context.Context, names []string) (map[string]string, error) {
	out, err := run(ctx, "find the default branch", r.dir, append([]string{"for-each-ref", "--format=%(objecttype) %(refname) %(symref)"}, names...)...)
	if err != nil {
		return nil, err
	}
	there := map[string]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "commit" || !slices.Contains(names, fields[1]) {
			continue
		}
		there[fields[1]] = strings.Join(fields[2:], "")
	}
	return there, nil
}

// remote is origin, or the only remote there is.
func (r *Repository) remote(ctx context.Context) string {
	out, err := run(ctx, "list remotes", r.dir, "remote")
	names := strings.Fields(string(out))
	switch {
	case err != nil || len(names) == 0:
		return ""
	case slices.Contains(names, "origin"):
		return "origin"
	case len(names) == 1:
		return names[0]
	}
	return ""
}

// Remotes returns the URLs of the remotes as they are configured, without credentials, each once.
func (r *Repository) Remotes(ctx context.Context) ([]string, error) {
	out, err := run(ctx, "list remotes", r.dir, "config", "-z", "--get-regexp", `^remote\..*\.(url|pushurl)$`)
	if err != nil {
		if exitCode(err) == 1 {
			return nil, nil // no such key
		}
		return nil, err
	}
	var urls []string
	for pair := range strings.SplitSeq(string(out), "\x00") {
		if _, value, found := strings.Cut(pair, "\n"); found && value != "" {
			if value = withoutCredentials(value); !slices.Contains(urls, value) {
				urls = append(urls, value)
			}
		}
	}
	return urls, nil
}

// withoutCredentials removes user and password from a URL. The user of an ssh address is part of its name and stays.
func withoutCredentials(raw string) string {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return raw
	}
	parsed, err := url.Parse(raw)
	if err != nil {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			return scheme + "://" + rest[at+1:]
		}
		return raw
	}
	if parsed.User == nil {
		return raw
	}
	name := parsed.User.Username()
	parsed.User = nil
	if strings.HasSuffix(parsed.Scheme, "ssh") {
		parsed.User = url.User(name)
	}
	return parsed.String()
}

func isID(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdef") == ""
}

// meant returns the name that a mistyped one was most likely meant to be, "" when none is near. Of a remote branch the name
// alone counts too.
func meant(name string, names []string) string {
	full := map[string]string{}
	var written []string
	for _, candidate := range names {
		written = append(written, candidate)
		full[candidate] = candidate
		if _, short, found := strings.Cut(candidate, "/"); found && full[short] == "" {
			written = append(written, short)
			full[short] = candidate
		}
	}
	return full[nearest.Of(name, written)]
}

func listed(names []string, limit int) string {
	if len(names) > limit {
		return strings.Join(names[:limit], ", ") + fmt.Sprintf(" and %d more", len(names)-limit)
	}
	return strings.Join(names, ", ")
}

// errClosed says that the repository was closed.
var errClosed = errors.New("the repository is closed")
