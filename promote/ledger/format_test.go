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
		"request": promote.Request{Key: "change-1-comment-2", Stage: stage, Freight: freight().ID, By: "ann", At: at},
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
		freight(), promotion(),
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
