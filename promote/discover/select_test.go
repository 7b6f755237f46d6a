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

// attached is a tag by which cosign attaches to an image.
var attached = "sha256-" + strings.Repeat("0a", 32)

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
		{
			"lexical takes everything, in byte order",
			promote.ImageSubscription{Strategy: promote.SelectLexical, Constraint: "^1.0.0", StrictSemvers: true},
			kargoTags,
			"v1.2.3 v1.2 latest abc1234 V1.2.3 2.0.0 1234567 1.2.4-alpha 1.2.3.4 1.2.3-rc.1 1.2.3+b1 1.2.3 1.2 1.10.0 1 01.2.3",
		},
		{
			"lexical orders dates, and numbers as text",
			promote.ImageSubscription{Strategy: promote.SelectLexical, Allow: []string{`^\d{8}-\d+$`}},
			"20261120-9 20261121-10 20261121-2 latest", "20261121-2 20261121-10 20261120-9",
		},
		{
			"lexical ignores before it allows",
			promote.ImageSubscription{Strategy: promote.SelectLexical, Allow: []string{"^main-"}, Ignore: []string{"-debug$"}},
			"main-1 main-2-debug pr-3", "main-1",
		},
		{
			"a build takes every tag that the patterns take",
			promote.ImageSubscription{Strategy: promote.SelectNewestBuild, Constraint: "^1.0.0", Ignore: []string{"^latest$"}},
			"1.2.3 latest main-abc", "main-abc 1.2.3",
		},
		{
			"signatures are no candidates",
			promote.ImageSubscription{Strategy: promote.SelectLexical},
			"main-1 " + attached + " " + attached + ".sig " + attached + ".att sha256-short", "sha256-short main-1",
		},
		{
			"a digest watches one tag, whatever the patterns say",
			promote.ImageSubscription{Strategy: promote.SelectDigest, Constraint: "latest", Ignore: []string{"."}},
			"1.2.3 latest latest-debug", "latest",
		},
		{"a digest without its tag selects nothing", promote.ImageSubscription{Strategy: promote.SelectDigest}, "1.2.3 latest", ""},
		{"a strategy for Git selects nothing", promote.ImageSubscription{Strategy: promote.SelectNewestTag}, "1.2.3", ""},
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
	tests := []struct {
		name string
		sub  promote.ImageSubscription
		tags string
		want []discover.Dropped
	}{
		{
			"versions",
			promote.ImageSubscription{StrictSemvers: true, Constraint: "^1.0.0", Allow: []string{`^[0-9lm]`}, Ignore: []string{`^9`}},
			"9.0.0 x1 latest 1.2 2.0.0 1.0.0",
			[]discover.Dropped{
				{Tag: "9.0.0", Reason: `ignored by "^9"`},
				{Tag: "x1", Reason: "matches none of the allowed patterns"},
				{Tag: "latest", Reason: "not a semantic version"},
				{Tag: "1.2", Reason: "not a whole semantic version (strictSemvers)"},
				{Tag: "2.0.0", Reason: `outside constraint "^1.0.0"`},
			},
		},
		{
			"signatures",
			promote.ImageSubscription{},
			"1.0.0 " + attached + ".sig",
			[]discover.Dropped{{Tag: attached + ".sig", Reason: "is attached to another image (a signature, an attestation or the like)"}},
		},
		{
			"another tag than the watched one",
			promote.ImageSubscription{Strategy: promote.SelectDigest, Constraint: "latest"},
			"latest main",
			[]discover.Dropped{{Tag: "main", Reason: `is not the watched tag "latest"`}},
		},
		{
			"a digest without a tag",
			promote.ImageSubscription{Strategy: promote.SelectDigest, Constraint: "^1.0.0"},
			"1.0.0",
			[]discover.Dropped{{Tag: "1.0.0", Reason: `constraint "^1.0.0" is not a tag; strategy Digest needs the one tag to watch, such as latest`}},
		},
		{
			"a strategy that is none of images",
			promote.ImageSubscription{Strategy: "NewestFromBranch"},
			"1.0.0",
			[]discover.Dropped{{Tag: "1.0.0", Reason: `strategy "NewestFromBranch" does not select images; write SemVer, Lexical, Digest or NewestBuild`}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, dropped := discover.Select(tt.sub, strings.Fields(tt.tags))
			if diff := cmp.Diff(tt.want, dropped, cmpopts.IgnoreUnexported(discover.Dropped{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
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
	f.Add("", kargoTags, "^1.0.0", "", "", true)
	f.Add("SemVer", "1.2.3 v1.2.3", ">=1.0.0-0", `^v`, `rc`, false)
	f.Add("SemVer", "0320.1 latest", "", "(", "[", false)
	f.Add("SemVer", "99999999999999999999.1.1 1.2.3-", "1 || 2", "", "", true)
	f.Add("Lexical", kargoTags, "", `^v`, "", true)
	f.Add("NewestBuild", kargoTags+" "+attached+".sig", "", "", "1$", true)
	f.Add("Digest", kargoTags, "latest", "", ".", true)
	f.Add("NewestTag", kargoTags, "latest", "", ".", true)
	f.Fuzz(func(t *testing.T, strategy, tags, constraint, allow, ignore string, strict bool) {
		if len(tags) > 2000 || len(constraint) > 200 || len(allow) > 200 || len(ignore) > 200 {
			return
		}
		sub := promote.ImageSubscription{Strategy: promote.Strategy(strategy), Constraint: constraint, StrictSemvers: strict}
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
			if i > 0 && !inOrder(sub.Strategy, selected[i-1], tag) {
				t.Errorf("%q stands before %q", selected[i-1], tag)
			}
			if sub.Strategy == promote.SelectDigest {
				if tag != constraint {
					t.Errorf("%q is selected, not %q", tag, constraint)
				}
			} else if ignore != "" && regexp.MustCompile(ignore).MatchString(tag) || allow != "" && !regexp.MustCompile(allow).MatchString(tag) {
				t.Errorf("tag %q is selected against the patterns", tag)
			}
		}
	})
}

func inOrder(strategy promote.Strategy, before, after string) bool {
	if strategy == promote.SelectSemVer || strategy == "" {
		return !semver.MustParse(before).LessThan(semver.MustParse(after))
	}
	return before >= after
}
