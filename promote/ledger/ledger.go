package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// maxAttempts bounds how often an append is tried again because another writer was faster.
const maxAttempts = 8

// maxParsed bounds how many records are remembered; reading one again costs little.
const maxParsed = 100_000

// Ledger reads and appends the history of one repository. It is safe for concurrent use.
type Ledger struct {
	Git *git.Repository // required

	mu     sync.Mutex
	parsed map[string]Record // by path and object ID; content never changes
}

// Load reads the history at a commit of the ledger branch. The empty commit is the empty history. A file that is no record
// is left out and told of in a finding, which keeps the stage or project in whose folder it lies from promoting.
func (l *Ledger) Load(ctx context.Context, tip promote.Commit) (promote.History, []promote.Finding, error) {
	var history promote.History
	if tip == "" {
		return history, nil, nil
	}
	tree, err := l.tree(ctx, tip)
	if err != nil {
		return history, nil, err
	}
	files, err := list(tree)
	if err != nil {
		return history, nil, fmt.Errorf("list ledger at %s: %w", tip.Short(), err)
	}
	if err := l.prefetch(ctx, tree, files); err != nil {
		return history, nil, err
	}
	return gather(files, func(file string) (Record, error) { return l.read(tree, file) })
}

// Read reads the history from the files of a ledger branch, wherever they are: Load without a repository.
func Read(tree fs.FS) (promote.History, []promote.Finding, error) {
	files, err := list(tree)
	if err != nil {
		return promote.History{}, nil, fmt.Errorf("list ledger: %w", err)
	}
	return gather(files, func(file string) (Record, error) {
		data, err := fs.ReadFile(tree, file)
		if err != nil {
			return nil, fmt.Errorf("ledger file %q: %w", file, err)
		}
		return Parse(file, data)
	})
}

func list(tree fs.FS) (files []string, err error) {
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.HasSuffix(name, ".yaml") {
			files = append(files, name)
		}
		return err
	})
	return files, err
}

// gather makes a history of records. What is no record is told of in a finding.
func gather(files []string, read func(file string) (Record, error)) (promote.History, []promote.Finding, error) {
	var history promote.History
	var findings []promote.Finding
	for _, file := range files {
		record, err := read(file)
		switch {
		case errors.Is(err, ErrFormat):
			findings = append(findings, broken(file, err))
		case err != nil:
			return promote.History{}, nil, err
		default:
			add(&history, record)
		}
	}
	sortHistory(&history)
	return history, findings, nil
}

// broken says that a file is no record, and whom that concerns by where it lies.
func broken(file string, err error) promote.Finding {
	finding := promote.Finding{
		Severity: promote.SeverityError, Code: "ledger", Message: err.Error(),
		Position: promote.Position{File: string(promote.LedgerBranch) + ":" + file},
		Remedy:   "restore or remove the file on the branch " + string(promote.LedgerBranch),
	}
	parts := strings.Split(strings.TrimSuffix(file, ".yaml"), "/")
	switch {
	case len(parts) >= 3 && parts[0] != "freight":
		finding.Stage = promote.StageRef{Project: parts[1], Name: parts[2]}
		finding.Project = parts[1]
	case len(parts) >= 2:
		finding.Project = parts[1]
	default:
		finding.Severity = promote.SeverityWarning
	}
	return finding
}

func (l *Ledger) tree(ctx context.Context, tip promote.Commit) (*git.Tree, error) {
	if err := l.Git.Ensure(ctx, string(tip)); err != nil {
		return nil, fmt.Errorf("fetch ledger at %s: %w", tip.Short(), err)
	}
	tree, err := l.Git.Tree(ctx, string(tip))
	if err != nil {
		return nil, fmt.Errorf("read ledger at %s: %w", tip.Short(), err)
	}
	return tree, nil
}

// prefetch brings the files that were never parsed in one request.
func (l *Ledger) prefetch(ctx context.Context, tree *git.Tree, files []string) error {
	l.mu.Lock()
	unknown := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		id, err := tree.ObjectID(file)
		return err == nil && l.parsed[file+"@"+id] != nil
	})
	l.mu.Unlock()
	if len(unknown) == 0 {
		return nil
	}
	if err := tree.Prefetch(ctx, unknown...); err != nil {
		return fmt.Errorf("fetch %d ledger files: %w", len(unknown), err)
	}
	return nil
}

func (l *Ledger) read(tree *git.Tree, file string) (Record, error) {
	id, err := tree.ObjectID(file)
	if err != nil {
		return nil, fmt.Errorf("ledger file %q: %w", file, err)
	}
	id = file + "@" + id
	l.mu.Lock()
	record, known := l.parsed[id]
	l.mu.Unlock()
	if known {
		return record, nil
	}
	data, err := tree.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ledger file %q: %w", file, err)
	}
	if record, err = Parse(file, data); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parsed == nil || len(l.parsed) >= maxParsed {
		l.parsed = map[string]Record{}
	}
	l.parsed[id] = record
	return record, nil
}

func add(history *promote.History, record Record) {
	switch r := record.(type) {
	case promote.Freight:
		history.Freights = append(history.Freights, r)
	case promote.Promotion:
		history.Promotions = append(history.Promotions, r)
	case promote.Verification:
		history.Verifications = append(history.Verifications, r)
	case promote.Hold:
		history.Holds = append(history.Holds, r)
	case promote.Request:
		history.Requests = append(history.Requests, r)
	case promote.Approval:
		history.Approvals = append(history.Approvals, r)
	case promote.Rejection:
		history.Rejections = append(history.Rejections, r)
	case promote.Metadata:
		history.Metadata = append(history.Metadata, r)
	}
}

