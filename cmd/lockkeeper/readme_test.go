package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestThePipelineOfTheReadmeIsInOrder copies it into a repository that has what it names, and nothing else.
func TestThePipelineOfTheReadmeIsInOrder(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```yaml\n")
	pipeline, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README shows no pipeline")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"pipeline.yaml": pipeline, "dev/values.yaml": "image:\n  tag: 1.0.0\n"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "git", "init", "--quiet", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out bytes.Buffer
	args := []string{"lint", "--strict", "--dir", dir, "--url", "https://gitlab.com/your-name/your-repo.git"}
	none := func(string) string { return "" }
	if code := run(t.Context(), environment{args: args, getenv: none, out: &out, err: &out}); code != 0 {
		t.Errorf("exit %d:\n%s", code, &out)
	}
	contains(t, out.String(), "All in order: 1 pipeline with 1 stage")
}
