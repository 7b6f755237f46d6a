package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// severalKinds is a warehouse of two images, a commit and a chart, of which nothing is made by itself.
const severalKinds = `apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: everything, namespace: develop}
spec:
  freightCreationPolicy: Manual
  subscriptions:
    - {name: app, image: {repoURL: docker.io/your-name/your-app, constraint: ^1.0.0}}
    - image: {repoURL: docker.io/your-name/your-backend, constraint: ^2.0.0}
    - {name: config, git: {repoURL: https://gitlab.com/your-name/your-repo.git}}
    - chart: {repoURL: oci://docker.io/your-name/your-chart}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: one-image-twice, namespace: develop}
spec:
  freightCreationPolicy: Manual
  subscriptions:
    - {name: stable, image: {repoURL: docker.io/your-name/your-app, constraint: ^1.0.0}}
    - {name: edge, image: {repoURL: docker.io/your-name/your-app}}
`

// everythingBed is a bed with those warehouses, and what they watch.
func everythingBed(t *testing.T) *bed {
	t.Helper()
	b := newBed(t)
	for repository, tags := range map[string][]string{"your-backend": {"2.0.0", "2.1.0"}, "your-chart": {"0.1.0", "0.2.0"}} {
		for _, tag := range tags {
			b.push(t, b.registry+"/your-name/"+repository, tag)
		}
	}
	b.commit("main", map[string]string{"kargo/everything.yaml": severalKinds})
	return b
}

func (b *bed) create(request reconcile.Handmade) (reconcile.Made, error) {
	b.t.Helper()
	request.By = "ann"
	return b.loop.CreateFreight(b.t.Context(), request)
}

