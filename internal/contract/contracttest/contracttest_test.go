package contracttest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
)

// A witness is a test whose end is watched.
type witness struct {
	testing.TB
	failed, skipped bool
}

type ended struct{}

func (*witness) Helper()                 {}
func (*witness) Logf(string, ...any)     {}
func (w *witness) Errorf(string, ...any) { w.failed = true }

func (w *witness) Fatalf(string, ...any) {
	w.failed = true
	panic(ended{})
}

func (w *witness) Fatal(...any) { w.Fatalf("") }

func (w *witness) Skipf(string, ...any) {
	w.skipped = true
	panic(ended{})
}

func watch(t *testing.T, run func(testing.TB)) *witness {
	t.Helper()
	w := &witness{TB: t}
	func() {
		defer func() {
			if end := recover(); end != nil && end != any(ended{}) {
				panic(end)
			}
		}()
		run(w)
	}()
	return w
}

func TestAMissingDescriptionSkipsExceptOnTheBuildServer(t *testing.T) {
	for _, dir := range []string{t.TempDir(), "/nowhere"} {
		t.Setenv(contract.EnvDir, dir)
		open := func(t testing.TB) { contracttest.Open(t, contract.GitLab) }
		guard := func(t testing.TB) { contracttest.Guard(t, contract.GitLab)(t, http.NotFoundHandler()) }
		t.Setenv("CI", "")
		if w := watch(t, open); !w.skipped || w.failed {
			t.Errorf("Open at a desk, %s: skipped %v, failed %v", dir, w.skipped, w.failed)
		}
		if w := watch(t, guard); w.skipped || w.failed {
			t.Errorf("Guard at a desk, %s: skipped %v, failed %v", dir, w.skipped, w.failed)
		}
		t.Setenv("CI", "true")
		for name, run := range map[string]func(testing.TB){"Open": open, "Guard": guard} {
			if w := watch(t, run); w.skipped || !w.failed {
				t.Errorf("%s on the build server, %s: skipped %v, failed %v", name, dir, w.skipped, w.failed)
			}
		}
	}
}

func TestAViolationFailsTheTest(t *testing.T) {
	w := &witness{TB: t}
	petshop, err := contract.Load("../testdata/petshop.json")
	if err != nil {
		t.Fatal(err)
	}
	handler := contracttest.Handler(w, petshop, http.NotFoundHandler())
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/elsewhere", nil))
	if !w.failed {
		t.Error("an unknown route passed")
	}
}
