package promote

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhereabouts(t *testing.T) {
	reject := func(tag string) edit {
		return func(s *State) {
			s.History.Rejections = append(s.History.Rejections, Rejection{Project: "shop", Freight: version(tag).ID, By: "ann", At: now})
		}
	}
	named := func(alias, tag string) edit {
		return func(s *State) {
			f := version(tag)
			f.Alias = alias
			s.History.Freights = append(s.History.Freights, f)
		}
	}
	pushedAgain := NewFreight("shop", "web", Artifacts{Images: []Image{{RepoURL: "acme/web", Tag: "1.0.1", Digest: "sha256:other"}}}, epoch)
	for _, c := range []struct {
		situation string
		state     State
		want      map[string][]string // by alias or version: runs in, verified in, onward
		rejected  string
	}{
		{
			"new freight may go where it comes straight from the warehouse", known(recorded("1.0.1")),
			map[string][]string{"1.0.1": {"/promote dev 1.0.1"}},
			"",
		},
		{
			"what was verified upstream may go further, and not where it runs", known(recorded("1.0.1"), ran(dev, 1, "1.0.1")),
			map[string][]string{"1.0.1": {"runs in shop/dev", "verified in shop/dev", "/promote prod 1.0.1"}},
			"",
		},
		{
			"an older freight may go back", known(recorded("1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), ran(dev, 2, "1.0.2")),
			map[string][]string{
				"1.0.2": {"runs in shop/dev", "verified in shop/dev", "/promote prod 1.0.2"},
				"1.0.1": {"verified in shop/dev", "/promote dev 1.0.1", "/promote prod 1.0.1"},
			},
			"",
		},
		{"rejected freight goes nowhere", known(recorded("1.0.1"), reject("1.0.1")), map[string][]string{"1.0.1": nil}, "ann"},
		{
			"a version that two freights have is written as an ID", known(recorded("1.0.1"), func(s *State) {
				s.History.Freights = append(s.History.Freights, pushedAgain)
			}),
			map[string][]string{"1.0.1": {"/promote dev " + version("1.0.1").ID.Short(), "/promote dev " + pushedAgain.ID.Short()}},
			"",
		},
		{
			"a held stage takes nothing", known(named("brave-otter", "1.0.1"), func(s *State) {
				s.History.Holds = append(s.History.Holds, Hold{Stage: dev, By: "ann"})
			}),
			map[string][]string{"1.0.1": nil},
			"",
		},
		{
			"without its project it is known and goes nowhere", known(recorded("1.0.1"), func(s *State) { s.Pipelines = nil }),
			map[string][]string{"1.0.1": nil},
			"",
		},
	} {
		t.Run(c.situation, func(t *testing.T) {
			got := map[string][]string{}
			rejected := ""
			for _, f := range c.state.Whereabouts() {
				lines := got[f.Label()]
				for _, stage := range f.Runs {
					lines = append(lines, "runs in "+stage.String())
				}
				for _, stage := range f.Verified {
					lines = append(lines, "verified in "+stage.String())
				}
				for _, onward := range f.Onward {
					lines = append(lines, onward.Command)
				}
				got[f.Label()] = lines
				if f.Rejected != nil {
					rejected = f.Rejected.By
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || rejected != c.rejected {
				t.Errorf("rejected by %q, -want +got:\n%s", rejected, diff)
			}
		})
	}
}

func TestWhereaboutsBeginWithWhatWasDiscoveredLast(t *testing.T) {
	var got []string
	for _, f := range known(recorded("1.0.1", "1.0.3", "1.0.2")).Whereabouts() {
		got = append(got, f.Label())
	}
	if diff := cmp.Diff([]string{"1.0.3", "1.0.2", "1.0.1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewAliasIsThatOfTheLoop(t *testing.T) {
	f := version("1.0.1")
	first := History{}.NewAlias(f)
	if first == "" || first != aliasOf(f.ID, 0) {
		t.Errorf("alias %q", first)
	}
	taken := version("1.0.2")
	taken.Alias = first
	if got := (History{Freights: []Freight{taken}}).NewAlias(f); got != aliasOf(f.ID, 1) {
		t.Errorf("alias %q, though %q is taken", got, first)
	}
	taken.Project = "bank"
	if got := (History{Freights: []Freight{taken}}).NewAlias(f); got != first {
		t.Errorf("alias %q, though only another project has %q", got, first)
	}
}

func TestNamed(t *testing.T) {
	f := version("1.0.1")
	f.Alias = "brave-otter"
	for word, want := range map[string]bool{
		"1.0.1": true, "brave-otter": true, string(f.ID): true, f.ID.Short(): true, string(f.ID[:6]): false, "1.0": false, "": false,
	} {
		if f.Named(word) != want {
			t.Errorf("Named(%q) = %v", word, !want)
		}
	}
}

func TestFreightStatus(t *testing.T) {
	s := known(recorded("1.0.1", "1.0.2"), ran(dev, 1, "1.0.1"), approved(prod, "1.0.1", "ann"))
	want := map[string]any{
		"currentlyIn": map[string]any{"dev": map[string]any{"since": stamp(s.History.Promotions[0].FinishedAt)}},
		"verifiedIn":  map[string]any{"dev": map[string]any{"verifiedAt": stamp(s.History.Verifications[0].VerifiedAt)}},
		"approvedFor": map[string]any{"prod": map[string]any{"approvedAt": stamp(s.History.Approvals[0].At)}},
	}
	got, ok := s.FreightStatus("shop", string(version("1.0.1").ID))
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("known %t: %s", ok, diff)
	}
	empty := map[string]any{"currentlyIn": map[string]any{}, "verifiedIn": map[string]any{}, "approvedFor": map[string]any{}}
	if got, ok := s.FreightStatus("shop", string(version("1.0.2").ID)); !ok || cmp.Diff(empty, got) != "" {
		t.Errorf("new freight: known %t: %v", ok, got)
	}
	for _, name := range []string{"", "1.0.1", "other"} {
		if got, ok := s.FreightStatus("shop", name); ok {
			t.Errorf("%q: %v", name, got)
		}
	}
}
