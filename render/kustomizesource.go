package render

import (
	"context"
	"errors"
	"os"
	"strconv"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// kustomize builds a kustomization with what the Application changes in it, as Argo CD does (util/kustomize).
func (s *sourcing) kustomize(ctx context.Context, tree *reading, source argocd.Source, at place) sourceOutput {
	options, err := source.KustomizeOptions()
	if err != nil {
		return unrendered("invalid-source", err)
	}
	override, err := overrideOf(s.app, source, options)
	if err != nil {
		return unrendered("invalid-source", err)
	}
	if err := prefetchFolder(ctx, tree, at.dir); err != nil {
		return unrendered("invalid-source", err)
	}
	req := kustomize.Request{
		Files: tree, Dir: at.dir, Override: override, Fetch: s.elsewhere(ctx),
	}
	req.Helm.KubeVersion, req.Helm.APIVersions = s.cluster.or(options.KubeVersion, options.APIVersions)
	out := twice(func() sourceOutput { return s.build(ctx, req, tree) })
	out.transient = out.transient || s.floating
	return out
}

func (s *sourcing) build(ctx context.Context, req kustomize.Request, tree *reading) sourceOutput {
	made, err := s.workers.kustomize(ctx, req, tree)
	if problem, ok := errors.AsType[*manifest.Error](err); ok && problem.File == "" && errors.Is(err, manifest.ErrBound) {
		placed := *problem
		placed.File = req.Dir
		err = &placed
	}
	if err != nil {
		return unrendered("kustomize-error", err)
	}
	out := sourceOutput{random: made.NonDeterministic}
	for _, r := range made.Resources {
		objects, err := directory.Parse(req.Dir, r.YAML)
		if err != nil {
			return unrendered("kustomize-error", err)
		}
		for _, o := range objects {
			o.Source = object.Source{File: req.Dir, Via: "Kustomize"}
			out.objects = append(out.objects, o)
		}
	}
	return out
}

// overrideOf is what the Application changes in its kustomization; nil changes nothing.
func overrideOf(app argocd.Application, s argocd.Source, k argocd.Kustomize) (*kustomize.Override, error) {
	if len(s.Kustomize) == 0 {
		return nil, nil
	}
	variables := app.Variables(s)
	out := &kustomize.Override{
		NamePrefix: k.NamePrefix, NameSuffix: k.NameSuffix, Namespace: k.Namespace, Components: k.Components,
		Labels: map[string]string{}, Annotations: map[string]string{},
		ForceLabels: k.ForceCommonLabels, ForceAnnotations: k.ForceCommonAnnotations,
		WithoutSelector: k.LabelWithoutSelector, IncludeTemplates: k.LabelIncludeTemplates, IgnoreMissingComponents: k.IgnoreMissingComponents,
	}
	for _, image := range k.Images {
		out.Images = append(out.Images, os.Expand(image, variables))
	}
	for _, replica := range k.Replicas {
		count, err := strconv.ParseInt(string(replica.Count), 10, 32)
		if err != nil {
			return nil, &manifest.Error{Problem: "kustomize.replicas of " + strconv.Quote(replica.Name) + " is " + strconv.Quote(string(replica.Count)) + ", which is no number", Remedy: "write count: 2"}
		}
		out.Replicas = append(out.Replicas, types.Replica{Name: replica.Name, Count: count})
	}
	for key, value := range k.CommonLabels {
		out.Labels[key] = os.Expand(value, variables)
	}
	for key, value := range k.CommonAnnotations {
		if k.CommonAnnotationsEnvsubst {
			value = os.Expand(value, variables)
		}
		out.Annotations[key] = value
	}
	for _, raw := range k.Patches {
		patch, err := kustomize.ParsePatch(raw)
		if err != nil {
			return nil, err
		}
		out.Patches = append(out.Patches, patch)
	}
	return out, nil
}
