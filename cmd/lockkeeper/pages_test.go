package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// pages are those about one forge each.
var pages = []string{"github.md", "gitlab.md"}

// A page is one of them, as it is written.
type page struct {
	t    *testing.T
	name string
	text string
}

func onEachPage(t *testing.T, do func(page)) {
	for _, name := range pages {
		t.Run(name, func(t *testing.T) { do(readPage(t, name)) })
	}
}

func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return page{t: t, name: name, text: string(text)}
}

// table is the first table below a heading, by the first cell of each row and without the marks of code.
func (p page) table(heading string) map[string][]string {
	p.t.Helper()
	_, rest, found := strings.Cut(p.text, "\n"+heading+"\n")
	_, rest, rows := strings.Cut(rest, "\n|---|")
	if !found || !rows {
		p.t.Fatalf("%s has no table below %q", p.name, heading)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	table := map[string][]string{}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		table[strings.Trim(cells[0], "`")] = cells[1:]
	}
	return table
}

// blocks are the texts of a language that begin with a comment that names a file.
func (p page) blocks(language, file string) []string {
	p.t.Helper()
	var found []string
	for _, part := range strings.Split(p.text, "```"+language+"\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		if strings.HasPrefix(text, "# "+file) || file == "" {
			found = append(found, text)
		}
	}
	if len(found) == 0 {
		p.t.Fatalf("%s shows no %s", p.name, file)
	}
	return found
}

func TestThePageShowsThePermissionsOfTheApp(t *testing.T) {
	have := map[string]string{}
	for name, cells := range readPage(t, "github.md").table("### Permissions") {
		have[name] = cells[0]
	}
	if diff := cmp.Diff(github.NeededPermissions(), have); diff != "" {
		t.Error(diff)
	}
}

func TestThePagesShowTheEventsOfTheWebhooks(t *testing.T) {
	wants := map[string][]string{"github.md": github.HookEvents(), "gitlab.md": gitlab.HookEvents(true)}
	onEachPage(t, func(p page) {
		have := slices.Sorted(maps.Keys(p.table("## Webhooks")))
		if diff := cmp.Diff(slices.Sorted(slices.Values(wants[p.name])), have); diff != "" {
			p.t.Error(diff)
		}
	})
}

func TestThePagesShowTheBudgets(t *testing.T) {
	onEachPage(t, func(p page) {
		for row, cells := range p.table("## Limits") {
			want := "0"
			for start, budget := range map[string]int{
				"from the event": budgetToProposal, "the same": budgetWithToken, "ten services": budgetToGrid, "a person's": budgetToReview, "an event that": budgetToQuiet,
			} {
				if strings.HasPrefix(row, start) {
					want = fmt.Sprintf("at most %d", budget)
				}
			}
			if cells[0] != want {
				p.t.Errorf("%s: %s, want %s", row, cells[0], want)
			}
		}
	})
}

func TestConfigurationsOnThePagesAreRead(t *testing.T) {
	onEachPage(t, func(p page) {
		for _, text := range p.blocks("yaml", "lockkeeper-server.yaml") {
			file := filepath.Join(p.t.TempDir(), "lockkeeper-server.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				p.t.Fatal(err)
			}
			if _, err := readServerConfig(file); err != nil {
				p.t.Error(err)
			}
		}
		for _, text := range p.blocks("yaml", reconcile.SettingsFile) {
			_, findings := reconcile.LoadSettings(fstest.MapFS{reconcile.SettingsFile: {Data: []byte(text)}})
			for _, f := range findings {
				p.t.Error(f)
			}
		}
	})
}

var inlineCommand = regexp.MustCompile("`(lockkeeper [a-z][^`]*)`")

// TestCommandsOnThePagesAreUnderstood parses every command line by the tree of commands; none is run.
func TestCommandsOnThePagesAreUnderstood(t *testing.T) {
	onEachPage(t, func(p page) {
		var lines []string
		for _, text := range p.blocks("sh", "") {
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "lockkeeper ") {
					lines = append(lines, strings.TrimSpace(line))
				}
			}
		}
		for _, found := range inlineCommand.FindAllStringSubmatch(p.text, -1) {
			lines = append(lines, found[1])
		}
		for _, line := range lines {
			root := newRoot(environment{getenv: func(string) string { return "" }})
			cmd, args, err := root.Find(strings.Fields(line)[1:])
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err == nil && cmd.Args != nil {
				err = cmd.Args(cmd, cmd.Flags().Args())
			}
			if err != nil || cmd == root {
				p.t.Errorf("%q: %v", line, err)
			}
		}
	})
}

var namedVariable = regexp.MustCompile(`LOCKKEEPER_[A-Z_]*[A-Z]`)

func TestVariablesOnThePagesAreRead(t *testing.T) {
	known := map[string]bool{"LOCKKEEPER_COMMAND": true}
	for _, v := range variables() {
		known[v.name] = true
	}
	onEachPage(t, func(p page) {
		for _, name := range namedVariable.FindAllString(p.text, -1) {
			if !known[name] {
				p.t.Errorf("%s is read by nobody", name)
			}
		}
	})
}

// TestMessagesOnThePagesAreThoseOfTheCode looks for each in the sources, but for those that a forge is said to write itself.
func TestMessagesOnThePagesAreThoseOfTheCode(t *testing.T) {
	source := sources(t)
	onEachPage(t, func(p page) {
		for message, cells := range p.table("## When something is wrong") {
			if !strings.Contains(cells[0], "own words") && !strings.Contains(source, message) {
				p.t.Errorf("nobody says %q", message)
			}
		}
		if !strings.Contains(p.text, "`"+promote.StatusName+"`") {
			p.t.Errorf("the status %s is not named", promote.StatusName)
		}
	})
}

var (
	pageLink  = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	noAnchor  = regexp.MustCompile(`[^a-z0-9 _-]`)
	pageTitle = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// TestLinksOnThePagesLeadSomewhere: to files of the repository, and to headings.
func TestLinksOnThePagesLeadSomewhere(t *testing.T) {
	onEachPage(t, func(p page) {
		for _, link := range pageLink.FindAllStringSubmatch(p.text, -1) {
			text := p.text
			if link[1] != "" {
				data, err := os.ReadFile(filepath.Join("../../docs", link[1])) //nolint:gosec // a file of the repository
				if err != nil {
					p.t.Error(err)
				}
				text = string(data)
			}
			anchors := []string{""}
			for _, title := range pageTitle.FindAllStringSubmatch(text, -1) {
				anchors = append(anchors, "#"+strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(title[1]), ""), " ", "-"))
			}
			if !slices.Contains(anchors, link[2]) {
				p.t.Errorf("%s%s leads nowhere", link[1], link[2])
			}
		}
	})
}

// sources are those in which messages are written, without tests.
func sources(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{"../../bot", "../../cmd", "../../internal/doctor", "../../internal/forge/github", "../../internal/forge/gitlab", "../../internal/forge/refusal.go", "../../promote"} {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name) //nolint:gosec // a file of the repository
			b.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
