package render

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/directory"
)

// tool finds a program that .ci/run built from its Go module.
func tool(t *testing.T, name string) string {
	t.Helper()
	found := filepath.Join(os.Getenv("LOCKKEEPER_TOOLS"), name)
	if info, err := os.Stat(found); os.Getenv("LOCKKEEPER_TOOLS") != "" && err == nil && !info.IsDir() {
		return found
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s in $LOCKKEEPER_TOOLS, which .ci/run builds", name)
	}
	t.Skipf("there is no %s in $LOCKKEEPER_TOOLS: .ci/run builds it", name)
	return ""
}

// runs calls a program as Argo CD would, below a folder of the repository.
func runs(t *testing.T, dir, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, &stderr)
	}
	return out
}

// TestAgainstCommandLines holds what is rendered against the real programs, called as Argo CD calls them.
func TestAgainstCommandLines(t *testing.T) {
	for _, archive := range []string{"helm_charts", "kustomizations"} {
		parsed, err := txtar.ParseFile("testdata/render/" + archive + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		tree, _ := unpack(parsed)
		repo := repository(tree)
		set, err := newEngine(t).Applications(t.Context(), repo, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range set.Applications {
			sources := &sourcing{repo: repo, app: app, fetch: newEngine(t).fetching(nil)}
			sources.find(t.Context())
			ours := sources.render(t.Context())
			if ours.failed || ours.partial || len(ours.random) > 0 {
				continue // what the programs would need the network for, refuse or invent
			}
			t.Run(archive+"/"+app.Name, func(t *testing.T) {
				dir := t.TempDir()
				write(t, dir, tree)
				s := app.Sources[len(app.Sources)-1]
				var stream []byte
				if archive == "helm_charts" {
					stream = helmTemplate(t, dir, app, s)
				} else {
					stream = kustomizeBuild(t, dir, app, s)
				}
				theirs, err := directory.Parse("theirs", stream)
				if err != nil {
					t.Fatal(err)
				}
				want, got := map[string]map[string]any{}, map[string]map[string]any{}
				for _, o := range theirs {
					want[o.ID().String()] = o.Fields
				}
				for _, o := range ours.objects {
					got[o.ID().String()] = o.Fields
				}
				if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
					t.Errorf("objects (-program +ours):\n%s", diff)
				}
			})
		}
	}
}

func write(t *testing.T, dir string, tree fs.FS) {
	t.Helper()
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
}

func helmTemplate(t *testing.T, dir string, app argocd.Application, s argocd.Source) []byte {
	t.Helper()
	h, err := s.HelmOptions()
	if err != nil {
		t.Fatal(err)
	}
	variables := app.Variables(s)
	name := h.ReleaseName
	if name == "" {
		name = app.Name
	}
	args := []string{"template", ".", "--name-template", name, "--namespace", app.Destination.Namespace, "--include-crds"}
	if h.KubeVersion != "" {
		args = append(args, "--kube-version", h.KubeVersion)
	}
	for _, p := range h.Parameters {
		flag := "--set"
		if p.ForceString {
			flag = "--set-string"
		}
		args = append(args, flag, p.Name+"="+escaped(os.Expand(p.Value, variables)))
	}
	for _, p := range h.FileParameters {
		args = append(args, "--set-file", p.Name+"="+filepath.Join(dir, s.Path, p.Path))
	}
	for _, file := range h.ValueFiles {
		switch {
		case strings.HasPrefix(file, "$values/"):
			file = filepath.Join(dir, strings.TrimPrefix(file, "$values/"))
		case strings.HasPrefix(file, "/"):
			file = filepath.Join(dir, file)
		default:
			file = filepath.Join(dir, s.Path, file)
		}
		matches, err := filepath.Glob(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range matches {
			args = append(args, "--values", match)
		}
	}
	if len(h.ValuesObject) > 0 {
		inline := filepath.Join(t.TempDir(), "inline.yaml")
		if err := os.WriteFile(inline, h.ValuesObject, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--values", inline)
	}
	for _, version := range h.APIVersions {
		args = append(args, "--api-versions", version)
	}
	chart := filepath.Join(dir, s.Path)
	if about, err := os.ReadFile(filepath.Join(chart, "Chart.yaml")); err == nil && bytes.Contains(about, []byte("file://")) {
		runs(t, chart, tool(t, "helm"), "dependency", "build")
	}
	return runs(t, chart, tool(t, "helm"), args...)
}

func kustomizeBuild(t *testing.T, dir string, app argocd.Application, s argocd.Source) []byte {
	t.Helper()
	k, err := s.KustomizeOptions()
	if err != nil {
		t.Fatal(err)
	}
	folder, program, variables := filepath.Join(dir, s.Path), tool(t, "kustomize"), app.Variables(s)
	edit := func(args ...string) { runs(t, folder, program, append([]string{"edit"}, args...)...) }
	if k.NamePrefix != "" {
		edit("set", "nameprefix", "--", k.NamePrefix)
	}
	if k.NameSuffix != "" {
		edit("set", "namesuffix", "--", k.NameSuffix)
	}
	for _, image := range k.Images {
		edit("set", "image", image)
	}
	for _, replica := range k.Replicas {
		edit("set", "replicas", fmt.Sprintf("%s=%s", replica.Name, replica.Count))
	}
	for _, key := range slices.Sorted(maps.Keys(k.CommonLabels)) {
		args := []string{"add", "label", "--force"}
		if k.LabelWithoutSelector {
			args = append(args, "--without-selector")
		}
		if k.LabelIncludeTemplates {
			args = append(args, "--include-templates")
		}
		edit(append(args, key+":"+os.Expand(k.CommonLabels[key], variables))...)
	}
	for _, key := range slices.Sorted(maps.Keys(k.CommonAnnotations)) {
		edit("add", "annotation", "--force", key+":"+os.Expand(k.CommonAnnotations[key], variables))
	}
	if k.Namespace != "" {
		edit("set", "namespace", "--", k.Namespace)
	}
	for _, raw := range k.Patches {
		patched, err := os.OpenFile(filepath.Join(folder, "kustomization.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(patched, "\npatches:\n- %s\n", raw); err != nil {
			t.Fatal(err)
		}
		if err := patched.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, component := range k.Components {
		if _, err := os.Stat(filepath.Join(folder, component)); err == nil {
			edit("add", "component", component)
		}
	}
	args := []string{"build", ".", "--load-restrictor", "LoadRestrictionsNone"}
	if _, err := os.Stat(filepath.Join(folder, "charts")); err == nil {
		args = append(args, "--enable-helm", "--helm-command", tool(t, "helm"))
	}
	return runs(t, folder, program, args...)
}
