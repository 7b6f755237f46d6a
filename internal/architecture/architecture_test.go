// Package architecture holds the tests of how the repository is laid out: packages import in the direction that
// docs/architecture.md draws, and the root holds what belongs there.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lockkeeper/lockkeeper/"

// edits are the packages that change files, for promotion steps and what runs them.
var edits = []string{
	"internal/chartedit", "internal/jsonedit", "internal/keypath", "internal/kustomizeedit", "internal/tomledit", "internal/yamledit", "internal/yamlmerge",
}

// texts are the packages that write values out.
var texts = []string{"internal/jsontext", "internal/yamltext"}

// rules says which of our packages a package may depend on, directly or not. The first rule whose prefix fits counts; a
// package without a rule fails the test, so that nobody forgets one.
var rules = []struct {
	pkg   string // exact path, or a prefix that ends in "/"
	allow []string
}{
	{"promote", nil},
	{"promote/expr", []string{"promote", "internal/secret", "internal/yamltext"}},
	{"promote/kargo", []string{"promote", "promote/expr", "internal/manifest", "internal/nearest", "internal/secret", "internal/yamltext"}},
	{"promote/imageupdater", []string{"promote", "internal/manifest", "internal/nearest"}},
	{"promote/discover", []string{"promote", "promote/expr", "internal/git", "internal/nearest", "internal/outbound", "internal/secret", "internal/yamltext"}},
	{"promote/discover/", []string{"promote", "promote/discover"}},
	{"promote/step", slices.Concat([]string{"promote", "promote/expr", "render/", "internal/git", "internal/manifest", "internal/nearest", "internal/secret", "internal/worker"}, edits, texts)},
	{"promote/drift", []string{"internal/jsontext", "internal/manifest", "internal/nearest", "render/diff", "render/diff/document", "render/object"}},
	{"promote/ledger", []string{"promote", "internal/git", "internal/secret", "internal/yamltext"}},
	{"promote/reconcile", slices.Concat([]string{"promote/", "promote", "render", "render/", "internal/codeowners", "internal/git", "internal/manifest", "internal/nearest", "internal/outbound", "internal/secret", "internal/worker"}, edits, texts)},
	{"render", []string{"render/", "internal/jsontext", "internal/manifest", "internal/nearest", "internal/worker"}},
	{"render/", []string{"render/", "internal/jsontext", "internal/manifest", "internal/nearest"}},
	{"internal/worker", []string{"internal/manifest", "internal/nearest"}},
	{"internal/archive", nil},
	{"internal/codeowners", nil},
	{"internal/secret", nil},
	{"internal/git", []string{"internal/secret"}},
	{"internal/git/", []string{"internal/git", "internal/git/", "internal/nearest", "internal/secret"}},
	{"internal/manifest", []string{"internal/nearest"}},
	{"internal/manifest/manifesttest", []string{"internal/manifest", "internal/nearest"}},
	{"internal/message", []string{"internal/secret"}},
	{"internal/nearest", nil},
	{"internal/oci", nil},
	{"internal/outbound", nil},
	{"internal/jsontext", nil},
	{"internal/yamltext", nil},
	{"internal/keypath", []string{"internal/nearest"}},
	{"internal/jsonedit", []string{"internal/keypath", "internal/nearest"}},
	{"internal/tomledit", []string{"internal/keypath", "internal/nearest"}},
	{"internal/yamledit", []string{"internal/keypath", "internal/nearest"}},
	{"internal/yamlmerge", []string{"internal/keypath", "internal/nearest", "internal/yamledit"}},
	{"internal/registryhook", []string{"internal/secret"}},
	{"internal/kustomizeedit", []string{"internal/keypath", "internal/nearest", "internal/yamledit"}},
	{"internal/chartedit", []string{"internal/keypath", "internal/nearest", "internal/yamledit", "internal/yamltext"}},
	{"internal/contract", nil},
	{"internal/contract/", []string{"internal/contract"}},
	{"internal/argocd", []string{"promote", "internal/secret"}},
	{"internal/argocd/", []string{"internal/argocd", "promote", "internal/secret"}},
	{"internal/doctor", []string{"promote", "internal/nearest"}},
	{"internal/forge", []string{"promote", "internal/secret"}},
	{"internal/forge/adaptertest", []string{"promote", "internal/contract", "internal/forge", "internal/secret"}},
	{"internal/forge/github", []string{"promote", "internal/forge", "internal/registryhook", "internal/secret"}},
	{"internal/forge/githubactions", []string{"promote", "internal/secret"}},
	{"internal/forge/gitlab", []string{"promote", "internal/forge", "internal/secret"}},
	{"internal/forge/devforge", []string{"promote", "internal/git/githttp"}},
	{"internal/forge/forgetest", nil}, // tests only, which import the adapters and devforge
	{"internal/architecture", nil},
	{"examples", nil},
	{"bot", slices.Concat([]string{"promote", "promote/", "render", "render/", "internal/codeowners", "internal/git", "internal/manifest", "internal/nearest", "internal/outbound", "internal/secret", "internal/worker"}, edits, texts)},
	{"ci", slices.Concat([]string{"promote", "promote/", "render", "render/", "internal/codeowners", "internal/git", "internal/manifest", "internal/nearest", "internal/outbound", "internal/secret", "internal/worker"}, edits, texts)},
	{"cmd/", []string{""}},
}

