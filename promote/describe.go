package promote

import (
	"fmt"
	"slices"
	"strings"
)

// Description is what the text of a change is made of.
type Description struct {
	Promotion Promotion
	Freight   Freight
	Pipeline  Pipeline
	Stage     Stage
	Gates     Gates
	Evidence  Evidence
}

// ChangeLabels returns the labels of a change that promotes to stage.
func ChangeLabels(stage StageRef) []string {
	return []string{ChangeLabel, "stage::" + stage.Name}
}

// ChangeLabel marks every change that Lockkeeper opens.
const ChangeLabel = "lockkeeper"

// DraftLabel marks a change that is to be a draft where the forge has none: it counts as one until a person takes the label off.
const DraftLabel = "lockkeeper-draft"

// Describe writes the title and the description of a change: what changes in the cluster first, then the gates, then where
// it all comes from; the gates first where it is longer than a forge takes, and [Divide] leaves the end to notes. Nothing that a
// repository, a registry or a person wrote can act as Markdown, command or mention in it. Evidence.Diff is taken as it stands:
// render/diff promises the same of it.
func Describe(d Description) ChangeEdit {
	head := fmt.Sprintf("Promotes %s to stage %s.\n\n", codeSpan(d.Freight.Label()), codeSpan(d.Promotion.Stage.String()))
	if d.Promotion.Text != "" {
		head += quoted(d.Promotion.Text) + "\n"
	}
	return ChangeEdit{Title: title(d), Description: arranged(head, shownDiff(d.Evidence), GateTable(d.Gates), provenance(d), commandHint)}
}

const commandHint = "\nComment `/promote` to have it merged as soon as every gate passes, `/hold` to keep it open, `/help` for more.\n"

func shownDiff(e Evidence) string {
	if e.Diff == "" {
		return ""
	}
	return strings.TrimSpace(e.Diff) + "\n\n"
}

// Draft is the change to open for a promotion whose branch was pushed.
func Draft(p Promotion, opening Opening, edit ChangeEdit) ChangeDraft {
	return ChangeDraft{
		Branch: p.Branch, Target: p.Target, Head: p.Head, Title: edit.Title, Description: begun(edit.Description),
		Labels: append(ChangeLabels(p.Stage), p.Labels...),
		Draft:  opening.Draft, Assignees: opening.Assignees, Reviewers: opening.Reviewers,
	}
}

// quoted writes a task's own description as a quotation, in which no line can be taken for a command.
func quoted(text string) string {
	var b strings.Builder
	for line := range strings.Lines(truncate(text, 4000)) {
		b.WriteString("> " + tableCell(line) + "\n")
	}
	return b.String()
}

func title(d Description) string {
	if clean(d.Promotion.Title) != "" {
		return truncate(clean(d.Promotion.Title), 200)
	}
	moved := ""
	for _, move := range distinctMoves(Evidence{Moves: d.Promotion.Moves, Rendered: d.Evidence.Rendered}) {
		if before := tagOf(move.Before); before != "" && slices.Contains(d.Freight.labels(), tagOf(move.After)) {
			moved = before + " → "
			break
		}
	}
	return truncate(clean(fmt.Sprintf("%s: %s%s", d.Promotion.Stage.Name, moved, d.Freight.Label())), 200)
}

// GateTable writes the gates as a Markdown table.
func GateTable(gates Gates) string {
	var b strings.Builder
	b.WriteString("### Gates\n\n|  | gate | reason |\n|---|---|---|\n")
	for _, gate := range gates {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", sign(gate.Verdict), tableCell(gate.Name), tableCell(gate.Reason))
	}
	return b.String()
}

// maxFindings is how many findings a list for a comment has.
const maxFindings = 20

// FindingList writes findings as a Markdown list.
func FindingList(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings[:min(len(findings), maxFindings)] {
		place := ""
		if f.Position.File != "" {
			place = codeSpan(f.Position.String()) + ": "
		}
		fmt.Fprintf(&b, "- %s%s\n", place, tableCell(f.said()))
	}
	if more := len(findings) - maxFindings; more > 0 {
		fmt.Fprintf(&b, "- and %d more\n", more)
	}
	return b.String()
}

func sign(v Verdict) string {
	switch v {
	case Pass:
		return "✅"
	case Skip:
		return "➖"
	case Wait:
		return "⏳"
	case Block:
		return "❌"
	}
	return "❔"
}

