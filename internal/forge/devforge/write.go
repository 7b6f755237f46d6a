package devforge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// change is one commit to be written on a branch.
type change struct {
	branch  string // required
	parent  string // empty for the first commit of a repository
	message string
	by      identity
	files   map[string]string // path to content
	removed []string
}

// write makes one commit with git fast-import, which moves the branch only forward.
func (g *repository) write(ctx context.Context, c change) (string, error) {
	if !safeName(c.branch) {
		return "", fmt.Errorf("branch name %q: not a valid name", c.branch)
	}
	var script bytes.Buffer
	fmt.Fprintf(&script, "commit %s%s\n", headsPrefix, c.branch)
	stamp := fmt.Sprintf("%s <%s> %d +0000", c.by.name, c.by.email, c.by.at.Unix())
	fmt.Fprintf(&script, "author %s\ncommitter %s\ndata %d\n%s\n", stamp, stamp, len(c.message), c.message)
	if c.parent != "" {
		fmt.Fprintf(&script, "from %s\n", c.parent)
	}
	for _, path := range c.removed {
		if !safePath(path) {
			return "", fmt.Errorf("file path %q: not inside the repository", path)
		}
		fmt.Fprintf(&script, "D %s\n", path)
	}
	for _, path := range slices.Sorted(maps.Keys(c.files)) {
		if !safePath(path) {
			return "", fmt.Errorf("file path %q: not inside the repository", path)
		}
		fmt.Fprintf(&script, "M 100644 inline %s\ndata %d\n%s\n", path, len(c.files[path]), c.files[path])
	}
	script.WriteString("\ndone\n")
	if _, err := g.run(ctx, invocation{args: []string{"fast-import", "--quiet", "--done"}, stdin: &script}); err != nil {
		return "", fmt.Errorf("commit to %q: %w", c.branch, err)
	}
	return g.head(ctx, c.branch)
}

// mergeOutcome is what git says about merging one commit into another.
type mergeOutcome struct {
	tree     string
	conflict bool
}

// merge computes the tree of a merge without touching a ref (git merge-tree --write-tree).
func (g *repository) merge(ctx context.Context, target, head string) (mergeOutcome, error) {
	out, err := g.fixed(ctx, "merge-tree", "--write-tree", "--no-messages", target, head)
	if exit := (*exitError)(nil); errors.As(err, &exit) {
		return mergeOutcome{conflict: true}, nil // 1 is a conflict, more are histories that cannot be merged at all
	}
	return mergeOutcome{tree: strings.TrimSpace(string(out))}, err
}

// join writes a commit object; no ref moves.
func (g *repository) join(ctx context.Context, tree, message string, by identity, parents ...string) (string, error) {
	args := []string{"commit-tree", tree, "-F", "-"}
	for _, parent := range parents {
		args = append(args, "-p", parent)
	}
	out, err := g.run(ctx, invocation{
		args:  args,
		stdin: strings.NewReader(message),
		env:   append(by.environment("AUTHOR"), by.environment("COMMITTER")...),
	})
	if err != nil {
		return "", fmt.Errorf("write merge commit: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (g *repository) treeOf(ctx context.Context, commit string) (string, error) {
	out, err := g.fixed(ctx, "rev-parse", "--verify", "--end-of-options", commit+"^{tree}")
	return strings.TrimSpace(string(out)), err
}
