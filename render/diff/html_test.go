package diff_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

// reports are those of the golden files, by name.
func reports(t *testing.T) map[string]diff.Report {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	out := map[string]diff.Report{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".txtar")] = diff.Compare(apps(t, a))
	}
	return out
}

var (
	scripts = regexp.MustCompile(`(?s)<script>.*?</script>`)
	tags    = regexp.MustCompile(`</?([a-z0-9]+)[^<>]*>`)
)

// TestHTMLHoldsEverythingAndNothingActs checks that the page has every object and line of the report, that its elements are
// balanced, and that nothing of a manifest became markup.
func TestHTMLHoldsEverythingAndNothingActs(t *testing.T) {
	known := " html head meta title style body h1 ul li code span input button p table thead tbody tr th td a details summary b div pre "
	for name, report := range reports(t) {
		t.Run(name, func(t *testing.T) {
			page, err := diff.HTML(report, diff.HTMLOptions{Title: `<img src=x onerror=alert(1)>`})
			if err != nil {
				t.Fatal(err)
			}
			text := string(page)
			if n := len(scripts.FindAllString(text, -1)); n != 1 {
				t.Errorf("%d scripts, want the page's own", n)
			}
			text = scripts.ReplaceAllString(text, "")
			var open []string
			for _, tag := range tags.FindAllStringSubmatch(text, -1) {
				switch {
				case !strings.Contains(known, " "+tag[1]+" "):
					t.Errorf("element %s", tag[0])
				case tag[1] == "meta" || tag[1] == "input":
				case strings.HasPrefix(tag[0], "</"):
					if len(open) == 0 || open[len(open)-1] != tag[1] {
						t.Fatalf("%s closes %v", tag[0], open)
					}
					open = open[:len(open)-1]
				default:
					open = append(open, tag[1])
				}
			}
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			added, changed, removed := report.Counts()
			want := added + changed + removed + report.Renamed()
			if got := strings.Count(text, `<div class="object">`); got != want && name != "same_change" {
				t.Errorf("%d objects, want %d", got, want)
			}
			again, err := diff.HTML(report, diff.HTMLOptions{Title: `<img src=x onerror=alert(1)>`})
			if err != nil || !bytes.Equal(page, again) {
				t.Errorf("the second page differs: %v", err)
			}
		})
	}
}

// TestPatchIsOneForGit has git read the patch and count its lines.
func TestPatchIsOneForGit(t *testing.T) {
	for name, report := range reports(t) {
		t.Run(name, func(t *testing.T) {
			patch := diff.Patch(report)
			if patch == "" {
				if !report.Empty() && name != "noise" {
					t.Error("empty")
				}
				return
			}
			cmd := exec.CommandContext(t.Context(), "git", "apply", "--numstat", "-")
			cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(patch)
			var problems bytes.Buffer
			cmd.Stderr = &problems // warnings of white space among them
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("git apply: %v: %s\n%s", err, &problems, patch)
			}
			plus := 0
			for line := range strings.Lines(string(out)) {
				n, err := strconv.Atoi(strings.Fields(line)[0])
				if err != nil {
					t.Fatal(err)
				}
				plus += n
			}
			if got := strings.Count(patch, "\n+") - strings.Count(patch, "\n+++ "); got != plus {
				t.Errorf("git counts %d added lines, the patch has %d", plus, got)
			}
		})
	}
}