func provenance(d Description) string {
	var b strings.Builder
	b.WriteString("\n<details><summary>Where this comes from</summary>\n\n")
	for _, image := range d.Freight.Images {
		fmt.Fprintf(&b, "- image %s at %s\n", codeSpan(image.RepoURL+":"+image.Tag), codeSpan(image.Digest))
	}
	for _, chart := range d.Freight.Charts {
		fmt.Fprintf(&b, "- chart %s\n", codeSpan(strings.TrimSpace(chart.RepoURL+" "+chart.Name)+" "+chart.Version))
	}
	for _, commit := range d.Freight.Commits {
		fmt.Fprintf(&b, "- commit %s of %s: %s\n", codeSpan(commit.Label()), codeSpan(commit.RepoURL), codeSpan(commit.Message))
	}
	fmt.Fprintf(&b, "- freight %s of warehouse %s, discovered %s\n", codeSpan(strings.TrimSpace(d.Freight.Alias+" "+string(d.Freight.ID))), codeSpan(d.Freight.Warehouse),
		d.Freight.DiscoveredAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	fmt.Fprintf(&b, "- promotion %s, asked for by %s\n", codeSpan(string(d.Promotion.ID)), codeSpan(d.Promotion.Actor))
	for _, move := range d.Promotion.Moves {
		fmt.Fprintf(&b, "- %s in %s: %s → %s\n", codeSpan(move.Key), codeSpan(move.File), codeSpan(move.Before), codeSpan(move.After))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// StatusTable writes the stages as a Markdown table.
func StatusTable(stages []StageStatus) string {
	var b strings.Builder
	b.WriteString("|  | stage | runs | next | why |\n|---|---|---|---|---|\n")
	for _, s := range stages {
		next := cellSpan(s.Next)
		if s.Change != 0 {
			next += " in " + changeLink(s.Change, s.URL)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", sign(s.Verdict), cellSpan(s.Stage.String()), cellSpan(s.Runs), next, tableCell(s.Reason))
	}
	return b.String()
}

// changeLink names a change in Markdown. Forges write numbers of changes each in a way of its own, so it is a link, where its address
// cannot be mistaken for something else.
func changeLink(number int, address string) string {
	name := fmt.Sprintf("change %d", number)
	odd := strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("()<>[]|`\"'\\", r) })
	if odd || !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return name
	}
	return "[" + name + "](" + address + ")"
}

// Outcome is how a delivery ended, for the note on its change.
type Outcome struct {
	Promotion Promotion
	Freight   Freight
	Pipeline  Pipeline // of the promotion's project
}

// DescribeOutcome writes the note that ends a promotion: how it went and what opens next.
func DescribeOutcome(o Outcome) string {
	var b strings.Builder
	name, stage := codeSpan(o.Freight.Label()), codeSpan(o.Promotion.Stage.String())
	if o.Promotion.Phase == PhaseSucceeded {
		fmt.Fprintf(&b, "✅ %s is verified in %s", name, stage)
		if o.Promotion.Merged != "" {
			fmt.Fprintf(&b, " at commit %s", codeSpan(o.Promotion.Merged.Short()))
		}
		b.WriteString(".\n")
	} else {
		fmt.Fprintf(&b, "❌ %s did not arrive in %s: %s\n", name, stage, tableCell(o.Promotion.Message))
	}
	listed := false
	for _, result := range o.Promotion.Results {
		if result.Message != "" && result.Status != StepSkipped {
			fmt.Fprintf(&b, "\n- %s: %s", codeSpan(kindOf(o.Promotion, result)), tableCell(result.Message))
			listed = true
		}
	}
	if listed {
		b.WriteString("\n")
	}
	if o.Promotion.Phase != PhaseSucceeded {
		fmt.Fprintf(&b, "\nComment %s to try again.\n", codeSpan("/promote "+o.Promotion.Stage.Name))
		return b.String()
	}
	for _, next := range o.Pipeline.Downstream(o.Promotion.Stage.Name) {
		if o.Pipeline.AutoPromoted(next) {
			fmt.Fprintf(&b, "\nNext: %s, proposed automatically.\n", codeSpan(next.Name))
		} else {
			fmt.Fprintf(&b, "\nNext: %s waits for a person: comment %s.\n", codeSpan(next.Name), codeSpan("/promote "+next.Name))
		}
	}
	return b.String()
}

// kindOf names a step for people: what it uses says more than what it is called.
func kindOf(p Promotion, result StepResult) string {
	for _, step := range p.Steps {
		if step.As == result.As {
			return step.Uses
		}
	}
	return result.As
}
