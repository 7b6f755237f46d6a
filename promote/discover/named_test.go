package discover_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

func TestNamedCommit(t *testing.T) {
	repo := gittest.NewServer(t).Repo("app.git", nil)
	first := commitAt(repo, "main", "first", 0, map[string]string{"a": "1"})
	second := commitAt(repo, "main", "second", 1, map[string]string{"a": "2"})
	side := commitAt(repo, "side", "aside", 2, map[string]string{"a": "3"})
	elsewhere := commitAt(repo, "elsewhere", "elsewhere", 3, map[string]string{"a": "4"})
	tagAt(repo, "v1.0.0", first, "one", 100)
	tagAt(repo, "side-1", side, "side", 101)
	made := func(id, message, tag string, second int) promote.GitCommit {
		return promote.GitCommit{
			RepoURL: repo.URL, ID: promote.Commit(id), Tag: tag, Message: message, Subscription: "config",
			Author: "Ann <ann@example.com>", Committer: "Ann <ann@example.com>", CreatedAt: time.Unix(1_700_000_000+int64(second), 0).UTC(),
		}
	}
	byTag := promote.SelectSemVer
	for _, c := range []struct {
		situation, revision string
		strategy            promote.Strategy
		want                promote.GitCommit
		problem             string
	}{
		{"a commit of the branch by its ID", first, "", made(first, "first", "", 0), ""},
		{"by the beginning of its ID", strings.ToUpper(second[:9]), "", made(second, "second", "", 1), ""},
		{"a tag of the branch is the commit that the branch would give", "v1.0.0", "", made(first, "first", "", 0), ""},
		{"a tag of another branch exists in the repository", side, "", made(side, "aside", "", 2), ""},
		{"a commit that only another branch has may be a fork's", elsewhere, "", promote.GitCommit{}, `is none of the newest 2 of branch "main"; push it there, or name a tag`},
		{"a tag where tags are selected", "v1.0.0", byTag, made(first, "first", "v1.0.0", 100), ""},
		{"a tag that the subscription would not select", "side-1", byTag, made(side, "aside", "side-1", 101), ""},
		{"a commit where tags are selected is its tag", first[:7], byTag, made(first, "first", "v1.0.0", 100), ""},
		{"a commit without a tag", second, byTag, promote.GitCommit{}, "no tag names commit " + second + "; write the name of a tag"},
		{"a tag that is mistyped", "v1.0.1", byTag, promote.GitCommit{}, `there is no tag "v1.0.1"; did you mean "v1.0.0"?`},
		{"a tag that is nothing like any", "release", "", promote.GitCommit{}, `there is no tag "release"; there is v1.0.0, side-1`},
	} {
		t.Run(c.situation, func(t *testing.T) {
			sub := gitSubscription(repo, func(s *promote.GitSubscription) { s.Name, s.Strategy = "config", c.strategy })
			got, err := newGit(nil).Named(t.Context(), sub, c.revision)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			checkProblem(t, err, c.problem)
			if err != nil && !errors.Is(err, promote.ErrNotFound) {
				t.Errorf("%v is not ErrNotFound", err)
			}
		})
	}
}

// checkProblem compares the end of an error; none is wanted when it is empty.
func checkProblem(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)):
		t.Errorf("error %v, want …%s", err, want)
	}
}

func TestNamedChartVersion(t *testing.T) {
	srv := newChartServer(t, indexOf("app", "1.0.0", "1.2.0", "1.10.0", "\"not a version\\u001b\""))
	charts := discover.NewCharts(discover.ChartConfig{})
	sub := promote.ChartSubscription{RepoURL: srv.URL, Chart: "app", Name: "chart", Constraint: "^2.0.0"}
	got, err := charts.Version(t.Context(), sub, "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	want := promote.Chart{RepoURL: srv.URL, Name: "app", Version: "1.2.0", Subscription: "chart"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	_, err = charts.Version(t.Context(), sub, "1.2.1")
	checkProblem(t, err, `"app" of `+srv.URL+` has no version "1.2.1"; did you mean "1.2.0"?`)
	_, err = charts.Version(t.Context(), sub, "latest")
	checkProblem(t, err, `has no version "latest"; there is 1.10.0, 1.2.0, 1.0.0`)
	sub.Chart = "other"
	_, err = charts.Version(t.Context(), sub, "1.2.0")
	checkProblem(t, err, `chart "other" is not in the index of `+srv.URL+`, which has app; correct name at `)
}

func TestNamedImage(t *testing.T) {
	s := newServer(t)
	both := index(
		on("linux", "amd64", image(t, "linux", "amd64", "", "a"), map[string]string{"for": "amd64"}),
		on("linux", "arm64", image(t, "linux", "arm64", "", "b"), map[string]string{"for": "arm64"}),
	)
	s.upload(t, "web:1.0.0", both)
	s.upload(t, "web:1.1.0", image(t, "linux", "amd64", "", "c"))
	s.upload(t, "web:nightly", image(t, "linux", "amd64", "", "d"))
	sub := promote.ImageSubscription{RepoURL: s.host() + "/web", Name: "web", Constraint: "^9.0.0", Platform: "linux/arm64"}
	got, err := newRegistry(nil).Named(t.Context(), sub, "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	want := promote.Image{
		RepoURL: sub.RepoURL, Tag: "1.0.0", Digest: digestOf(t, both), Subscription: "web", Annotations: map[string]string{"for": "arm64"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, c := range []struct{ situation, tag, problem string }{
		{"an image for another platform", "1.1.0", "/web:1.1.0 is for linux/amd64, not for linux/arm64"},
		{"a tag that is mistyped", "1.0.O", `/web has no tag "1.0.O"; did you mean "1.0.0"?`},
		{"a tag that is nothing like any", "released-today", `/web has no tag "released-today"; there is 1.0.0, 1.1.0, nightly`},
		{"what is no tag at all", "../up", `is not a tag: invalid request`},
	} {
		t.Run(c.situation, func(t *testing.T) {
			_, err := newRegistry(nil).Named(t.Context(), sub, c.tag)
			checkProblem(t, err, c.problem)
		})
	}
	sub.Constraint = ""
	_, err = newRegistry(nil).Named(t.Context(), sub, "released-today")
	checkProblem(t, err, `has no tag "released-today"; there is 1.1.0, 1.0.0`)
}
