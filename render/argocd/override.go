package argocd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Override applies the files .argocd-source.yaml and .argocd-source-<application>.yaml of the source's folder, in that
// order, as JSON merge patches. What a source points at (repoURL, path, chart, targetRevision) cannot be overridden. It
// returns the files that it read.
func (a Application) Override(tree fs.FS, s Source) (Source, []string, error) {
	if s.Chart != "" {
		return s, nil, nil
	}
	var read []string
	for _, name := range []string{".argocd-source.yaml", ".argocd-source-" + a.Name + ".yaml"} {
		file := path.Join(path.Clean(s.Path), name)
		if !fs.ValidPath(file) {
			return s, read, nil
		}
		data, err := manifest.ReadFile(tree, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, read, err
		}
		read = append(read, file)
		if s, err = s.patched(data); err != nil {
			return s, read, &manifest.Error{File: file, Problem: fmt.Sprintf("not a patch of an Application's source: %v", err), Cause: err}
		}
	}
	return s, read, nil
}

func (s Source) patched(patch []byte) (Source, error) {
	var change, whole map[string]any
	if err := yaml.Unmarshal(patch, &change); err != nil {
		return s, err
	}
	before, err := json.Marshal(s.spec())
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(before, &whole); err != nil {
		return s, err
	}
	after, err := json.Marshal(mergePatch(whole, change))
	if err != nil {
		return s, err
	}
	var spec sourceSpec
	if err := json.Unmarshal(after, &spec); err != nil {
		return s, err
	}
	out := spec.normalize()
	out.RepoURL, out.Path, out.Chart, out.TargetRevision = s.RepoURL, s.Path, s.Chart, s.TargetRevision
	return out, nil
}

func (s Source) spec() sourceSpec {
	out := sourceSpec{
		RepoURL: s.RepoURL, Path: s.Path, TargetRevision: s.TargetRevision, Chart: s.Chart, Ref: s.Ref,
		Helm: s.Helm, Kustomize: s.Kustomize, Plugin: s.Plugin,
	}
	if s.Directory != nil {
		out.Directory = (*directorySpec)(s.Directory)
	}
	return out
}

func mergePatch(whole, change map[string]any) map[string]any {
	if whole == nil {
		whole = map[string]any{}
	}
	for key, value := range change {
		switch value := value.(type) {
		case nil:
			delete(whole, key)
		case map[string]any:
			inner, _ := whole[key].(map[string]any)
			whole[key] = mergePatch(inner, value)
		default:
			whole[key] = value
		}
	}
	return whole
}
