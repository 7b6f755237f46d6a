package chartedit

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
)

var generated = time.Date(2026, 5, 2, 8, 34, 29, 0, time.UTC)

// locked makes a Chart.lock of versions in the order of the dependencies.
func locked(t *testing.T, chartYAML string, resolved ...Dependency) string {
	t.Helper()
	out, err := Lock([]byte(chartYAML), resolved, generated)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const (
	twoRanges = "dependencies:\n- {name: redis, version: ~17.0, repository: 'https://charts.example.com/'}\n- {name: common, version: ^2.0, repository: 'oci://registry.example.com'}\n"
	oneExact  = "dependencies:\n- {name: redis, version: 17.1.0, repository: 'https://charts.example.com/'}\n- {name: common, version: ^2.0, repository: 'oci://registry.example.com'}\n"
)

func TestRelock(t *testing.T) {
	redis := Dependency{"https://charts.example.com/", "redis", "17.0.3"}
	common := Dependency{"oci://registry.example.com", "common", "2.4.1"}
	updated := redis
	updated.Version = "17.1.0"
	before := locked(t, twoRanges, redis, common)
	for name, c := range map[string]struct{ chart, lock, want string }{
		"a new version, and what is kept":      {oneExact, before, locked(t, oneExact, updated, common)},
		"nothing changed":                      {twoRanges, before + "# kept\n", before + "# kept\n"},
		"a range that still holds":             {strings.ReplaceAll(twoRanges, "~17.0", "'>=17'"), before, locked(t, strings.ReplaceAll(twoRanges, "~17.0", "'>=17'"), redis, common)},
		"a dependency that is gone":            {strings.Split(twoRanges, "- {name: common")[0], before, locked(t, strings.Split(twoRanges, "- {name: common")[0], redis)},
		"a lock in another order":              {twoRanges, locked(t, "dependencies: [{name: common}, {name: redis}]", common, redis), before},
		"no version, as of a chart in charts/": {"dependencies: [{name: local}]\n", "dependencies: [{name: local, repository: '', version: 0.1.0}]\ndigest: x\n", locked(t, "dependencies: [{name: local}]\n", Dependency{"", "local", "0.1.0"})},
		"an exact version that was not locked": {"dependencies: [{name: a, version: 1.0.0, repository: r}]\n", "dependencies: []\n", locked(t, "dependencies: [{name: a, version: 1.0.0, repository: r}]\n", Dependency{"r", "a", "1.0.0"})},
		"build metadata makes another version": {"dependencies: [{name: a, version: 1.0.0+b, repository: r}]\n", "dependencies: [{name: a, version: 1.0.0, repository: r}]\n", locked(t, "dependencies: [{name: a, version: 1.0.0+b, repository: r}]\n", Dependency{"r", "a", "1.0.0+b"})},
		"one chart twice, under another alias": {"dependencies: [{name: a, version: 1.x, repository: r}, {name: a, alias: b, version: 2.x, repository: r}]\n", "dependencies: [{name: a, version: 1.5.0, repository: r}, {name: a, version: 2.5.0, repository: r}]\n", locked(t, "dependencies: [{name: a, version: 1.x, repository: r}, {name: a, alias: b, version: 2.x, repository: r}]\n", Dependency{"r", "a", "1.5.0"}, Dependency{"r", "a", "2.5.0"})},
		"the spelling of a repository is kept": {"dependencies: [{name: a, version: 1.x, repository: 'https://R/'}]\n", "dependencies: [{name: a, version: 1.5.0, repository: 'https://r'}]\n", locked(t, "dependencies: [{name: a, version: 1.x, repository: 'https://R/'}]\n", Dependency{"https://r", "a", "1.5.0"})},
		"nothing is depended on any longer":    {"name: x\n", before, locked(t, "name: x\n")},
		"a lock without content is made anew":  {"dependencies: [{name: a, version: 1.0.0, repository: r}]\n", "", locked(t, "dependencies: [{name: a, version: 1.0.0, repository: r}]\n", Dependency{"r", "a", "1.0.0"})},
		"v in front is no difference":          {"dependencies: [{name: a, version: 1.0.0, repository: r}]\n", "dependencies: [{name: a, version: v1.0.0, repository: r}]\n", locked(t, "dependencies: [{name: a, version: 1.0.0, repository: r}]\n", Dependency{"r", "a", "v1.0.0"})},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Relock([]byte(c.chart), []byte(c.lock), generated)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRelockErrors(t *testing.T) {
	for _, c := range []struct{ chart, lock, want string }{
		{"dependencies: [{name: a, version: 2.x, repository: r}]\n", "dependencies: [{name: a, version: 1.0.0, repository: r}]\n", `"a" of "r" is "2.x" in Chart.yaml and "1.0.0" in Chart.lock; name one version, or run helm dependency update and commit Chart.lock: the version is not known`},
		{"dependencies: [{name: a, version: 2.x, repository: r}]\n", "", `"a" of "r" is "2.x" in Chart.yaml and "" in Chart.lock`},
		{"name: a\n", "dependencies: {a: b}\n", "the lock cannot be read"},
		{"name: a\n", "a: [\n", "the file is not valid YAML"},
		{"a: [\n", "", "the file is not valid YAML"},
	} {
		out, err := Relock([]byte(c.chart), []byte(c.lock), generated)
		if err == nil || !strings.Contains(err.Error(), c.want) || out != nil {
			t.Errorf("Relock(%q, %q) = %q, %v, want %s", c.chart, c.lock, out, err, c.want)
		}
	}
}

func TestAllows(t *testing.T) {
	const chart = "dependencies: [{name: a, version: 1.2.x, repository: r}, {name: a, alias: b, version: 3.0.0, repository: r}, {name: c, repository: r}]\n"
	for _, c := range []struct {
		name, version string
		want          bool
	}{
		{"a", "1.2.9", true},
		{"a", "1.3.0", false},
		{"a", "3.0.0", true},
		{"a", "3.0.0+x", false},
		{"c", "9.0.0", true},
		{"d", "1.0.0", false},
		{"a", "none", false},
	} {
		if got, err := Allows([]byte(chart), c.name, c.version); err != nil || got != c.want {
			t.Errorf("Allows %s %s = %v, %v, want %v", c.name, c.version, got, err, c.want)
		}
	}
	if _, err := Allows([]byte("a: [\n"), "a", "1"); err == nil {
		t.Error("a file that is no YAML is no error")
	}
}

func TestArchiveVersion(t *testing.T) {
	for _, c := range []struct{ archive, want string }{
		{"redis-17.0.1.tgz", "17.0.1"},
		{"redis-v17.0.1-rc.1+b.tgz", "v17.0.1-rc.1+b"},
		{"redis-cluster-1.0.0.tgz", ""},
		{"redis-17-ha-1.0.0.tgz", ""},
		{"redis-17.0.1.tar.gz", ""},
		{"redis.tgz", ""},
		{"other-1.0.0.tgz", ""},
	} {
		version, ok := ArchiveVersion(c.archive, "redis")
		if ok != (c.want != "") || ok && version != c.want {
			t.Errorf("ArchiveVersion(%q) = %q, %v, want %q", c.archive, version, ok, c.want)
		}
	}
}

func FuzzRelock(f *testing.F) {
	f.Add([]byte(twoRanges), []byte("dependencies:\n- {name: redis, version: 17.0.3, repository: https://charts.example.com}\ndigest: x\n"))
	f.Add([]byte("dependencies: [{name: a, version: v1.0.0}]\n"), []byte("generated: '2026-01-02T03:04:05Z'\n"))
	f.Fuzz(func(t *testing.T, chartYAML, lockYAML []byte) {
		out, err := Relock(chartYAML, lockYAML, generated)
		if err != nil {
			if _, ok := errors.AsType[*yamledit.Error](err); !ok && !errors.Is(err, ErrUnresolved) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		again, err := Relock(chartYAML, out, generated.Add(time.Hour))
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("a lock that is up to date became %q, %v; it was %q", again, err, out)
		}
	})
}
