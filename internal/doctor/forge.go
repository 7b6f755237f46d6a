package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/promote"
)

// The names of the forges, as people write them.
const (
	GitLab = "GitLab"
	GitHub = "GitHub"
)

// Instance is a forge that was asked whether it is there.
type Instance struct {
	Forge      string // required: GitLab or GitHub
	URL        string
	Version    string // empty: it does not say, as github.com
	Ahead      time.Duration
	ClockKnown bool
	Err        error
}

// How far clocks may be apart: GitLab's signatures hold for 5 minutes, and GitHub takes a JWT of an App that is at most 60
// seconds ahead.
const (
	clockWarning = time.Minute
	clockFailure = 5 * time.Minute
)

// Findings says whether the forge answers, and whether its clock and ours agree.
func (i Instance) Findings() []Finding {
	switch {
	case errors.Is(i.Err, promote.ErrUnauthorized), errors.Is(i.Err, promote.ErrForbidden): // Of that the token's finding says more.
	case errors.Is(i.Err, promote.ErrNotFound):
		return []Finding{
			{Failure, "forge", i.Err.Error(), fmt.Sprintf("open %s in a browser: it must be the page of %s itself", i.URL, i.Forge), Fix{}},
			i.clock(),
		}
	case i.Err != nil:
		return []Finding{
			{Failure, "forge", i.Err.Error(), "open " + i.URL + " from this machine; for a certificate of your own, add its authority to the system's", Fix{}},
			{Verdict: Skipped, Check: "clock", Text: i.Forge + " did not answer"},
		}
	}
	text := fmt.Sprintf("%s answers at %s", i.Forge, i.URL)
	if i.Version != "" {
		text = fmt.Sprintf("%s %s answers at %s", i.Forge, i.Version, i.URL)
	}
	found := []Finding{{Verdict: OK, Check: "forge", Text: text}}
	if i.Forge == GitHub && older(i.Version, oldestServer) {
		found[0] = Finding{
			Verdict: Failure, Check: "forge", Text: fmt.Sprintf("%s: merging needs %s or newer", text, oldestServer),
			Remedy: "update it; GitHub itself supports no older ones",
		}
	}
	if strings.HasPrefix(i.URL, "http://") && !strings.HasPrefix(i.URL, "http://127.0.0.1") && !strings.HasPrefix(i.URL, "http://localhost") {
		found = append(found, Finding{Verdict: Warning, Check: "tls", Text: "tokens travel unencrypted to " + i.URL, Remedy: "write https:// in the configuration"})
	}
	return append(found, i.clock())
}

// oldestServer is the oldest GitHub Enterprise Server whose GraphQL schema has all that is asked of it: what a rule says of merge
// methods came last.
const oldestServer = "3.17"

// older reports whether a version is known and before another.
func older(version, than string) bool {
	found, err := semver.NewVersion(version)
	return err == nil && found.LessThan(semver.MustParse(than))
}

func (i Instance) clock() Finding {
	apart := i.Ahead.Abs()
	ours := "behind"
	if i.Ahead < 0 {
		ours = "ahead of"
	}
	f := Finding{Check: "clock", Text: fmt.Sprintf("our clock is %s %s that of %s", apart, ours, i.Forge), Remedy: "synchronise the clock of this machine, with chrony or systemd-timesyncd"}
	switch {
	case !i.ClockKnown:
		return Finding{Verdict: Skipped, Check: "clock", Text: i.Forge + " does not say what time it is"}
	case apart > clockFailure:
		f.Verdict = Failure
		f.Text += ": signed webhooks and tokens of Apps are refused"
	case apart > clockWarning:
		f.Verdict = Warning
		f.Text += ": past 5 minutes signed webhooks are refused"
	default:
		return Finding{Verdict: OK, Check: "clock", Text: fmt.Sprintf("our clock and that of %s agree", i.Forge)}
	}
	return f
}

// Git is what reading a repository over HTTPS came to.
type Git struct {
	URL      string
	Branches int
	Default  string
	Err      error
}

// Finding says whether the repository can be read.
func (g Git) Finding() Finding {
	switch {
	case g.Err != nil:
		return Finding{
			Verdict: Failure, Check: "git", Text: g.Err.Error(),
			Remedy: "try it with the same token: git ls-remote " + g.URL,
		}
	case g.Branches == 0:
		return Finding{Verdict: Failure, Check: "git", Text: g.URL + " has no branch", Remedy: "push a first commit"}
	}
	return Finding{Verdict: OK, Check: "git", Text: fmt.Sprintf("%s is read, default branch %s", g.URL, g.Default)}
}

// Content is what the default branch says.
type Content struct {
	Commit       promote.Commit
	Pipelines    int
	Stages       int
	Applications int
	Problems     []promote.Finding
	Err          error
}

// shownProblems is how many problems of the manifests are cited; lint shows them all.
const shownProblems = 3

// Findings says whether the pipelines can be run.
func (c Content) Findings() []Finding {
	if c.Err != nil {
		return []Finding{{Verdict: Failure, Check: "pipelines", Text: c.Err.Error(), Remedy: "run lockkeeper lint in a clone"}}
	}
	var found []Finding
	left := 0
	for _, problem := range c.Problems {
		if problem.Severity != promote.SeverityError {
			continue
		}
		if len(found) == shownProblems {
			left++
			continue
		}
		found = append(found, Finding{Verdict: Failure, Check: "pipelines", Text: problem.String(), Remedy: "correct it in the repository; lockkeeper lint shows it in a clone"})
	}
	if left > 0 {
		found = append(found, Finding{Verdict: Failure, Check: "pipelines", Text: fmt.Sprintf("%d more errors", left), Remedy: "run lockkeeper lint in a clone"})
	}
	switch {
	case len(found) > 0:
		return found
	case c.Pipelines == 0:
		return []Finding{{Warning, "pipelines", "the default branch declares none", "add a Project, a Warehouse and a Stage of Kargo: docs/kargo.md", Fix{}}}
	}
	return []Finding{{Verdict: OK, Check: "pipelines", Text: fmt.Sprintf("%d with %d stages at %s, %d applications", c.Pipelines, c.Stages, c.Commit.Short(), c.Applications)}}
}

// unreadable is the finding of a fact that could not be had. needs says what looking takes.
func unreadable(check string, err error, needs string) Finding {
	if errors.Is(err, promote.ErrForbidden) || errors.Is(err, promote.ErrNotFound) {
		return Finding{Verdict: Skipped, Check: check, Text: "it may not be looked at with this token", Remedy: needs}
	}
	return Finding{Verdict: Failure, Check: check, Text: err.Error()}
}
