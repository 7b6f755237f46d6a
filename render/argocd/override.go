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
// returns the files that it read. A chart of a chart repository has no such files.
func (a Application) Override(tree fs.FS, s Source) (Source, []string, error) {
	if s.Chart != "" {
		return s, nil, nil
	}
	var read []string
	for _, names := range [][]string{{".argocd-source.yaml"}, a.overrides()} {
		for _, name := range names {
			file := path.Join(path.Clean(s.Path), name)
			if !fs.ValidPath(file) {
				return s, read, nil
			}
			data, found, err := overrideFile(tree, file)
			if err != nil {
				return s, read, err
			}
			if !found {
				continue
			}
			read = append(read, file)
			if s, err = s.patched(data); err != nil {
				return s, read, &manifest.Error{File: file, Problem: fmt.Sprintf("not a patch of an Application's source: %v", err), Cause: err}
			}
			break
		}
	}
	return s, read, nil
}

// overrides are the names of the Application's own file; the first that is there counts. Argo CD calls an Application outside of
// its own namespace by both names (Application.InstanceName), and which namespace is its own nobody knows here.
func (a Application) overrides() []string {
	plain := ".argocd-source-" + a.Name + ".yaml"
	if a.Namespace == "" {
		return []string{plain}
	}
	return []string{".argocd-source-" + a.Namespace + "_" + a.Name + ".yaml", plain}
}

// overrideFile reads a file; a folder of that name is none.
func overrideFile(tree fs.FS, name string) (data []byte, found bool, err error) {
	info, err := fs.Stat(tree, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look at %q: %w", name, err)
	}
	data, err = manifest.ReadFile(tree, name)
	return data, err == nil, err
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
	after, err := json.Marshal(mergePatch(whole, withoutNulls(change)))
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

// withoutNulls leaves out what a patch removes, because Argo CD reads the result into the source as it was, where what is absent
// stays. Only Helm's valuesObject is taken as a whole.
func withoutNulls(change map[string]any) map[string]any {
	out := make(map[string]any, len(change))
	for key, value := range change {
		inner, isMap := value.(map[string]any)
		switch {
		case value == nil:
		case isMap && key != "valuesObject":
			out[key] = withoutNulls(inner)
		default:
			out[key] = value
		}
	}
	return out
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
