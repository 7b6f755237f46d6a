package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

var (
	testNow   = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	forbidden = &promote.APIError{Service: "gitlab", Operation: "list webhooks", Status: 403, Message: "403 Forbidden"}
	broken    = &promote.APIError{Service: "gitlab", Operation: "list webhooks", Status: 500, Message: "500"}
)

// told writes findings as the tables want them: verdict, check, text, and the change that would put it right.
func told(t *testing.T, findings []Finding) string {
	t.Helper()
	var b strings.Builder
	for _, f := range findings {
		b.WriteString(f.Verdict.String() + " " + f.Check + ": " + f.Text)
		if f.Fix.Kind != FixNothing {
			b.WriteString(" [" + f.Fix.String() + "]")
		}
		b.WriteString("\n")
		if (f.Verdict == Failure || f.Verdict == Warning) && f.Remedy == "" && !strings.HasPrefix(f.Text, "gitlab: ") && !strings.HasPrefix(f.Text, "argo cd: ") {
			t.Errorf("it does not say what to do: %s: %s", f.Check, f.Text)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// situation is one row: facts, and what is found.
type situation struct {
	name     string
	findings []Finding
	want     string
}

func judge(t *testing.T, situations []situation) {
	t.Helper()
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			if diff := cmp.Diff(s.want, told(t, s.findings)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
