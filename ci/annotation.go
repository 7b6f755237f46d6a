package ci

import (
	"fmt"
	"io"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// maxAnnotations is what GitHub shows of each kind in one step.
const maxAnnotations = 10

// Annotate writes findings as workflow commands of GitHub Actions, which shows them at their lines
// (https://docs.github.com/actions/reference/workflow-commands-for-github-actions). GitHub shows ten of each
// kind in a step; no more are written.
func Annotate(w io.Writer, findings []promote.Finding) error {
	written := map[promote.Severity]int{}
	for _, f := range findings {
		written[f.Severity]++
		if written[f.Severity] > maxAnnotations {
			continue
		}
		if _, err := io.WriteString(w, workflowCommand(f)); err != nil {
			return err
		}
	}
	return nil
}

// workflowCommand is one line that nothing in the finding can end. Its text, which the runner shows in the log, is inert there, too.
func workflowCommand(f promote.Finding) string {
	kind := map[promote.Severity]string{promote.SeverityError: "error", promote.SeverityWarning: "warning"}[f.Severity]
	if kind == "" {
		kind = "notice"
	}
	var place []string
	add := func(key, value string) { place = append(place, key+"="+commandProperty.Replace(value)) }
	if f.Position.File != "" {
		add("file", f.Position.File)
		if f.Position.Line > 0 {
			add("line", fmt.Sprint(f.Position.Line))
		}
		if f.Position.Column > 0 {
			add("col", fmt.Sprint(f.Position.Column))
		}
	}
	if f.Code != "" {
		add("title", f.Code)
	}
	text := f.Message
	if f.Remedy != "" {
		text += "; " + f.Remedy
	}
	return "::" + strings.TrimSpace(kind+" "+strings.Join(place, ",")) + "::" + commandData.Replace(InertText(text)) + "\n"
}

// What ends a command, or a property of one, is written as GitHub's own toolkit does.
var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
