package discover_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
)

// kargoTags are the tags of the cases that were observed in Kargo.
const kargoTags = "latest 1 1.2 v1.2 1.2.3 v1.2.3 1.2.3-rc.1 1.2.4-alpha 1.2.3+b1 1.10.0 2.0.0 abc1234 1234567 01.2.3 1.2.3.4 V1.2.3"

func TestSelect(t *testing.T) {
	tests := []struct {
		name string
		sub  promote.ImageSubscription
		tags string
		want string
	}{
		{
			"strict without a constraint includes pre-releases",
			promote.ImageSubscription{StrictSemvers: true},
			kargoTags,
			"2.0.0 1.10.0 1.2.4-alpha v1.2.3 1.2.3+b1 1.2.3 1.2.3-rc.1",
		},
		{
			"strict with a caret excludes pre-releases",
			promote.ImageSubscription{StrictSemvers: true, Constraint: "^1.0.0"},
			kargoTags,
			"1.10.0 v1.2.3 1.2.3+b1 1.2.3",
		},
		{
			"strict with a wildcard",
			promote.ImageSubscription{StrictSemvers: true, Constraint: "1.x"},
			kargoTags,
			"1.10.0 v1.2.3 1.2.3+b1 1.2.3",
		},
		{
			"strict with a tilde",
			promote.ImageSubscription{StrictSemvers: true, Constraint: "~1.2"},
			kargoTags,
			"v1.2.3 1.2.3+b1 1.2.3",
		},
		{
			"strict with a constraint that mentions a pre-release",
			promote.ImageSubscription{StrictSemvers: true, Constraint: ">=1.0.0-0"},
			kargoTags,
			"2.0.0 1.10.0 1.2.4-alpha v1.2.3 1.2.3+b1 1.2.3 1.2.3-rc.1",
		},
		{
			"loose without a constraint",
			promote.ImageSubscription{},
			kargoTags,
			"1234567 2.0.0 1.10.0 1.2.4-alpha v1.2.3 1.2.3+b1 1.2.3 01.2.3 1.2.3-rc.1 v1.2 1.2 1",
		},
		{
			"loose with a tilde",
			promote.ImageSubscription{Constraint: "~1.2"},
			kargoTags,
			"v1.2.3 1.2.3+b1 1.2.3 01.2.3 v1.2 1.2",
		},
		{"ten is more than nine", promote.ImageSubscription{StrictSemvers: true}, "1.9.0 1.10.0 1.0.9", "1.10.0 1.9.0 1.0.9"},
		{
			"any allowed pattern is enough and patterns are unanchored",
			promote.ImageSubscription{Allow: []string{`^1\.2`, `rc`}, StrictSemvers: true},
			"1.2.3 1.3.0 2.0.0-rc.1", "2.0.0-rc.1 1.2.3",
		},
		{
			"an ignored pattern wins over an allowed one",
			promote.ImageSubscription{Allow: []string{`^1\.`}, Ignore: []string{`-`}, StrictSemvers: true},
			"1.2.3 1.2.4-rc.1 2.0.0", "1.2.3",
		},
		{"a broken pattern selects nothing", promote.ImageSubscription{Allow: []string{`(`}}, "1.2.3", ""},
		{"a broken constraint selects nothing", promote.ImageSubscription{Constraint: "newest"}, "1.2.3", ""},
		{"no tags", promote.ImageSubscription{}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tags := strings.Fields(tt.tags)
			selected, dropped := discover.Select(tt.sub, tags)
			if diff := cmp.Diff(tt.want, strings.Join(selected, " ")); diff != "" {
				t.Errorf("selected: -want +got:\n%s", diff)
			}
			if len(selected)+len(dropped) != len(tags) {
				t.Errorf("%d selected and %d dropped of %d tags", len(selected), len(dropped), len(tags))
			}
		})
	}
}

func TestSelectSaysWhyTagsAreDropped(t *testing.T) {
	sub := promote.ImageSubscription{
		StrictSemvers: true, Constraint: "^1.0.0", Allow: []string{`^[0-9lm]`}, Ignore: []string{`^9`},
	}
	_, dropped := discover.Select(sub, strings.Fields("9.0.0 x1 latest 1.2 2.0.0 1.0.0"))
	want := []discover.Dropped{
		{Tag: "9.0.0", Reason: `ignored by "^9"`},
		{Tag: "x1", Reason: "matches none of the allowed patterns"},
		{Tag: "latest", Reason: "not a semantic version"},
		{Tag: "1.2", Reason: "not a whole semantic version (strictSemvers)"},
		{Tag: "2.0.0", Reason: `outside constraint "^1.0.0"`},
	}
	if diff := cmp.Diff(want, dropped, cmpopts.IgnoreUnexported(discover.Dropped{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFreightOfImages pins the IDs that Kargo itself computed.
func TestFreightOfImages(t *testing.T) {
	image := promote.Image{RepoURL: "public.ecr.aws/nginx/nginx", Tag: "1.27.0", Digest: "sha256:aaaa"}
	got := promote.NewFreight("any", "my-warehouse", promote.Artifacts{Images: []promote.Image{image}}, time.Time{}).ID
	if want := promote.FreightID("a414873f4c654d2af6e880b623de1e10ee3f38f5"); got != want {
		t.Errorf("ID %s, want %s", got, want)
	}
	image.Annotations = map[string]string{"a": "b"}
	if again := promote.NewFreight("other", "my-warehouse", promote.Artifacts{Images: []promote.Image{image}}, time.Unix(1, 0)).ID; again != got {
		t.Errorf("ID depends on more than warehouse, repository, tag and digest: %s", again)
	}
}

func FuzzSelect(f *testing.F) {
	f.Add(kargoTags, "^1.0.0", "", "", true)
	f.Add("1.2.3 v1.2.3", ">=1.0.0-0", `^v`, `rc`, false)
	f.Add("0320.1 latest", "", "(", "[", false)
	f.Add("99999999999999999999.1.1 1.2.3-", "1 || 2", "", "", true)
	f.Fuzz(func(t *testing.T, tags, constraint, allow, ignore string, strict bool) {
		if len(tags) > 2000 || len(constraint) > 200 || len(allow) > 200 || len(ignore) > 200 {
			return
		}
		sub := promote.ImageSubscription{Constraint: constraint, StrictSemvers: strict}
		if allow != "" {
			sub.Allow = []string{allow}
		}
		if ignore != "" {
			sub.Ignore = []string{ignore}
		}
		list := strings.Fields(tags)
		selected, dropped := discover.Select(sub, list)
		all := slices.Clone(selected)
		for _, d := range dropped {
			if d.Reason == "" {
				t.Errorf("tag %q is dropped without a reason", d.Tag)
			}
			all = append(all, d.Tag)
		}
		slices.Sort(all)
		slices.Sort(list)
		if diff := cmp.Diff(list, all, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("tags got lost or were made up: -want +got:\n%s", diff)
		}
		for i, tag := range selected {
			if ignore != "" && regexp.MustCompile(ignore).MatchString(tag) {
				t.Errorf("ignored tag %q is selected", tag)
			}
			if i > 0 && semver.MustParse(selected[i-1]).LessThan(semver.MustParse(tag)) {
				t.Errorf("%q stands before %q", selected[i-1], tag)
			}
		}
	})
}
