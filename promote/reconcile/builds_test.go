package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

func TestBuildsAreWhatFreightKnows(t *testing.T) {
	freight := func(project, repo, tag, digest string, annotations ...string) promote.Freight {
		image := promote.Image{RepoURL: repo, Tag: tag, Annotations: map[string]string{}}
		if digest != "" {
			image.Digest = "sha256:" + digest
		}
		for i, key := range []string{sourceAnnotation, revisionAnnotation}[:len(annotations)] {
			image.Annotations[key] = annotations[i]
		}
		return promote.NewFreight(project, "w", promote.Artifacts{Images: []promote.Image{image}}, image.CreatedAt)
	}
	find := builds(promote.History{Freights: []promote.Freight{
		freight("shop", "ghcr.io/acme/web", "1.0", "aa", "https://github.com/acme/web", "1111111"),
		freight("shop", "ghcr.io/acme/web", "1.1", "bb", "https://github.com/acme/web", "2222222"),
		freight("shop", "ghcr.io/acme/web", "main", "cc", "https://github.com/acme/web", "3333333"),
		freight("shop", "ghcr.io/acme/web", "main", "dd"),
		freight("shop", "nginx", "1", "ee", "https://github.com/nginx/nginx"),
		freight("shop", "redis", "7", "", "https://github.com/redis/redis", "5555555"),
		freight("blog", "ghcr.io/acme/blog", "1.0", "ff", "https://github.com/acme/blog", "4444444"),
	}}, "shop")
	got := map[string]string{}
	for _, reference := range []string{
		"ghcr.io/acme/web:1.0", "ghcr.io/acme/web:1.1@sha256:bb", "ghcr.io/acme/web@sha256:cc", "ghcr.io/acme/web:main", "ghcr.io/acme/web:2", "ghcr.io/acme/web",
		"ghcr.io/acme/web:1.0@sha256:zz", "docker.io/library/nginx:1", "redis:7", "redis", "ghcr.io/acme/blog:1.0",
	} {
		if build, ok := find(reference); ok {
			got[reference] = build.Revision
		} else if build != (diff.Build{}) {
			t.Errorf("%s: unknown, and still %v", reference, build)
		}
	}
	want := map[string]string{"ghcr.io/acme/web:1.0": "1111111", "ghcr.io/acme/web:1.1@sha256:bb": "2222222", "ghcr.io/acme/web@sha256:cc": "3333333", "redis:7": "5555555"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
