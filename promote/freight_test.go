package promote

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The ID of one image of warehouse my-warehouse is what Kargo computes for it; the others follow from the same rule and keep
// it from changing.
func TestNewFreightComputesKargosID(t *testing.T) {
	nginx := Image{RepoURL: "public.ecr.aws/nginx/nginx", Tag: "1.27.0", Digest: "sha256:aaaa"}
	other := Image{RepoURL: "acme/web", Tag: "1.0.0", Digest: "sha256:bbbb"}
	for _, c := range []struct {
		name      string
		warehouse string
		images    []Image
		want      FreightID
	}{
		{"one image", "my-warehouse", []Image{nginx}, "a414873f4c654d2af6e880b623de1e10ee3f38f5"},
		{"the name of the warehouse counts", "your-warehouse", []Image{nginx}, "72171d81bc2d0f7dfee3eeffc1289754288f0f4e"},
		{"two images", "my-warehouse", []Image{nginx, other}, "c94d0cbaf9c339cc379e9187deab8bd78a008712"},
		{"their order does not count", "my-warehouse", []Image{other, nginx}, "c94d0cbaf9c339cc379e9187deab8bd78a008712"},
		{"annotations do not count", "my-warehouse", []Image{{RepoURL: nginx.RepoURL, Tag: nginx.Tag, Digest: nginx.Digest, Annotations: map[string]string{"a": "b"}}}, "a414873f4c654d2af6e880b623de1e10ee3f38f5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := NewFreight("shop", c.warehouse, Artifacts{Images: c.images}, epoch)
			if got.ID != c.want {
				t.Errorf("ID = %s, want %s", got.ID, c.want)
			}
			if diff := cmp.Diff(c.images, got.Images); diff != "" {
				t.Errorf("the images keep the order of the subscriptions: %s", diff)
			}
		})
	}
}

// The vectors were computed by Kargo's own code for origin Warehouse/my-warehouse.
func TestFreightIDsAreKargos(t *testing.T) {
	nginx := Image{RepoURL: "public.ecr.aws/nginx/nginx", Tag: "1.27.0", Digest: "sha256:aaaa"}
	named := nginx
	named.Subscription = "nginx"
	commit := GitCommit{RepoURL: "https://github.com/Example/Repo.git", ID: "abc123", Branch: "main"}
	tagged := commit
	tagged.Tag = "v1.0.0"
	chart := Chart{RepoURL: "https://charts.example.com/stable", Name: "app", Version: "1.2.3"}
	for _, c := range []struct {
		name      string
		artifacts Artifacts
		want      FreightID
	}{
		{"image", Artifacts{Images: []Image{nginx}}, "a414873f4c654d2af6e880b623de1e10ee3f38f5"},
		{"image of a named subscription", Artifacts{Images: []Image{named}}, "b8a788f14f24d26d82a8369ffd9c013ee9e511a3"},
		{"commit, whose branch does not count", Artifacts{Commits: []GitCommit{commit}}, "baabb9d7e246e77ce49b7b952cb58b63fe53d1ea"},
		{"commit with a tag", Artifacts{Commits: []GitCommit{tagged}}, "f09331674de7b312f138b0f9ed53f1bddd46f267"},
		{"chart over HTTP", Artifacts{Charts: []Chart{chart}}, "fb163603c6cecea41cf8be28616fd3cda3fc1a15"},
		{
			"chart in a registry",
			Artifacts{Charts: []Chart{{RepoURL: "oci://ghcr.io/Example/charts/app", Version: "1.2.3"}}},
			"72de772949b70bd35f748189364bc4d9a6d4fe99",
		},
		{
			"all three",
			Artifacts{Images: []Image{nginx}, Commits: []GitCommit{commit}, Charts: []Chart{chart}},
			"43c83f23993b1212131d5eacd8e8250762c6bd84",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := NewFreight("any", "my-warehouse", c.artifacts, epoch).ID; got != c.want {
				t.Errorf("ID = %s, want %s", got, c.want)
			}
		})
	}
}

func TestFreightLabel(t *testing.T) {
	for _, c := range []struct {
		freight Freight
		want    string
	}{
		{Freight{ID: "a414873f4c654d2a"}, "a414873"},
		{Freight{ID: "a4"}, "a4"},
		{version("1.0.1"), "1.0.1"},
		{pairOf("1.0.1", "2.0.0", 1), "1.0.1, 2.0.0"},
	} {
		if got := c.freight.Label(); got != c.want {
			t.Errorf("Label = %q, want %q", got, c.want)
		}
	}
}

