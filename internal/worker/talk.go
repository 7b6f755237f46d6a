package worker

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// talk is the parent's side of one job.
type talk struct {
	job    Job
	in     io.Writer // of the worker
	out    io.Reader
	memory int64

	trees    []fs.FS         // of the job, and those that were fetched
	seen     map[string]bool // regular files of the job's that were sent
	begun    bool            // the worker said something
	finished bool            // it said that it is done
}

// run hands the job over and answers the worker until it is done. It returns when the pipes end, whatever comes through them.
func (t *talk) run() (Answer, error) {
	t.trees, t.seen = []fs.FS{t.job.Tree}, map[string]bool{}
	if err := t.begin(); err != nil {
		return Answer{}, fmt.Errorf("hand over a job: %w", err)
	}
	for {
		h, body, err := readFrame(t.out)
		if err != nil {
			return Answer{Read: t.sent()}, err
		}
		t.begun = true
		switch h.Kind {
		case kindLook:
			if err := t.answer(h); err != nil {
				return Answer{Read: t.sent()}, err
			}
		case kindFetch:
			if err := writeFrame(t.in, t.fetch(h.What), nil); err != nil {
				return Answer{Read: t.sent()}, err
			}
		case kindDone:
			t.finished = true
			read := slices.DeleteFunc(h.Read, func(name string) bool { return !t.seen[name] })
			slices.Sort(read)
			answer := Answer{Body: body, Read: slices.Compact(read)}
			if len(h.Failures) > 0 {
				return answer, errorOf(h.Failures)
			}
			return answer, nil
		default:
			return Answer{Read: t.sent()}, fmt.Errorf("%w that is expected: %q", errFrame, h.Kind[:min(len(h.Kind), 20)])
		}
	}
}

func (t *talk) begin() error {
	w := bufio.NewWriterSize(t.in, 64<<10)
	err := send(t.job.Tree, t.job.Folder, func(f file, data []byte) error { return t.send(w, f, data) })
	if err == nil {
		err = writeFrame(w, head{Kind: kindJob, Engine: t.job.Engine, Memory: t.memory, Fetches: t.job.Fetch != nil}, t.job.Request)
	}
	if err == nil {
		err = w.Flush()
	}
	return err
}

func (t *talk) answer(h head) error {
	if h.Tree < 0 || h.Tree >= len(t.trees) {
		return fmt.Errorf("%w: it looks at a tree that there is not", errFrame)
	}
	f, data := look(t.trees[h.Tree], h.Path, h.Content)
	if h.Tree > 0 {
		return writeFrame(t.in, head{Kind: kindFile, File: &f}, data)
	}
	return t.send(t.in, f, data)
}

// maxTrees is how many trees one job may fetch.
const maxTrees = 1000

func (t *talk) fetch(what []string) head {
	tree, err := fs.FS(nil), error(nil)
	switch {
	case t.job.Fetch == nil:
		err = &manifest.Error{Problem: "nothing is fetched", Cause: manifest.ErrElsewhere}
	case len(t.trees) > maxTrees:
		err = &manifest.Error{Problem: fmt.Sprintf("more than %d times something is fetched", maxTrees), Cause: manifest.ErrBound}
	default:
		tree, err = t.job.Fetch(what)
	}
	if err != nil {
		return head{Kind: kindTree, Failures: failuresOf(err)}
	}
	t.trees = append(t.trees, tree)
	return head{Kind: kindTree, Tree: len(t.trees) - 1}
}

func (t *talk) send(w io.Writer, f file, data []byte) error {
	if f.Whole {
		t.seen[f.Path] = true
	}
	return writeFrame(w, head{Kind: kindFile, File: &f}, data)
}

func (t *talk) sent() []string {
	var out []string
	for name := range t.seen {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
