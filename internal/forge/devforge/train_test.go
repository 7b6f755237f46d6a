package devforge_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// aboard opens a merge request of a branch that changes a file of its own, and puts it on the train.
func (b *bench) aboard(t *testing.T, branch string) *gitlab.MergeRequest {
	t.Helper()
	b.commit(t, branch, branch+".yaml", "x\n")
	m, _, err := b.as(t, "bot").MergeRequests.CreateMergeRequest(projectPath, &gitlab.CreateMergeRequestOptions{
		Title: new(branch), SourceBranch: &branch, TargetBranch: new("main"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.as(t, "owner").MergeTrains.AddMergeRequestToMergeTrain(projectPath, m.IID, &gitlab.AddMergeRequestToMergeTrainOptions{SHA: &m.SHA})
	if _, refused := errors.AsType[*gitlab.ErrorResponse](err); refused {
		t.Fatal(err) // other errors are those of the library, which expects a list of cars instead of the one
	}
	return m
}

// lines are the newest pipelines of the merge requests, as their head pipelines.
func (b *bench) line(t *testing.T, iid int) *gitlab.Pipeline {
	t.Helper()
	m, _, err := b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, iid, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.HeadPipeline
}

func (b *bench) finish(t *testing.T, pipeline int, state string) {
	t.Helper()
	if err := b.FinishPipeline(t.Context(), projectPath, pipeline, state); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) states(t *testing.T) []string {
	t.Helper()
	all, _, err := b.as(t, "bot").MergeRequests.ListProjectMergeRequests(projectPath, &gitlab.ListProjectMergeRequestsOptions{Sort: new("asc")})
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, m := range all {
		states = append(states, m.State)
	}
	return states
}

func TestATrainMergesInOrder(t *testing.T) {
	b := newBench(t)
	trains(t, b)
	first, second := b.aboard(t, "one"), b.aboard(t, "two")
	one, two := b.line(t, first.IID), b.line(t, second.IID)
	if one.SHA == first.SHA || one.Source != "merge_request_event" || two.SHA == one.SHA {
		t.Errorf("pipelines %+v and %+v", one, two)
	}
	b.finish(t, two.ID, "success")
	if diff := cmp.Diff([]string{"opened", "opened"}, b.states(t)); diff != "" {
		t.Errorf("the second has passed and the first still runs: %s", diff)
	}
	b.finish(t, one.ID, "success")
	if diff := cmp.Diff([]string{"merged", "merged"}, b.states(t)); diff != "" {
		t.Error(diff)
	}
	if main, _, err := b.as(t, "bot").Branches.GetBranch(projectPath, "main"); err != nil || main.Commit.ID != two.SHA {
		t.Errorf("main is %+v, %v; want what the second car's pipeline tested, %s", main, err, two.SHA)
	}
}

func TestATrainTakesDownWhatFails(t *testing.T) {
	b := newBench(t)
	trains(t, b)
	first, second := b.aboard(t, "one"), b.aboard(t, "two")
	tested := b.line(t, second.IID)
	b.finish(t, b.line(t, first.IID).ID, "failed")
	again := b.line(t, second.IID)
	if again.ID == tested.ID || again.SHA == tested.SHA {
		t.Errorf("the second car is not tested without the first: %+v", again)
	}
	b.finish(t, again.ID, "success")
	if diff := cmp.Diff([]string{"opened", "merged"}, b.states(t)); diff != "" {
		t.Error(diff)
	}
	if m := b.state(t); m.MergeWhenPipelineSucceeds {
		t.Error("what was taken down still says that it is merged by itself")
	}
}

func TestPipelinesOfAMergeRequestCountBeforeThoseOfItsBranch(t *testing.T) {
	b := newBench(t)
	m := b.open(t, "lockkeeper/web")
	for _, tt := range []struct {
		kind devforge.PipelineKind
		ref  string
	}{
		{devforge.BranchPipeline, "lockkeeper/web"},
		{devforge.RequestPipeline, "refs/merge-requests/1/head"},
		{devforge.BranchPipeline, "refs/merge-requests/1/head"},
		{devforge.ResultPipeline, "refs/merge-requests/1/merge"},
	} {
		if _, err := b.RunPipeline(t.Context(), projectPath, m.IID, tt.kind); err != nil {
			t.Fatal(err)
		}
		if head := b.line(t, m.IID); head.Ref != tt.ref || (head.SHA == m.SHA) != (tt.kind != devforge.ResultPipeline) {
			t.Errorf("after a pipeline of kind %d the head pipeline is %+v", tt.kind, head)
		}
	}
}

func TestCarsBehindOneThatLeftAreTestedWithoutIt(t *testing.T) {
	for name, leave := range map[string]func(b *bench, iid int) error{
		"by cancelling": func(b *bench, iid int) error {
			_, _, err := b.as(t, "owner").MergeRequests.CancelMergeWhenPipelineSucceeds(projectPath, iid)
			return err
		},
		"by being closed": func(b *bench, iid int) error {
			_, _, err := b.as(t, "owner").MergeRequests.UpdateMergeRequest(projectPath, iid, &gitlab.UpdateMergeRequestOptions{StateEvent: new("close")})
			return err
		},
		"by new commits": func(b *bench, _ int) error {
			b.commit(t, "one", "more.yaml", "y\n")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			trains(t, b)
			first, second := b.aboard(t, "one"), b.aboard(t, "two")
			before := b.line(t, second.IID)
			if err := leave(b, first.IID); err != nil {
				t.Fatal(err)
			}
			again := b.line(t, second.IID)
			if again.ID == before.ID || again.SHA == before.SHA {
				t.Errorf("the second car is still tested with the first: %+v", again)
			}
			b.finish(t, again.ID, "success")
			if m, _, err := b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, second.IID, nil); err != nil || m.State != "merged" {
				t.Errorf("the second is %+v, %v", m, err)
			}
		})
	}
}