func TestCompareFreight(t *testing.T) {
	at := func(minute int, tags ...string) Freight {
		var images []Image
		for i, tag := range tags {
			images = append(images, Image{RepoURL: []string{"a", "b", "c"}[i], Tag: tag, Digest: "sha256:" + tag})
		}
		return NewFreight("shop", "web", Artifacts{Images: images}, epoch.Add(time.Duration(minute)*time.Minute))
	}
	pushedAgain := at(2, "1.0.0")
	pushedAgain.Images[0].Digest, pushedAgain.ID = "sha256:other", "other"
	for _, c := range []struct {
		name string
		a, b Freight
		want Order
	}{
		{"the same", at(1, "1.0.0"), at(2, "1.0.0"), Same},
		{"a higher version", at(1, "1.10.0"), at(2, "1.9.0"), Newer},
		{"a lower version that was discovered later", at(9, "1.9.0"), at(2, "1.10.0"), Older},
		{"one higher, one equal", at(1, "1.0.0", "2.0.1"), at(2, "1.0.0", "2.0.0"), Newer},
		{"one higher, one lower", at(1, "1.0.1", "2.0.0"), at(2, "1.0.0", "2.0.1"), Incomparable},
		{"a pre-release comes before its release", at(2, "1.0.0-rc.1"), at(1, "1.0.0"), Older},
		{"with and without v, by discovery", at(2, "v1.0.0"), at(1, "1.0.0"), Newer},
		{"a tag that was pushed again, by discovery", pushedAgain, at(1, "1.0.0"), Newer},
		{"tags that are no versions, by discovery", at(1, "main-abc"), at(2, "main-def"), Older},
		{"discovered at the same time, and no versions", at(1, "main-abc"), at(1, "main-def"), Incomparable},
		{"the same tag that is no version says nothing", at(9, "1.0.0", "latest"), at(1, "1.0.1", "latest"), Older},
		{"a lower version beside a newer tag that is none", at(9, "1.0.0", "main-def"), at(1, "1.0.1", "main-abc"), Incomparable},
		{"a higher version beside a newer tag that is none", at(9, "1.0.1", "main-def"), at(1, "1.0.0", "main-abc"), Newer},
		{"no image in common, by discovery", at(1), at(2, "1.0.0"), Older},
		{"an image that the other does not have says nothing", at(1, "1.0.1", "3.0.0"), at(2, "1.0.0"), Newer},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CompareFreight(Warehouse{}, c.a, c.b); got != c.want {
				t.Errorf("CompareFreight = %d, want %d", got, c.want)
			}
			back := map[Order]Order{Same: Same, Newer: Older, Older: Newer, Incomparable: Incomparable}[c.want]
			if got := CompareFreight(Warehouse{}, c.b, c.a); got != back {
				t.Errorf("the other way round = %d, want %d", got, back)
			}
		})
	}
}

func TestCompareTags(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
		ok   bool
	}{
		{"1.10.0", "1.9.9", 1, true},
		{"1.0.0", "v1.0.0", 0, true},
		{"1.0", "1.0.1", -1, true},
		{"1.0.0-rc.2", "1.0.0-rc.10", -1, true},
		{"1.0.0+b1", "1.0.0+b2", 0, true},
		{"latest", "1.0.0", 0, false},
		{"1.0.0", "", 0, false},
		{"1.2.3.4", "1.2.3", 0, false},
	} {
		if got, ok := CompareTags(c.a, c.b); got != c.want || ok != c.ok {
			t.Errorf("CompareTags(%q, %q) = %d, %v, want %d, %v", c.a, c.b, got, ok, c.want, c.ok)
		}
	}
}

// Each strategy has its own idea of newer.
func TestCompareFreightFollowsTheStrategy(t *testing.T) {
	image := func(minute int, tag string) Freight {
		return NewFreight("shop", "web", Artifacts{Images: []Image{{RepoURL: "a", Tag: tag, Digest: "sha256:" + tag}}},
			epoch.Add(time.Duration(minute)*time.Minute))
	}
	commit := func(minute int, tag, id string) Freight {
		return NewFreight("shop", "web", Artifacts{Commits: []GitCommit{{RepoURL: "a", Tag: tag, ID: Commit(id)}}},
			epoch.Add(time.Duration(minute)*time.Minute))
	}
	chart := func(minute int, version string) Freight {
		return NewFreight("shop", "web", Artifacts{Charts: []Chart{{RepoURL: "a", Name: "b", Version: version}}},
			epoch.Add(time.Duration(minute)*time.Minute))
	}
	images := func(s Strategy) Warehouse { return Warehouse{Images: []ImageSubscription{{RepoURL: "a", Strategy: s}}} }
	commits := func(s Strategy) Warehouse { return Warehouse{Git: []GitSubscription{{RepoURL: "a", Strategy: s}}} }
	for _, c := range []struct {
		name string
		w    Warehouse
		a, b Freight
		want Order
	}{
		{"SemVer: the version counts", images(SelectSemVer), image(1, "1.10.0"), image(2, "1.9.0"), Newer},
		{"Lexical: the bytes count", images(SelectLexical), image(1, "1.10.0"), image(2, "1.9.0"), Older},
		{"Lexical: dates", images(SelectLexical), image(1, "2024-02-01"), image(2, "2024-01-31"), Newer},
		{"NewestBuild: a lower version that was built later", images(SelectNewestBuild), image(2, "1.0.0"), image(1, "2.0.0"), Newer},
		{"Digest: what came later", images(SelectDigest), image(2, "latest"), image(1, "latest"), Same},
		{"a warehouse that is not known: versions", Warehouse{}, image(1, "1.10.0"), image(2, "1.9.0"), Newer},
		{"branch: the later commit", commits(""), commit(2, "", "bb"), commit(1, "", "aa"), Newer},
		{"Git SemVer: the version counts", commits(SelectSemVer), commit(1, "v1.10.0", "aa"), commit(2, "v1.9.0", "bb"), Newer},
		{"Git NewestTag: the later tag", commits(SelectNewestTag), commit(2, "v1.9.0", "bb"), commit(1, "v1.10.0", "aa"), Newer},
		{"charts: the version counts", Warehouse{}, chart(1, "1.10.0"), chart(2, "1.9.0"), Newer},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := CompareFreight(c.w, c.a, c.b); got != c.want {
				t.Errorf("CompareFreight = %d, want %d", got, c.want)
			}
		})
	}
}
