package promote

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// script is what the steps of a stage do besides changing a file and waiting for the application.
type script struct {
	before, between, after Waits // what is waited for before the change, while it is open, and after the merge
	opens                  bool  // a step opens the change, and others follow before the merge
	merges                 bool  // a step has the change merged
}

func randomScript(t *rapid.T) script {
	pause := func(label string) Waits {
		return rapid.SampledFrom([]Waits{WaitsNothing, WaitsNothing, WaitsNothing, WaitsNothing, WaitsTime, WaitsApproval}).Draw(t, label)
	}
	s := script{before: pause("before"), after: pause("after"), opens: rapid.Bool().Draw(t, "opens")}
	if s.opens {
		s.between, s.merges = pause("between"), rapid.IntRange(0, 3).Draw(t, "merges") == 0
	}
	return s
}

// The kinds of warehouses.
const (
	semantic = "SemVer"
	lexical  = "Lexical"
	built    = "NewestBuild"
	branch   = "NewestFromBranch"
	chart    = "chart"
)

func (w *world) randomPipeline() Pipeline {
	t := w.t
	p := Pipeline{Project: "p", Declared: true}
	for _, name := range []string{"web", "api"}[:rapid.IntRange(1, 2).Draw(t, "warehouses")] {
		w.kinds[name] = rapid.SampledFrom([]string{semantic, semantic, lexical, built, branch, chart}).Draw(t, "kind")
		p.Warehouses = append(p.Warehouses, warehouseOf(name, w.kinds[name]))
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "stages") {
		s := randomStage(t, fmt.Sprintf("s%d", i), p)
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "control flow") == 0 {
			s.Steps = nil
		}
		p.Stages = append(p.Stages, s)
		if rapid.IntRange(0, 2).Draw(t, "auto") > 0 {
			p.Policies = append(p.Policies, Policy{Stage: s.Name, AutoPromotion: true})
		}
	}
	for _, s := range slices.Clone(p.Stages) {
		if len(s.Steps) > 0 && rapid.IntRange(0, 3).Draw(t, "fans out") == 0 {
			targets := []Target{{Name: "a"}, {Name: "b"}, {Name: "c"}}[:rapid.IntRange(1, 3).Draw(t, "targets")]
			p.FanOut(s.Name, targets, Wave{
				MaxInFlight: rapid.IntRange(0, 2).Draw(t, "in flight"), Pause: time.Duration(rapid.IntRange(0, 1).Draw(t, "pause")) * 10 * time.Minute,
			})
		}
	}
	return p
}

func warehouseOf(name, kind string) Warehouse {
	w := Warehouse{Name: name}
	switch repoURL := "acme/" + name; kind {
	case branch:
		w.Git = []GitSubscription{{RepoURL: repoURL, Branch: "main"}}
	case chart:
		w.Charts = []ChartSubscription{{RepoURL: "oci://" + repoURL}}
	default:
		w.Images = []ImageSubscription{{RepoURL: repoURL, Strategy: Strategy(kind)}}
	}
	return w
}

func randomStage(t *rapid.T, name string, p Pipeline) Stage {
	s := Stage{
		Name: name, Steps: []Step{{Uses: "git-push"}}, AutoMerge: rapid.Bool().Draw(t, "autoMerge"),
		Supersede: rapid.SampledFrom([]Supersede{SupersedeInPlace, SupersedeInPlace, SupersedeByNew, SupersedeQueue}).Draw(t, "supersede"),
		Group:     rapid.SampledFrom([]string{"", "", "g"}).Draw(t, "group"),
	}
	for _, warehouse := range p.Warehouses {
		if len(s.Requests) > 0 && rapid.Bool().Draw(t, "skip") {
			continue
		}
		s.Requests = append(s.Requests, randomRequest(t, warehouse.Name, p.Stages))
	}
	return s
}

func randomRequest(t *rapid.T, warehouse string, earlier []Stage) FreightRequest {
	r := FreightRequest{Warehouse: warehouse, All: rapid.Bool().Draw(t, "all")}
	for _, s := range earlier {
		if slices.ContainsFunc(s.Requests, func(o FreightRequest) bool { return o.Warehouse == warehouse }) && rapid.Bool().Draw(t, "upstream") {
			r.Stages = append(r.Stages, s.Name)
		}
	}
	if len(r.Stages) == 0 {
		r.Direct = true
		return r
	}
	if rapid.Bool().Draw(t, "soak") {
		r.RequiredSoak = 10 * time.Minute
	}
	r.MatchUpstream = len(r.Stages) == 1 && rapid.IntRange(0, 3).Draw(t, "match upstream") == 0
	return r
}

// newVersion lets a warehouse find something: the next version, an older one, or one that was pushed again.
func (w *world) newVersion() {
	name := oneOf(w.t, "warehouse", w.pipeline().Warehouses).Name
	n := w.versions[name] + 1
	if rapid.IntRange(0, 4).Draw(w.t, "older") == 0 {
		n = rapid.IntRange(0, n).Draw(w.t, "version")
	}
	w.versions[name] = max(w.versions[name], n)
	tag, repoURL := fmt.Sprintf("1.0.%d", n), "acme/"+name
	digest := "sha256:" + tag + rapid.SampledFrom([]string{"", "", "", "-again"}).Draw(w.t, "digest")
	found := Discovery{Project: "p", Warehouse: name, At: w.now}
	switch w.kinds[name] {
	case branch:
		found.Commits = []GitCommit{{RepoURL: repoURL, ID: Commit(fmt.Sprintf("c%06d%s", n, strings.Repeat("0", 33))), Branch: "main"}}
	case chart:
		found.Charts = []Chart{{RepoURL: "oci://" + repoURL, Version: tag}}
	case built:
		found.Images = []Image{{RepoURL: repoURL, Tag: fmt.Sprintf("build-%d", n), Digest: digest}}
	default:
		found.Images = []Image{{RepoURL: repoURL, Tag: tag, Digest: digest}}
	}
	w.state.Discoveries = slices.DeleteFunc(w.state.Discoveries, func(d Discovery) bool { return d.Warehouse == name })
	w.state.Discoveries = append(w.state.Discoveries, found)
}

// isNewer is the model's own order of the freight of a warehouse.
func (w *world) isNewer(a, b Freight) bool {
	order := 0
	switch w.kinds[a.Warehouse] {
	case semantic, chart:
		order, _ = CompareTags(a.Label(), b.Label())
	case lexical:
		order = strings.Compare(a.Label(), b.Label())
	}
	return order > 0 || order == 0 && a.DiscoveredAt.After(b.DiscoveredAt)
}
