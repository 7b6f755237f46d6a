package discover

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxDropped = 100 // of one subscription, in an explanation
	maxPrinted = 10  // of each kind, in a table
)

// Explanation says how a discovery came to its result, one entry for each subscription that was looked at.
type Explanation struct {
	Images  []ImageExplanation `json:"images,omitempty"`
	Commits []GitExplanation   `json:"commits,omitempty"`
	Charts  []ChartExplanation `json:"charts,omitempty"`
}

// String is a table for people, with an empty line between subscriptions.
func (e Explanation) String() string {
	parts := make([]string, 0, len(e.Images)+len(e.Commits)+len(e.Charts))
	for _, one := range e.Images {
		parts = append(parts, one.String())
	}
	for _, one := range e.Commits {
		parts = append(parts, one.String())
	}
	for _, one := range e.Charts {
		parts = append(parts, one.String())
	}
	return strings.Join(parts, "\n")
}

// ImageExplanation says what was found in one repository.
type ImageExplanation struct {
	Subscription string           `json:"subscription,omitempty"` // "" when it has no name
	RepoURL      string           `json:"repoURL"`
	Strategy     promote.Strategy `json:"strategy"`
	Constraint   string           `json:"constraint,omitempty"`
	Platform     string           `json:"platform,omitempty"`
	Tags         int              `json:"tags,omitempty"`       // how many the repository has; 0 for Digest, which does not ask
	Candidates   []string         `json:"candidates,omitempty"` // best first, at most as many as the discovery limit; Chosen is the first
	Older        int              `json:"older,omitempty"`      // candidates beyond the discovery limit
	Dropped      []Dropped        `json:"dropped,omitempty"`    // at most 100, and of every reason at least one while there is room
	Withheld     int              `json:"withheld,omitempty"`   // dropped tags that are not in Dropped
	Chosen       string           `json:"chosen,omitempty"`     // "" when there is none
	Digest       string           `json:"digest,omitempty"`     // of what was chosen
	CreatedAt    time.Time        `json:"createdAt,omitzero"`   // of what was chosen; zero when it is not known
	Problem      string           `json:"problem,omitempty"`    // why nothing was chosen
}

func explain(sub promote.ImageSubscription) ImageExplanation {
	return ImageExplanation{
		Subscription: sub.Name, RepoURL: sub.RepoURL, Strategy: cmp.Or(sub.Strategy, promote.SelectSemVer),
		Constraint: sub.Constraint, Platform: sub.Platform,
	}
}

func (e *ImageExplanation) fill(f finding, sub promote.ImageSubscription) {
	limit := len(f.candidates)
	if sub.DiscoveryLimit > 0 {
		limit = min(limit, sub.DiscoveryLimit)
	}
	e.Tags, e.Candidates, e.Older = f.tags, f.candidates[:limit], len(f.candidates)-limit
	e.Dropped = telling(f.dropped, maxDropped)
	e.Withheld = len(f.dropped) - len(e.Dropped)
	e.Chosen, e.Digest, e.CreatedAt = f.image.Tag, f.image.Digest, f.image.CreatedAt
}

// telling returns so many of the dropped tags in their order, those first that are the first of their reason.
func telling(dropped []Dropped, most int) []Dropped {
	if len(dropped) <= most {
		return dropped
	}
	rank := map[string]int{}
	type ranked struct{ at, nth int }
	all := make([]ranked, len(dropped))
	for i, d := range dropped {
		all[i] = ranked{i, rank[d.Reason]}
		rank[d.Reason]++
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return min(a.nth, most) - min(b.nth, most) })
	all = all[:most]
	slices.SortFunc(all, func(a, b ranked) int { return a.at - b.at })
	out := make([]Dropped, 0, most)
	for _, one := range all {
		out = append(out, dropped[one.at])
	}
	return out
}

// String is a table of the commits: what became of each, and why.
func (e GitExplanation) String() string {
	title := "git " + plain(e.RepoURL)
	if e.Branch != "" {
		title += ": branch " + plain(e.Branch)
	}
	if title += fmt.Sprintf(", %d looked at", e.Looked); e.Reused {
		title += ", nothing changed since"
	}
	candidates := make([]string, len(e.Candidates))
	for i, commit := range e.Candidates {
		candidates[i] = commit.Label()
	}
	identity := ""
	if len(e.Candidates) > 0 {
		identity = strings.TrimSpace(e.Candidates[0].ID.Short() + " " + e.Candidates[0].Message)
	}
	return explained(title, e.Chosen, identity, candidates, e.Skipped, e.Problem)
}

