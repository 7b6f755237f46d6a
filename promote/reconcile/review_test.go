package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestWhatAChangeBrings(t *testing.T) {
	at := func(line int, stage string) promote.Finding {
		f := promote.Finding{Code: "unknown-kind", Position: promote.Position{File: "kargo/warehouse.yaml", Line: line}, Message: "no kind"}
		if stage != "" {
			f.Stage = promote.StageRef{Project: "develop", Name: stage}
		}
		return f
	}
	list := func(findings ...promote.Finding) []promote.Finding { return findings }
	for _, row := range []struct {
		name          string
		before, after []promote.Finding
		want          []promote.Finding
	}{
		{"nothing", nil, nil, nil},
		{"one", nil, list(at(2, "")), list(at(2, ""))},
		{"one that was there on another line", list(at(2, "")), list(at(3, "")), nil},
		{"a second of its kind", list(at(2, "")), list(at(2, ""), at(9, "")), list(at(9, ""))},
		{"one that concerns two stages", nil, list(at(2, "dev"), at(2, "production")), list(at(2, "dev"))},
		{"one that concerns a stage more than before", list(at(2, "dev")), list(at(2, "dev"), at(2, "production")), nil},
		{"one of two that concerned one stage each", list(at(2, "dev"), at(2, "production")), list(at(2, "dev"), at(9, "dev")), list(at(9, "dev"))},
	} {
		if diff := cmp.Diff(row.want, brought(row.before, row.after)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}
