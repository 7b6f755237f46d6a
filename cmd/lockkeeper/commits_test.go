package main

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
)

// pushBuilt pushes an image that says which commit it was built from.
func (b *bed) pushBuilt(tag, revision string) {
	b.t.Helper()
	ref, err := name.NewTag(b.image()+":"+tag, name.Insecure)
	if err != nil {
		b.t.Fatal(err)
	}
	image, ok := mutate.Annotations(empty.Image, map[string]string{
		"org.opencontainers.image.source": "https://github.com/your-name/your-app", "org.opencontainers.image.revision": revision,
	}).(v1.Image)
	if !ok {
		b.t.Fatal("annotations make something else of an image")
	}
	if err := remote.Write(ref, image, remote.WithContext(b.t.Context())); err != nil {
		b.t.Fatal(err)
	}
}

// TestTheChangeSaysWhichCommitsAnImageBrings needs no more requests for it: freight knows the annotations.
func TestTheChangeSaysWhichCommitsAnImageBrings(t *testing.T) {
	t.Parallel()
	const before, after = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	b := newBed(t)
	b.pushBuilt("1.0.1", before)
	b.adopt()
	b.pushBuilt("1.0.2", after)
	outcome := b.run(promote.Event{Kind: promote.EventArtifact, Image: b.image()})
	change, ok := openOf(outcome, devStage)
	if !ok {
		t.Fatalf("no change:\n%s", outcome.Plan)
	}
	contains(t, change.Description, "commits [`11111111..22222222`](<https://github.com/your-name/your-app/compare/"+before+"..."+after+">)")
}
