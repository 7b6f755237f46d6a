package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockkeeper/lockkeeper/examples"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

var update = flag.Bool("update", false, "rewrite the golden files of the scenarios and of docs/reference.md")

// TestMain makes this test binary the program lockkeeper of the scenarios, and a worker when it starts itself.
func TestMain(m *testing.M) {
	if isWorker() {
		os.Exit(work())
	}
	gittest.FoldersInMemory()
	debug.SetGCPercent(400) // worlds come and go, and little of them lives long
	testscript.Main(m, map[string]func(){"lockkeeper": main})
}

// TestScripts runs the scenarios in testdata/script. The first line of each says what it proves.
//
// Beside the commands of testscript there are:
//
//	clone DIR [URL]         make DIR a Git repository on branch main, with the remote URL, and commit what it holds
//	example DIR [NAME]      copy examples/gitops to DIR, with the URLs of the world where there is one, or what testdata/repository
//	                        has under a name
//	exits CODE PROGRAM ...  run a program that must end with this exit code
//	elsewhere DIR FILE...   serve the charts in DIR/charts from an HTTP repository and from a registry, and the folders in DIR/git as
//	                        repositories with the tag v1.0.0; in the files and folders, put the servers' addresses in place of
//	                        https://charts.example.com, registry.example.com and https://git.example.com
//	world [github]          start a forge (a GitLab, or a GitHub where the bot administers the repository and no
//	                        rule is set), a registry that holds 1.0.0 and 1.0.1, and Argo CD, but no bot; set FORGE_URL, ARGOCD_URL,
//	                        REGISTRY, PROJECT and Lockkeeper's own variables
//	push TAG                push an image to the world's registry
//	merge NUMBER            merge a merge request, as a person
//	close NUMBER            close one
//	[!] reads PROGRAM ...   run a program that must not write to the world
//	expand FILE             put the values of variables in a file, which it names as $NAME
func TestScripts(t *testing.T) {
	commands := worldCommands()
	commands["clone"], commands["example"], commands["elsewhere"] = cloneCommand, exampleCommand, elsewhereCommand
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               isolate,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
	})
}

// isolate keeps the machine's configuration out of a scenario, and makes its commits the same everywhere.
func isolate(env *testscript.Env) error {
	env.Values[scenarioKey{}] = &scenario{}
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "TZ": "UTC", "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.DevNull,
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_AUTHOR_DATE": "2025-06-01T12:00:00Z",
		"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com", "GIT_COMMITTER_DATE": "2025-06-01T12:00:00Z",
		"GIT_TERMINAL_PROMPT": "0", "GIT_CEILING_DIRECTORIES": filepath.Dir(env.WorkDir), "NO_COLOR": "", "GITLAB_CI": "",
	} {
		env.Setenv(name, value)
	}
	return nil
}

// cloneCommand is `clone DIR [URL]`.
func cloneCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: clone DIR [URL]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(gitCommand(ts, dir, []string{"init", "-q", "-b", "main", "--template=", "."}))
	config, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = config.WriteString("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\tfsync = none\n")
	ts.Check(errors.Join(err, config.Close()))
	var steps [][]string
	if len(args) == 2 {
		steps = append(steps, []string{"remote", "add", "origin", args[1]})
	}
	steps = append(steps, []string{"add", "-A"}, []string{"commit", "-q", "--allow-empty", "-m", "First commit"})
	for _, step := range steps {
		ts.Check(gitCommand(ts, dir, step))
	}
}

func gitCommand(ts *testscript.TestScript, dir string, args []string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	for _, name := range []string{
		"PATH", "HOME", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE",
		"GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE", "GIT_CEILING_DIRECTORIES",
	} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %v: %w: %s", args, err, out)
	}
	return nil
}

// exampleCommand is `example DIR [NAME]`.
func exampleCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: example DIR [NAME]")
	}
	w := scenarioOf(ts).world
	switch {
	case len(args) == 2:
		ts.Check(os.CopyFS(ts.MkAbs(args[0]), repository(args[1])))
		return
	case w == nil:
		ts.Check(os.CopyFS(ts.MkAbs(args[0]), examples.GitOps()))
		return
	}
	files, err := w.example()
	ts.Check(err)
	for name, text := range files {
		path := filepath.Join(ts.MkAbs(args[0]), filepath.FromSlash(name))
		ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
		ts.Check(os.WriteFile(path, []byte(text), 0o600))
	}
}
