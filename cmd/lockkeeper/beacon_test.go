package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// TestBeacon tells the story of a repository that came from Argo CD Image Updater as it was: two Applications with its
// annotations, one that uses Kustomize and one that uses Helm, and not one manifest of Kargo.
func TestBeacon(t *testing.T) {
	t.Parallel()
	b := bedOf(t, "beacon")
	light, horn := b.registry+"/harbour/light", b.registry+"/harbour/horn"
	b.push(t, light, "1.0.0")
	b.push(t, horn, "v2.3.0")
	t.Run("each Application is a stage that runs what its files say", func(t *testing.T) {
		b.until("both to be adopted", func(o reconcile.Outcome) bool {
			return runs("image-updater/light", "1.0.0")(o) && runs("image-updater/horn", "v2.3.0")(o)
		})
		if all := b.mergeRequests(); len(all) > 0 {
			t.Errorf("merge requests: %+v", all)
		}
	})
	for _, tag := range []string{"1.0.1", "1.1.0", "2.0.0"} {
		b.push(t, light, tag)
	}
	for _, tag := range []string{"v2.4.0", "3.0.0"} {
		b.push(t, horn, tag)
	}
	t.Run("the kustomization gets the newest tag that its constraint allows", func(t *testing.T) {
		b.beaconMove(t, "light", "light/kustomization.yaml", "newTag: 1.0.0 #", "newTag: 1.0.1 #", "1.0.1")
	})
	t.Run("the values of the chart get the newest tag that its filter allows", func(t *testing.T) {
		b.beaconMove(t, "horn", "horn/values.yaml", "tag: v2.3.0 #", "tag: v2.4.0 #", "v2.4.0")
	})
	t.Run("a person calls the stage as the Application", func(t *testing.T) { b.beaconCalled(t) })
}

// beaconMove merges what is proposed for an Application by itself, once it has looked at it.
func (b *bed) beaconMove(t *testing.T, app, file, before, after, version string) {
	t.Helper()
	ref := "image-updater/" + app
	old := b.text("main", file)
	outcome := b.sweep()
	change, ok := openOf(outcome, ref)
	if !ok {
		t.Fatalf("nothing is proposed:\n%s", outcome.Plan)
	}
	want := strings.Replace(old, before, after, 1)
	if diff := gocmp.Diff(want, b.text(string(change.Branch), file)); diff != "" || want == old {
		t.Errorf("not exactly the tag changed: %s", diff)
	}
	contains(t, change.Description, "→ `"+version+"` in `Deployment "+app+"`", app+" authorizes image-updater:"+app)
	if have := b.status(change.Head); have != "success: all 7 gates pass" {
		t.Errorf("status %q", have)
	}
	b.you.merge(change)
	b.until(app+" to run "+version, runs(ref, version))
	if head := b.tip("main"); !strings.Contains(strings.Join(b.app(app).Synced, " "), head) {
		t.Errorf("%s is %+v, main is at %s", app, b.app(app), head)
	}
	contains(t, strings.Join(b.notes(change.Number), "\n"), "✅ `"+version+"` is verified in `"+ref+"`")
}

// beaconCalled rolls an Application back by a comment.
func (b *bed) beaconCalled(t *testing.T) {
	b.run(b.you.comment(b.mergeRequests()[0].IID, "/rollback light"))
	outcome := b.until("the older tag to be proposed", isOpen("image-updater/light"))
	change, _ := openOf(outcome, "image-updater/light")
	contains(t, b.text(string(change.Branch), "light/kustomization.yaml"), "newTag: 1.0.0 #")
}

const imageUpdaterFile = "../../docs/image-updater.md"

// TestPageOfImageUpdaterListsTheAnnotations keeps its table equal to what the code reads. Run with -update to rewrite it.
func TestPageOfImageUpdaterListsTheAnnotations(t *testing.T) {
	page, err := os.ReadFile(imageUpdaterFile)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| annotation | for one image | what becomes of it |\n|---|---|---|\n"
	before, rest, found := strings.Cut(string(page), head)
	if !found {
		t.Fatalf("%s has no table that begins with %s", imageUpdaterFile, head)
	}
	end := 0
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		end += len(line)
	}
	var b strings.Builder
	for _, one := range imageupdater.Annotations() {
		all, alias := "—", "—"
		if one.All {
			all = "`" + one.Name + "`"
		}
		if one.One {
			alias = "`<alias>." + one.Name + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", all, alias, one.Becomes)
	}
	if *update {
		if err := os.WriteFile(imageUpdaterFile, []byte(before+head+b.String()+rest[end:]), 0o644); err != nil { //nolint:gosec // a page of the repository
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(b.String(), rest[:end]); diff != "" {
		t.Errorf("%s is not what the code says; run make update\n%s", imageUpdaterFile, diff)
	}
	for _, name := range []string{imageupdater.Project, "/promote "} {
		contains(t, string(page), name)
	}
}
