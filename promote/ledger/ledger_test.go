package ledger

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func open(t *testing.T, repo *gittest.Repo) *Ledger {
	t.Helper()
	opened, err := git.Open(git.Config{URL: repo.URL, Author: git.Signature{Name: "bot", Email: "bot@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	return &Ledger{Git: opened}
}

func hold(name string) promote.Hold {
	return promote.Hold{Stage: promote.StageRef{Project: "develop", Name: name}, By: "ann", At: at}
}

func (l *Ledger) must(t *testing.T, tip promote.Commit, records ...Record) promote.Commit {
	t.Helper()
	next, err := l.Append(t.Context(), Entry{Tip: tip, Message: "test", When: at, Records: records})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func (l *Ledger) history(t *testing.T, tip promote.Commit) promote.History {
	t.Helper()
	history, findings, err := l.Load(t.Context(), tip)
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	return history
}

func TestWhatOneProcessWritesAnotherReads(t *testing.T) {
	repo := gittest.NewServer(t).Repo("r.git", map[string]string{"README.md": "x"})
	writer, reader := open(t, repo), open(t, repo)
	tip := writer.must(t, "", freight(), promotion())
	done := promotion()
	done.Phase, done.FinishedAt = promote.PhaseSucceeded, at.Add(time.Minute)
	verification := promote.Verification{Stage: done.Stage, Freight: done.Freight, Promotion: done.ID, Commit: "c", VerifiedAt: at}
	tip = writer.must(t, tip, done, verification, hold("a"))
	want := promote.History{
		Freights: []promote.Freight{freight()}, Promotions: []promote.Promotion{done},
		Verifications: []promote.Verification{verification}, Holds: []promote.Hold{hold("a")},
	}
	if diff := cmp.Diff(want, reader.history(t, tip)); diff != "" {
		t.Error(diff)
	}
	tip = writer.must(t, tip, Removal{hold("a")})
	if holds := reader.history(t, tip).Holds; len(holds) != 0 {
		t.Errorf("holds %v after the removal", holds)
	}
	if same := writer.must(t, tip, Removal{hold("a")}); same != tip {
		t.Error("removing what is not there makes a commit")
	}
	if got := repo.Head(string(promote.LedgerBranch)); got != string(tip) {
		t.Errorf("branch at %s, want %s", got, tip)
	}
	if parents := repo.Git("rev-list", "--count", string(promote.LedgerBranch)); parents != "3" {
		t.Errorf("%s commits, want 3 on a branch of its own", parents)
	}
	repo.Fsck()
}

func TestTwoWritersBothSucceed(t *testing.T) {
	repo := gittest.NewServer(t).Repo("r.git", map[string]string{"README.md": "x"})
	tip := open(t, repo).must(t, "", hold("start"))
	var group sync.WaitGroup
	failures := make([]error, 4)
	for i := range failures {
		writer := open(t, repo)
		group.Go(func() {
			_, failures[i] = writer.Append(t.Context(), Entry{
				Tip: tip, Message: "race", When: at, Records: []Record{hold(strings.Repeat("x", i+1))},
			})
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	history := open(t, repo).history(t, promote.Commit(repo.Head(string(promote.LedgerBranch))))
	if len(history.Holds) != 5 {
		t.Errorf("%d holds, want all 5: %v", len(history.Holds), history.Holds)
	}
}

func TestTheSameRecordWrittenByAnotherIsStale(t *testing.T) {
	repo := gittest.NewServer(t).Repo("r.git", map[string]string{"README.md": "x"})
	one, other := open(t, repo), open(t, repo)
	tip := one.must(t, "", promotion())
	finished := promotion()
	finished.Phase = promote.PhaseSucceeded
	one.must(t, tip, finished)
	aborted := promotion()
	aborted.Phase = promote.PhaseAborted
	_, err := other.Append(t.Context(), Entry{Tip: tip, Message: "late", When: at, Records: []Record{aborted}})
	if !errors.Is(err, promote.ErrStale) {
		t.Errorf("err = %v, want ErrStale", err)
	}
}

func TestABrokenFileKeepsItsStageFromPromoting(t *testing.T) {
	repo := gittest.NewServer(t).Repo("r.git", map[string]string{"README.md": "x"})
	l := open(t, repo)
	l.must(t, "", hold("a"), hold("b"))
	tip := repo.Commit(string(promote.LedgerBranch), "edited by hand", map[string]string{
		"holds/develop/a.yaml": "kind: Hold\n", "notes.yaml": "mine: true\n", "freight/shop/x.yaml": "[]",
	})
	history, findings, err := l.Load(t.Context(), promote.Commit(tip))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]promote.Hold{hold("b")}, history.Holds); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, f := range findings {
		got = append(got, f.Severity.String()+" "+f.Position.File+" "+f.Project+" "+f.Stage.Name)
	}
	want := []string{
		"error lockkeeper/ledger:freight/shop/x.yaml shop ", "error lockkeeper/ledger:holds/develop/a.yaml develop a",
		"warning lockkeeper/ledger:notes.yaml  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadingAgainCostsNoRequestForWhatIsKnown(t *testing.T) {
	server := gittest.NewServer(t)
	repo := server.Repo("r.git", map[string]string{"README.md": "x"})
	l := open(t, repo)
	tip := l.must(t, "", freight(), promotion(), hold("a"))
	l.history(t, tip)
	server.Requests()
	l.history(t, tip)
	if requests := server.Requests(); len(requests) != 0 {
		t.Errorf("%d requests for a ledger that was read before", len(requests))
	}
}
