package adaptertest

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Parsed checks what became of a webhook: an event, or why it is ignored.
func Parsed(t testing.TB, want promote.Event, ignored string, got promote.Event, err error) {
	t.Helper()
	if ignored != "" {
		if !errors.Is(err, forge.ErrIgnored) || !strings.Contains(err.Error(), ": "+ignored+": webhook ignored") {
			t.Errorf("got %v, want %s", err, ignored)
		}
	} else if err != nil {
		t.Error(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Sound checks what holds for every webhook, whatever its body: an event that can be acted on, or none beside an error.
func Sound(t testing.TB, event promote.Event, err error) {
	t.Helper()
	comment := event.Comment
	switch {
	case err != nil && event != (promote.Event{}):
		t.Errorf("an event beside the error %v: %+v", err, event)
	case err != nil:
	case event.Delivery == "" || event.Change < 0 || comment.Change != 0 && comment.Change != event.Change:
		t.Errorf("got %+v", event)
	case event.Kind == promote.EventPush && event.Branch == "":
		t.Error("a push without branch")
	case event.Kind == promote.EventQueue && event.Head == "":
		t.Error("a queue that does not say what it tests")
	case event.Kind == promote.EventArtifact && event.Image == "":
		t.Error("an artifact without name")
	case event.Kind == promote.EventComment && (comment.ID <= 0 || comment.Change <= 0 || comment.AuthorID <= 0):
		t.Errorf("a comment that nobody can answer: %+v", comment)
	}
}

// Recordings are webhooks that a real forge sent, in files of a folder of the recordings.
type Recordings struct{ Folder, Pattern string }

// bodies are the recordings by their path below the folder.
func (r Recordings) bodies(t testing.TB) (map[string][]byte, error) {
	t.Helper()
	dir, err := contract.Dir()
	if err != nil {
		return nil, err
	}
	folder := os.DirFS(filepath.Join(dir, r.Folder))
	names, err := fs.Glob(folder, r.Pattern)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, name := range names {
		if found[name], err = fs.ReadFile(folder, name); err != nil {
			t.Fatal(err)
		}
	}
	return found, nil
}

// Seed gives a fuzz target the recordings that it takes, where they are at hand.
func (r Recordings) Seed(f *testing.F, takes func(name string, body []byte) bool) {
	f.Helper()
	recorded, _ := r.bodies(f)
	for name, body := range recorded {
		if takes(name, body) {
			f.Add(string(body))
		}
	}
}

// Check holds what an adapter makes of each recording against one line. Where they are missing it skips the test, and fails it when
// CI=true.
func (r Recordings) Check(t *testing.T, want map[string]string, parse func(name string, body []byte) (event promote.Event, project string, err error)) {
	t.Helper()
	recorded, err := r.bodies(t)
	if err != nil && (os.Getenv("CI") == "true" || !errors.Is(err, fs.ErrNotExist)) {
		t.Fatalf("This test needs the recorded webhooks: %v", err)
	}
	if err != nil {
		t.Skipf("This test needs the recorded webhooks, which are not part of the repository: %v", err)
	}
	for name, body := range recorded {
		t.Run(name, func(t *testing.T) {
			event, project, err := parse(name, body)
			got := describe(event) + " of " + cmp.Or(project, "none")
			if errors.Is(err, forge.ErrIgnored) {
				_, reason, _ := strings.Cut(err.Error(), `": `)
				got = strings.TrimSuffix(reason, ": webhook ignored")
			} else if err != nil {
				t.Fatal(err)
			}
			if got != want[name] {
				t.Errorf("got %q, want %q", got, want[name])
			}
		})
	}
	for name := range want {
		if recorded[name] == nil {
			t.Errorf("%s is not recorded any more", name)
		}
	}
}

// describe tells in a line what counts of an event.
func describe(e promote.Event) string {
	number := ""
	if e.Change != 0 {
		number = strconv.Itoa(e.Change)
	}
	return strings.Join(forge.NonEmpty(e.Kind.String(), number, string(e.Branch), string(e.Head), e.Image, e.Comment.Author, e.Comment.Body), " ")
}