// sortHistory puts what has a time in the order in which it happened, so that equal ledgers give equal histories.
func sortHistory(h *promote.History) {
	slices.SortStableFunc(h.Freights, func(a, b promote.Freight) int { return a.DiscoveredAt.Compare(b.DiscoveredAt) })
	slices.SortStableFunc(h.Verifications, func(a, b promote.Verification) int { return a.VerifiedAt.Compare(b.VerifiedAt) })
	slices.SortStableFunc(h.Requests, func(a, b promote.Request) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(h.Approvals, func(a, b promote.Approval) int { return a.At.Compare(b.At) })
}

// Entry is one append: records that belong together.
type Entry struct {
	Tip     promote.Commit // what the ledger branch pointed to when it was decided; empty when there was none
	Message string         // required: the commit's message
	When    time.Time      // required
	Records []Record       // required: records to write, and Removals
}

// Prepare makes the commit of an entry on top of its Tip without pushing it. An entry that changes nothing gives its Tip.
func (l *Ledger) Prepare(ctx context.Context, entry Entry) (promote.Commit, error) {
	files := map[string]git.File{}
	for _, record := range entry.Records {
		name, err := Path(record)
		if err != nil {
			return "", err
		}
		if _, removal := record.(Removal); removal {
			files[name] = git.File{Delete: true}
			continue
		}
		data, err := Print(record)
		if err != nil {
			return "", err
		}
		files[name] = git.File{Data: data}
	}
	request := git.CommitRequest{Files: files, Message: entry.Message, When: entry.When}
	if entry.Tip != "" {
		tree, err := l.tree(ctx, entry.Tip)
		if err != nil {
			return "", err
		}
		dropMissing(tree, files)
		request.Parents = []string{string(entry.Tip)}
	} else {
		files["README.md"] = git.File{Data: []byte(readme)}
	}
	id, err := l.Git.Commit(ctx, request)
	if errors.Is(err, git.ErrNoChange) {
		return entry.Tip, nil
	}
	if err != nil {
		return "", fmt.Errorf("write ledger: %w", err)
	}
	return promote.Commit(id), nil
}

// dropMissing forgets removals of what is not there.
func dropMissing(tree *git.Tree, files map[string]git.File) {
	for name, file := range files {
		if _, err := tree.ObjectID(name); file.Delete && err != nil {
			delete(files, name)
		}
	}
}

// Append writes an entry and pushes it. When another writer was faster it is written on top of theirs, provided that they
// did not touch the same records; otherwise the error is promote.ErrStale. It returns the new tip.
func (l *Ledger) Append(ctx context.Context, entry Entry) (promote.Commit, error) {
	for range maxAttempts {
		tip, err := l.Prepare(ctx, entry)
		if err != nil || tip == entry.Tip {
			return tip, err
		}
		results, err := l.Git.Push(ctx, git.RefUpdate{
			Ref: string(promote.LedgerBranch), Old: string(entry.Tip), New: string(tip),
		})
		if err == nil && len(results) == 1 {
			err = results[0].Err
		}
		if err == nil {
			return tip, nil
		}
		if !errors.Is(err, git.ErrMoved) {
			return "", fmt.Errorf("push ledger: %w", err)
		}
		moved, err := l.rebase(ctx, entry)
		if err != nil {
			return "", err
		}
		entry.Tip = moved
	}
	return "", fmt.Errorf("push ledger: %d others were faster: %w", maxAttempts, promote.ErrStale)
}

// rebase returns the present tip of the ledger, if the records of entry are untouched there.
func (l *Ledger) rebase(ctx context.Context, entry Entry) (promote.Commit, error) {
	refs, err := l.Git.Refs(ctx)
	if err != nil {
		return "", fmt.Errorf("read ledger branch: %w", err)
	}
	branch, _ := refs.Branch(string(promote.LedgerBranch))
	tip := promote.Commit(branch)
	for _, record := range entry.Records {
		name, err := Path(record)
		if err != nil {
			return "", err
		}
		before, err := l.objectID(ctx, entry.Tip, name)
		if err != nil {
			return "", err
		}
		now, err := l.objectID(ctx, tip, name)
		if err != nil {
			return "", err
		}
		if before != now {
			return "", fmt.Errorf("ledger file %q was written by another process: %w", name, promote.ErrStale)
		}
	}
	return tip, nil
}

// objectID returns the content key of a file at a commit, "" when it is not there.
func (l *Ledger) objectID(ctx context.Context, tip promote.Commit, name string) (string, error) {
	if tip == "" {
		return "", nil
	}
	tree, err := l.tree(ctx, tip)
	if err != nil {
		return "", err
	}
	id, err := tree.ObjectID(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return id, err
}

const readme = `# Lockkeeper's ledger

This branch is the history of promotions: one YAML file for each fact, written by Lockkeeper and read by it alone.

- freight/: sets of artifact versions that were discovered
- promotions/: attempts to bring a freight to a stage, with what each step did
- verifications/: freight that runs well in a stage, which opens the next one
- holds/: stages that a person holds
- requests/: promotions that a person asked for
- approvals/: freight that a person let into a stage
- rejections/: freight that is bad
- metadata/: values that promotions keep with a freight or a stage

To undo something, comment on a promotion (/hold, /promote); do not edit the files. Deleting the branch forgets the history:
freight is then discovered anew and every stage is looked at afresh.
`
