package ledger

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

var at = time.Date(2026, 5, 2, 8, 34, 29, 0, time.UTC)

func freight() promote.Freight {
	return promote.NewFreight("develop", "frontend-dev-image",
		promote.Artifacts{Images: []promote.Image{{RepoURL: "docker.io/a/b", Tag: "1.0.2", Digest: "sha256:aa"}}}, at)
}

func promotion() promote.Promotion {
	return promote.Promotion{
		ID: "frontend-dev-stage.0001.abcdefa", Stage: promote.StageRef{Project: "develop", Name: "frontend-dev-stage"}, Number: 1,
		Freight: freight().ID, Phase: promote.PhaseProposed, Actor: "auto-promotion", CreatedAt: at,
		Base: "b", Branch: "lockkeeper/develop/frontend-dev-stage", Target: "main", Head: "c",
		Steps: []promote.Step{{
			Uses: "git-clone", As: "step-1", Config: json.RawMessage(`{"repoURL":"${{ vars.x }}"}`),
			Timeout: promote.Duration(5 * time.Minute),
		}},
		Results: []promote.StepResult{{As: "step-1", Status: promote.StepSucceeded, Output: json.RawMessage(`{"commits":{"./repo":"b"}}`)}},
	}
}

// shown is a promotion of which it is known what people see.
func shown() promote.Promotion {
	p := promotion()
	p.Shown = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"
	return p
}

// wish is a request to merge it.
func wish() promote.Request {
	p := shown()
	return promote.Request{Key: "change-1-comment-2", Stage: p.Stage, Freight: p.Freight, By: "ann", At: at, Merge: p.ID, Head: p.Head, Shown: p.Shown, After: 1}
}

