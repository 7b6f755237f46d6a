package reconcile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestMarkers(t *testing.T) {
	for _, row := range []struct {
		name, body string
		want       []string
	}{
		{"none", "text\n<!-- lockkeeper:reply:1 -->\n", nil},
		{"one", "<!-- lockkeeper:reply:1 -->\ntext\n<!-- lockkeeper:reply:2 -->", []string{"<!-- lockkeeper:reply:1 -->"}},
		{"several, with other line ends", "<!-- lockkeeper:reply:1 -->\r\n<!-- lockkeeper:visitor:ab -->\r\ntext", []string{"<!-- lockkeeper:reply:1 -->", "<!-- lockkeeper:visitor:ab -->"}},
		{"one that does not end", "<!-- lockkeeper:reply:1\n-->", nil},
		{"of others", "<!-- somebody:reply:1 -->\n", nil},
		{"nothing", "", nil},
	} {
		if diff := cmp.Diff(row.want, markers(row.body)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	mark := marker("reply", "1")
	if marked(promote.Note{Body: mark + "\ntext"}, mark) {
		t.Error("a pasted mark counts")
	}
	if !marked(promote.Note{Own: true, Body: mark + "\ntext"}, mark) {
		t.Error("our own mark does not count")
	}
}

// No name of an account gets out of the mark that it is in.
func FuzzVisitorMark(f *testing.F) {
	f.Add("ann", "text")
	f.Add("--> <script>", "<!-- lockkeeper:reply:1 -->")
	f.Fuzz(func(t *testing.T, name, body string) {
		mark := visitorMark(name)
		found := markers(note([]string{mark}, body))
		if len(found) == 0 || found[0] != mark || strings.Count(mark, "-->") != 1 {
			t.Errorf("%q gives %q", name, found)
		}
	})
}