func TestFreightByHandHasOneArtifactOfEachSubscription(t *testing.T) {
	t.Parallel()
	b := everythingBed(t)
	first := b.tip("main")
	tip := b.commit("main", map[string]string{"README.md": "more\n"})
	made, err := b.create(reconcile.Handmade{
		Warehouse: "develop/everything", Alias: "friday",
		Images:  []reconcile.Choice{{Source: b.registry + "/your-name/your-backend", Version: "2.0.0"}},
		Commits: []reconcile.Choice{{Source: "config", Version: first[:10]}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.Known || made.Alias != "friday" || made.CreatedBy != "ann" || made.Label() != "1.0.1, 2.0.0, 0.2.0, "+first[:8] {
		t.Errorf("made %+v", made)
	}
	// It is what the warehouse would make of the same versions: the same ID.
	again, err := b.create(reconcile.Handmade{
		Warehouse: "everything", Alias: "monday",
		Images:  []reconcile.Choice{{Source: "app", Version: "1.0.1"}, {Source: b.registry + "/your-name/your-backend", Version: "2.0.0"}},
		Commits: []reconcile.Choice{{Source: b.repo.URL(), Version: first}},
		Charts:  []reconcile.Choice{{Source: "oci://" + b.registry + "/your-name/your-chart", Version: "0.2.0"}},
	})
	if err != nil || !again.Known || again.ID != made.ID || again.Alias != "friday" {
		t.Errorf("the same freight again: %+v, %v", again, err)
	}
	newest, err := b.create(reconcile.Handmade{Warehouse: "everything"})
	if err != nil || newest.Label() != "1.0.1, 2.1.0, 0.2.0, "+tip[:8] || newest.Alias == "" {
		t.Errorf("the newest of everything: %+v, %v", newest, err)
	}
	// Another process reads what was recorded.
	all, err := b.newLoop(&wire{}).Freights(t.Context(), "everything")
	if err != nil || len(all) != 2 {
		t.Fatalf("%d freights, %v", len(all), err)
	}
	if diff := cmp.Diff([]promote.FreightID{newest.ID, made.ID}, []promote.FreightID{all[0].ID, all[1].ID}); diff != "" {
		t.Error(diff)
	}
}

func TestFreightByHandIsOfWhatExists(t *testing.T) {
	t.Parallel()
	b := everythingBed(t)
	if _, err := b.create(reconcile.Handmade{Warehouse: "everything", Alias: "friday"}); err != nil {
		t.Fatal(err)
	}
	app, backend := b.registry+"/your-name/your-app", b.registry+"/your-name/your-backend"
	image := func(source, tag string) reconcile.Handmade {
		return reconcile.Handmade{Warehouse: "everything", Images: []reconcile.Choice{{Source: source, Version: tag}}}
	}
	for _, c := range []struct {
		situation string
		request   reconcile.Handmade
		says      string
	}{
		{"a tag that is mistyped", image(app, "1.0.O"), app + ` has no tag "1.0.O"; did you mean "1.0.1"?`},
		{"a tag that is nothing like any", image(app, "released-today"), `has no tag "released-today"; there is 1.0.1, 1.0.0`},
		{"an image that is not watched", image(b.registry+"/your-name/your-bakcend", "2.0.0"), `no image subscription is of "` + b.registry + `/your-name/your-bakcend"; did you mean "` + backend + `"?`},
		{"an image named twice", reconcile.Handmade{
			Warehouse: "everything", Images: []reconcile.Choice{{Source: "app", Version: "1.0.0"}, {Source: app, Version: "1.0.1"}},
		}, `is named twice, with "1.0.0" and with "1.0.1"`},
		{"a repository of two subscriptions", reconcile.Handmade{
			Warehouse: "one-image-twice", Images: []reconcile.Choice{{Source: app, Version: "1.0.0"}},
		}, `2 image subscriptions are of "` + app + `": write the name of one: stable, edge`},
		{"a chart where there is none", reconcile.Handmade{
			Warehouse: "one-image-twice", Charts: []reconcile.Choice{{Source: "https://example.com/app", Version: "1.0.0"}},
		}, "it has none of that kind"},
		{"a commit that does not exist", reconcile.Handmade{
			Warehouse: "everything", Commits: []reconcile.Choice{{Source: "config", Version: strings.Repeat("ab", 20)}},
		}, `is none of the newest 2 of branch "main"`},
		{"a Git tag that does not exist", reconcile.Handmade{
			Warehouse: "everything", Commits: []reconcile.Choice{{Source: "config", Version: "v1"}},
		}, `there is no tag "v1"`},
		{"a chart version that does not exist", reconcile.Handmade{
			Warehouse: "everything", Charts: []reconcile.Choice{{Source: "oci://" + b.registry + "/your-name/your-chart", Version: "0.3.0"}},
		}, `has no version "0.3.0"; did you mean "0.2.0"?`},
		{"a warehouse that is mistyped", reconcile.Handmade{Warehouse: "develop/evrything"}, `there is no warehouse "develop/evrything"; did you mean "develop/everything"?`},
		{"a warehouse that is nothing like any", reconcile.Handmade{Warehouse: "xyz"}, `there is no warehouse "xyz"; there is develop/`},
		{"an alias that is taken", reconcile.Handmade{
			Warehouse: "one-image-twice", Alias: "friday",
		}, `is called so already: choose another`},
		{"an alias that may be an ID", reconcile.Handmade{Warehouse: "one-image-twice", Alias: "deadbeef"}, "nothing that may be an ID"},
		{"an alias that is no name", reconcile.Handmade{Warehouse: "one-image-twice", Alias: "Friday!"}, "expected lower-case letters"},
	} {
		if _, err := b.create(c.request); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v\nwant …%s…", c.situation, err, c.says)
		}
	}
	if all, err := b.loop.Freights(t.Context(), "one-image-twice"); err != nil || len(all) != 0 {
		t.Errorf("something was recorded: %v, %v", all, err)
	}
	// What is not named has to be found.
	b.edit("main", "kargo/everything.yaml", "^2.0.0", "^3.0.0")
	if _, err := b.create(image("app", "1.0.0")); err == nil || !strings.Contains(err.Error(), "what is not named cannot be found: no version of "+backend) {
		t.Errorf("a subscription that selects nothing: %v", err)
	}
	made, err := b.create(reconcile.Handmade{Warehouse: "everything", Images: []reconcile.Choice{{Source: backend, Version: "2.1.0"}}})
	if err != nil || !made.Known && len(made.Images) != 2 {
		t.Errorf("the subscription that selects nothing is named: %+v, %v", made, err)
	}
}

func TestAnOlderVersionByHandIsPromoted(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	made, err := b.create(reconcile.Handmade{
		Warehouse: "frontend-dev-image", Images: []reconcile.Choice{{Source: b.image(), Version: "1.0.0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []promote.Onward{{Stage: promote.StageRef{Project: "develop", Name: "frontend-dev-stage"}, Command: "/promote frontend-dev-stage 1.0.0"}}
	if diff := cmp.Diff(want, made.Onward); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// It is older than what runs: no policy promotes it, a person does.
	if outcome := b.sweep(); len(outcome.Applied) > 0 {
		t.Fatalf("applied %v", outcome.Applied)
	}
	issue := b.propose("1.0.2")
	b.run(b.you.comment(issue.Number, made.Onward[0].Command))
	outcome := b.sweep()
	change, ok := openOf(outcome, devStage)
	if !ok || !strings.Contains(b.text(string(change.Branch), devFile), `tag: "1.0.0"`) {
		t.Fatalf("1.0.0 is not proposed:\n%s", outcome.Plan)
	}
	b.you.merge(change)
	b.until("dev to run 1.0.0", runs(devStage, "1.0.0"))
	all, err := b.loop.Freights(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	found, err := reconcile.FindFreight(all, made.Alias)
	if err != nil || stageNames(found.Runs) != "frontend-dev-stage" || stageNames(found.Verified) != "frontend-dev-stage" {
		t.Errorf("found %+v, %v", found, err)
	}
	if !slices.ContainsFunc(found.Onward, func(o promote.Onward) bool { return o.Command == "/promote frontend-prod-stage 1.0.0" }) {
		t.Errorf("it may go nowhere: %+v", found.Onward)
	}
}

func TestTwoProcessesMakeTheSameFreight(t *testing.T) {
	t.Parallel()
	b := everythingBed(t)
	other := b.newLoop(&wire{})
	request := reconcile.Handmade{Warehouse: "everything", By: "ann"}
	results := make(chan reconcile.Made, 2)
	failures := make(chan error, 2)
	for _, loop := range []*reconcile.Reconciler{b.loop, other} {
		go func() {
			made, err := loop.CreateFreight(t.Context(), request)
			results <- made
			failures <- err
		}()
	}
	one, two := <-results, <-results
	for range 2 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if one.ID != two.ID || one.Alias != two.Alias || one.Known == two.Known {
		t.Errorf("made %+v and %+v", one, two)
	}
}

func TestChoices(t *testing.T) {
	got, err := choices("--image", []string{"docker.io/acme/web=1.0.0", "https://example.com/r.git?a=b=v1"})
	want := []reconcile.Choice{{Source: "docker.io/acme/web", Version: "1.0.0"}, {Source: "https://example.com/r.git?a=b", Version: "v1"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, word := range []string{"", "1.0.0", "=1.0.0", "web=", "="} {
		if _, err := choices("--image", []string{word}); err == nil || !strings.Contains(err.Error(), "expected SOURCE=VERSION") {
			t.Errorf("choices(%q): %v", word, err)
		}
	}
}

func FuzzChoices(f *testing.F) {
	for _, seed := range []string{"docker.io/acme/web=1.0.0", "a=b=c", "=", "", "oci://ghcr.io/acme/chart=0.1.0+build"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		got, err := choices("--image", []string{word})
		if err == nil && (got[0].Source == "" || got[0].Version == "" || got[0].Source+"="+got[0].Version != word) {
			t.Errorf("choices(%q) = %+v", word, got)
		}
	})
}