// String is a table of the versions: what became of each, and why.
func (e ChartExplanation) String() string {
	title := "chart " + plain(strings.TrimSpace(e.RepoURL+" "+e.Chart)) + fmt.Sprintf(", %d versions", e.Versions)
	identity := ""
	if e.Deprecated {
		identity = "deprecated"
	}
	return explained(title, e.Chosen, identity, e.Candidates, e.Skipped, e.Problem)
}

// explained is the table of one subscription.
func explained(title, chosen, identity string, candidates []string, skipped []Skipped, problem string) string {
	var out strings.Builder
	out.WriteString(title + "\n")
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	if chosen != "" {
		row(table, plain(chosen), "taken", identity)
	}
	for i, name := range candidates[:min(len(candidates), maxPrinted)] {
		if i > 0 {
			row(table, plain(name), "left", "comes after "+chosen)
		}
	}
	if more := len(candidates) - maxPrinted; more > 0 {
		row(table, fmt.Sprintf("and %d more", more), "left", "")
	}
	for _, s := range skipped[:min(len(skipped), maxPrinted)] {
		row(table, plain(s.Name), "dropped", s.Reason)
	}
	if more := len(skipped) - maxPrinted; more > 0 {
		row(table, fmt.Sprintf("and %d more", more), "dropped", "")
	}
	_ = table.Flush() // to memory
	if problem != "" {
		fmt.Fprintf(&out, "  nothing is taken: %s\n", plain(problem))
	}
	return out.String()
}

// String is a table of the tags: what became of each, and why.
func (e ImageExplanation) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "image %s\n", e.title())
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	if e.Chosen != "" {
		row(table, e.Chosen, "taken", e.identity())
	}
	for i, tag := range e.Candidates[:min(len(e.Candidates), maxPrinted)] {
		if e.Chosen == "" {
			row(table, tag, "selected", "")
		} else if i > 0 {
			row(table, tag, "left", "comes after "+e.Chosen)
		}
	}
	if more := e.Older + len(e.Candidates) - min(len(e.Candidates), maxPrinted); more > 0 {
		row(table, fmt.Sprintf("and %d more", more), "left", "")
	}
	printed := telling(e.Dropped, maxPrinted)
	for _, d := range printed {
		row(table, d.Tag, "dropped", d.Reason)
	}
	if more := e.Withheld + len(e.Dropped) - len(printed); more > 0 {
		row(table, fmt.Sprintf("and %d more", more), "dropped", "")
	}
	_ = table.Flush() // to memory
	if e.Problem != "" {
		fmt.Fprintf(&out, "  nothing is taken: %s\n", plain(e.Problem))
	}
	return out.String()
}

func (e ImageExplanation) title() string {
	text := plain(e.RepoURL)
	if e.Subscription != "" {
		text += fmt.Sprintf(" (%s)", plain(e.Subscription))
	}
	text += ": " + plain(strings.TrimSpace(string(e.Strategy)+" "+e.Constraint))
	if e.Platform != "" {
		text += " for " + plain(e.Platform)
	}
	switch {
	case e.Tags == 1:
		text += ", 1 tag"
	case e.Tags > 1:
		text += fmt.Sprintf(", %d tags", e.Tags)
	}
	return text
}

func (e ImageExplanation) identity() string {
	text := e.Digest
	if !e.CreatedAt.IsZero() {
		text += ", built " + e.CreatedAt.UTC().Format(time.RFC3339)
	}
	return text
}

func row(table io.Writer, tag, fate, reason string) {
	_, _ = fmt.Fprintln(table, strings.TrimRight("  "+tag+"\t"+fate+"\t"+plain(reason), "\t"))
}

// plain keeps what repositories write from steering a terminal.
func plain(text string) string {
	if strings.ContainsFunc(text, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return strconv.Quote(text)
	}
	return text
}
