package reconcile

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

// Annotations that say what an image was built from (OCI image specification: annotations.md).
const (
	sourceAnnotation   = "org.opencontainers.image.source"
	revisionAnnotation = "org.opencontainers.image.revision"
)

// builds returns what the freight of a project says about images, by their references. Nobody is asked: what was discovered
// knows the annotations already.
func builds(history promote.History, project string) func(reference string) (diff.Build, bool) {
	var known map[string]diff.Build
	return func(reference string) (diff.Build, bool) {
		if known == nil {
			known = knownBuilds(history, project)
		}
		repo, digest, _ := strings.Cut(reference, "@")
		tag := ""
		if i := strings.LastIndexByte(repo, ':'); i > strings.LastIndexByte(repo, '/') {
			repo, tag = repo[:i], repo[i+1:]
		}
		if digest != "" {
			tag = digest
		}
		build, ok := known[buildKey(repo, tag)]
		return build, ok
	}
}

// knownBuilds are by tag and by digest; of a tag that moved, the newest freight knows what it is.
func knownBuilds(history promote.History, project string) map[string]diff.Build {
	known := map[string]diff.Build{}
	for _, freight := range history.Freights {
		if freight.Project != project {
			continue
		}
		for _, image := range freight.Images {
			build := diff.Build{Source: image.Annotations[sourceAnnotation], Revision: image.Annotations[revisionAnnotation]}
			for _, version := range []string{image.Tag, image.Digest} {
				switch key := buildKey(image.RepoURL, version); {
				case version == "": // an image without a digest is not the one without a tag
				case build.Source == "" || build.Revision == "":
					delete(known, key)
				default:
					known[key] = build
				}
			}
		}
	}
	return known
}

func buildKey(repo, version string) string { return promote.NormalizeImage(repo) + " " + version }