// What was written before anybody knew what people see is read as it was, and written as it was.
func TestRecordsWithoutWhatWasShown(t *testing.T) {
	for _, row := range []struct {
		file, data string
		want       Record
	}{
		{
			"requests/a/b/change-1-comment-2.yaml",
			"apiVersion: lockkeeper/v1\nkind: Request\nat: \"2026-05-02T08:34:29Z\"\nby: ann\nfreight: f\nhead: c\nkey: change-1-comment-2\nmerge: b.0001.f\n" +
				"stage: a/b\n",
			promote.Request{
				Key: "change-1-comment-2", Stage: promote.StageRef{Project: "a", Name: "b"}, Freight: "f", By: "ann", At: at, Merge: "b.0001.f", Head: "c",
			},
		},
		{
			"promotions/a/b/000001.f.yaml",
			"apiVersion: lockkeeper/v1\nkind: Promotion\nactor: ann\nbase: b\nbranch: x\ncreatedAt: \"2026-05-02T08:34:29Z\"\nfreight: f\nhead: c\n" +
				"id: b.0001.f\nnumber: 1\nphase: Proposed\nstage: a/b\nsteps: null\ntarget: main\n",
			promote.Promotion{
				ID: "b.0001.f", Stage: promote.StageRef{Project: "a", Name: "b"}, Number: 1, Freight: "f", Phase: promote.PhaseProposed, Actor: "ann",
				CreatedAt: at, Base: "b", Branch: "x", Target: "main", Head: "c",
			},
		},
	} {
		got, err := Parse(row.file, []byte(row.data))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Error(diff)
		}
		printed, err := Print(got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.data, string(printed)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPrintAndParseAreInverse(t *testing.T) {
	stage := promote.StageRef{Project: "develop", Name: "frontend-dev-stage"}
	for name, record := range map[string]Record{
		"freight":      freight(),
		"promotion":    promotion(),
		"verification": promote.Verification{Stage: stage, Freight: freight().ID, Promotion: "p", Commit: "c", VerifiedAt: at},
		"hold":         promote.Hold{Stage: stage, By: "ann", Reason: "1.10: do not\nship\x7f", At: at},
		"auto hold":    promote.Hold{Stage: stage, Warehouse: "frontend-dev-image", By: "ann", At: at},
		"approval":     promote.Approval{Key: "change-1-comment-3", Stage: stage, Freight: freight().ID, By: "ann", At: at},
		"rejection":    promote.Rejection{Project: "develop", Freight: freight().ID, By: "ann", Reason: "crashes", At: at},
		"metadata": promote.Metadata{
			Kind: promote.MetadataStage, Project: "develop", Name: "frontend-dev-stage",
			Values: map[string]json.RawMessage{"build": json.RawMessage(`{"n":7,"ok":true}`)},
		},
		"freight of everything": promote.NewFreight("develop", "all", promote.Artifacts{
			Images:  []promote.Image{{RepoURL: "a/b", Tag: "1", Digest: "sha256:aa", CreatedAt: at, Annotations: map[string]string{"a": "b"}}},
			Commits: []promote.GitCommit{{RepoURL: "https://x/y", ID: "c", Branch: "main", Message: "\ufeffm\u0085\u0081", CreatedAt: at}},
			Charts:  []promote.Chart{{RepoURL: "oci://x/y", Version: "1.0.0"}},
		}, at),
		"request":          promote.Request{Key: "change-1-comment-2", Stage: stage, Freight: freight().ID, By: "ann", At: at},
		"request to merge": wish(),
		"what people see":  shown(),
	} {
		t.Run(name, func(t *testing.T) {
			data, err := Print(record)
			if err != nil {
				t.Fatal(err)
			}
			file, err := Path(record)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(file, data)
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			if diff := cmp.Diff(record, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for name, c := range map[string]struct{ file, data string }{
		"newer version":            {"holds/a/b.yaml", "apiVersion: lockkeeper/v2\nkind: Hold\nstage: a/b\n"},
		"unknown kind":             {"holds/a/b.yaml", "apiVersion: lockkeeper/v1\nkind: Grudge\nstage: a/b\n"},
		"unknown key":              {"holds/a/b.yaml", "apiVersion: lockkeeper/v1\nkind: Hold\nstage: a/b\nmood: bad\n"},
		"duplicate key":            {"holds/a/b.yaml", "apiVersion: lockkeeper/v1\nkind: Hold\nstage: a/b\nstage: a/c\n"},
		"not YAML":                 {"holds/a/b.yaml", "{"},
		"a list":                   {"holds/a/b.yaml", "[]"},
		"a record in another file": {"holds/a/c.yaml", "apiVersion: lockkeeper/v1\nkind: Hold\nstage: a/b\nby: x\nat: 2026-05-02T08:34:29Z\n"},
		"a path that climbs":       {"holds/../b.yaml", "apiVersion: lockkeeper/v1\nkind: Hold\nstage: ../b\nby: x\nat: 2026-05-02T08:34:29Z\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if record, err := Parse(c.file, []byte(c.data)); !errors.Is(err, ErrFormat) {
				t.Errorf("Parse = %v, %v; want ErrFormat", record, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, record := range []Record{
		freight(), promotion(), shown(), wish(),
		promote.Rejection{Project: "a", Freight: "b", At: at},
		promote.Metadata{Kind: promote.MetadataFreight, Project: "a", Name: "b", Values: map[string]json.RawMessage{"x": json.RawMessage("1")}},
		promote.Hold{Stage: promote.StageRef{Project: "a", Name: "b"}, At: at},
	} {
		data, err := Print(record)
		if err != nil {
			f.Fatal(err)
		}
		file, err := Path(record)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file, data)
	}
	f.Fuzz(func(t *testing.T, file string, data []byte) {
		record, err := Parse(file, data)
		if err != nil {
			return
		}
		printed, err := Print(record)
		if err != nil {
			t.Fatalf("print what was parsed: %v", err)
		}
		again, err := Parse(file, printed)
		if err != nil {
			t.Fatalf("parse what was printed: %v\n%s", err, printed)
		}
		if diff := cmp.Diff(record, again); diff != "" {
			t.Error(diff)
		}
	})
}
