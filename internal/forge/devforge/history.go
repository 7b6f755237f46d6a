package devforge

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// commitRecord is one commit as git log tells it.
type commitRecord struct {
	id             string
	parents        []string
	authorName     string
	authorEmail    string
	authored       time.Time
	committerName  string
	committerEmail string
	committed      time.Time
	message        string
}

func (c commitRecord) title() string {
	title, _, _ := strings.Cut(c.message, "\n")
	return title
}

const (
	logFormat = "--format=tformat:%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
	logFields = 9
)

// history selects commits by ID: those of from that are not in without, at most limit, newest first.
type history struct {
	from    string // required
	without string
	path    string
	limit   int
	single  bool
}

func (g *repository) log(ctx context.Context, h history) ([]commitRecord, error) {
	args := []string{"log", "-z", logFormat, "--max-count=" + strconv.Itoa(max(h.limit, 1))}
	if h.single {
		args = append(args, "--no-walk")
	}
	args = append(args, "--end-of-options", h.from)
	if h.without != "" {
		args = append(args, "^"+h.without)
	}
	args = append(args, "--")
	if h.path != "" {
		args = append(args, ":(literal)"+h.path)
	}
	out, err := g.fixed(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", h.from, err)
	}
	return parseLog(string(out))
}

func (g *repository) one(ctx context.Context, id string) (commitRecord, error) {
	found, err := g.log(ctx, history{from: id, limit: 1, single: true})
	if err != nil {
		return commitRecord{}, err
	}
	if len(found) == 0 {
		return commitRecord{}, errNoRevision
	}
	return found[0], nil
}

func parseLog(out string) ([]commitRecord, error) {
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if out == "" {
		return nil, nil
	}
	if len(fields)%logFields != 0 {
		return nil, fmt.Errorf("git log: %d fields, expected a multiple of %d", len(fields), logFields)
	}
	commits := make([]commitRecord, 0, len(fields)/logFields)
	for ; len(fields) > 0; fields = fields[logFields:] {
		authored, err := time.Parse(time.RFC3339, fields[4])
		if err != nil {
			return nil, fmt.Errorf("git log: author date: %w", err)
		}
		committed, err := time.Parse(time.RFC3339, fields[7])
		if err != nil {
			return nil, fmt.Errorf("git log: committer date: %w", err)
		}
		commits = append(commits, commitRecord{
			id: fields[0], parents: strings.Fields(fields[1]),
			authorName: fields[2], authorEmail: fields[3], authored: authored,
			committerName: fields[5], committerEmail: fields[6], committed: committed,
			message: fields[8],
		})
	}
	return commits, nil
}

// fileDiff is one changed file.
type fileDiff struct {
	oldPath, newPath string
	oldMode, newMode string
	status           byte // git's letter: A, D, M, R, T
	text             string
	tooLarge         bool
}

// maxPatch is GitLab's default for diff_max_patch_bytes: a larger file is listed without its text.
const maxPatch = 200 << 10

// diff compares two trees. Empty from means the empty tree.
func (g *repository) diff(ctx context.Context, from, to string) ([]fileDiff, error) {
	ends := []string{from, to}
	if from == "" {
		ends = []string{emptyTree, to}
	}
	raw, err := g.fixed(ctx, append([]string{"diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev"}, ends...)...)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", from, to, err)
	}
	files, err := parseRaw(string(raw))
	if err != nil || len(files) == 0 {
		return files, err
	}
	patch, err := g.fixed(ctx, append([]string{"diff-tree", "-r", "-M", "-p", "--no-color", "--no-ext-diff", "--no-textconv"}, ends...)...)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", from, to, err)
	}
	texts := splitPatch(patch)
	if len(texts) != len(files) {
		return nil, fmt.Errorf("compare %s with %s: %d files but %d patches", from, to, len(files), len(texts))
	}
	for i, text := range texts {
		if files[i].tooLarge = len(text) > maxPatch; !files[i].tooLarge {
			files[i].text = text
		}
	}
	return files, nil
}

const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

func parseRaw(raw string) ([]fileDiff, error) {
	var files []fileDiff
	fields := strings.Split(strings.TrimSuffix(raw, "\x00"), "\x00")
	if raw == "" {
		return nil, nil
	}
	for len(fields) > 1 {
		meta := strings.Fields(strings.TrimPrefix(fields[0], ":"))
		if len(meta) != 5 {
			return nil, fmt.Errorf("git diff-tree: unexpected record %q", fields[0])
		}
		file := fileDiff{oldMode: meta[0], newMode: meta[1], status: meta[4][0], oldPath: fields[1], newPath: fields[1]}
		fields = fields[2:]
		if (file.status == 'R' || file.status == 'C') && len(fields) > 0 {
			file.newPath, fields = fields[0], fields[1:]
		}
		files = append(files, file)
		if file.status == 'T' { // a change of type is two patches: the old file goes, the new one comes
			files = append(files, file)
		}
	}
	return files, nil
}

// splitPatch cuts a patch into one text per file, each from its first hunk on: GitLab leaves git's header out.
func splitPatch(patch []byte) []string {
	var texts []string
	const start = "diff --git "
	for len(patch) > 0 {
		end := bytes.Index(patch, []byte("\n"+start))
		file := patch
		if end >= 0 {
			file, patch = patch[:end+1], patch[end+1:]
		} else {
			patch = nil
		}
		text := ""
		if hunk := bytes.Index(file, []byte("\n@@ ")); hunk >= 0 {
			text = string(file[hunk+1:])
		} else if binary := bytes.Index(file, []byte("\nBinary files ")); binary >= 0 {
			text = string(file[binary+1:])
		}
		texts = append(texts, text)
	}
	return texts
}