// forbidden lists packages of the standard library that a package may not depend on directly.
var forbidden = map[string][]string{
	"promote": {"net/http", "os", "os/exec", "io/fs", "context", "math/rand", "math/rand/v2"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestPackagesImportInOneDirection(t *testing.T) {
	for _, pkg := range list(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module)
		allow, ok := allowed(name)
		if !ok {
			t.Errorf("package %s has no rule: add one, and draw it in docs/architecture.md", name)
			continue
		}
		for _, dep := range pkg.Deps {
			ours, found := strings.CutPrefix(dep, module)
			if found && !matchesAny(ours, allow) {
				t.Errorf("package %s depends on %s, which it may not", name, ours)
			}
		}
		for _, imported := range pkg.Imports {
			for _, no := range forbidden[name] {
				if imported == no {
					t.Errorf("package %s imports %s: it must stay pure", name, no)
				}
			}
		}
	}
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps=false", "-json=ImportPath,Imports,Deps", "../../...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var pkg listed
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pkg)
	}
}

func allowed(name string) ([]string, bool) {
	for _, rule := range rules {
		if matches(name, rule.pkg) {
			return rule.allow, true
		}
	}
	return nil, false
}

func matchesAny(name string, patterns []string) bool {
	for _, pattern := range patterns {
		if pattern == "" || matches(name, pattern) {
			return true
		}
	}
	return false
}

func matches(name, pattern string) bool {
	return name == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(name, pattern)
}

// topLevel is all that the repository's root may hold.
var topLevel = []string{
	".ci", ".gitignore", ".gitlab-ci-template.yml", ".golangci.yml", "LICENSE", "Makefile", "README.md", "action.yml", "bot", "ci", "cmd", "deploy",
	"docs", "examples", "go.mod", "go.sum", "internal", "promote", "render",
}

// maxTracked is the largest file that the repository may hold: what is larger is a program or a recording that slipped in.
const maxTracked = 2 << 20

func TestNothingSlippedIntoTheRepository(t *testing.T) {
	const root = "../.."
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		t.Skip("not a checkout of Git, so nothing tells what belongs to the repository")
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if first, _, _ := strings.Cut(name, "/"); !slices.Contains(topLevel, first) {
			t.Errorf("%s: the root holds nothing else than %s", name, strings.Join(topLevel, " "))
		}
		if info, err := os.Lstat(filepath.Join(root, name)); err == nil && info.Size() > maxTracked {
			t.Errorf("%s has %d bytes, at most %d", name, info.Size(), maxTracked)
		}
	}
}
