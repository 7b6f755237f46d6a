package devforge

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
)

// GitLab obeys lines such as "/close" in a note or description, with the rights of its author (doc/user/project/quick_actions.md). A bot that
// repeats what somebody else wrote must not fall for it, so this forge obeys as well. Only what such an accident would do to a
// merge request is here; unknown words stay text.
var quickActions = []string{"close", "reopen", "draft", "ready", "approve", "merge"}

// splitQuickActions takes the quick actions out of a note. Lines in code fences, indented code, quotes and folds are text.
func splitQuickActions(body string) (text string, actions []string) {
	var kept []string
	fence := ""
	for line := range strings.SplitSeq(body, "\n") {
		mark := fenceMark(line)
		switch {
		case fence == "" && mark != "":
			fence = mark
		case fence != "" && strings.HasPrefix(mark, fence) && strings.Trim(line, " `~\r") == "":
			fence = ""
		case fence == "":
			if word, ok := strings.CutPrefix(strings.TrimRight(line, " \r"), "/"); ok && slices.Contains(quickActions, word) {
				actions = append(actions, word)
				continue
			}
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n"), actions
}

func fenceMark(line string) string {
	line = strings.TrimLeft(line, " ")
	for _, c := range "`~" {
		if n := len(line) - len(strings.TrimLeft(line, string(c))); n >= 3 {
			return line[:n]
		}
	}
	return ""
}

type commandsEntity struct {
	CommandsChanges map[string]string `json:"commands_changes"`
	Summary         []string          `json:"summary"`
}

// orders are the quick actions of one note.
type orders struct {
	project *project
	request *mergeRequest
	by      *User
	actions []string
	head    string // which "/merge" must name
}

// obey does the quick actions that the user may do and says what was done.
func (f *Forge) obey(ctx context.Context, o orders) ([]string, error) {
	var done []string
	p, m, u := o.project, o.request, o.by
	mayEdit := p.level(u) >= AccessDeveloper || m.Author == u.ID
	for _, action := range o.actions {
		var err error
		next := *m
		switch {
		case action == "merge" && o.head != "" && m.State == stateOpened:
			err = f.accept(ctx, p, m, u, mergeArgument{SHA: o.head, Squash: m.Squash, RemoveSource: m.RemoveSource})
			done = append(done, "Merged this merge request.")
		case !mayEdit:
			continue
		case action == "close" && m.State == stateOpened:
			err = f.close(ctx, p, m, u)
			done = append(done, "Closed this merge request.")
		case action == "reopen" && m.State == stateClosed:
			err = f.reopen(ctx, p, m, u)
			done = append(done, "Reopened this merge request.")
		case action == "draft" && !m.draft():
			next.Title = "Draft: " + m.Title
			err = f.edit(ctx, p, m, next, u)
			done = append(done, "Marked this merge request as a draft.")
		case action == "ready" && m.draft():
			next.Title = strings.TrimSpace(m.Title[len("draft:"):])
			err = f.edit(ctx, p, m, next, u)
			done = append(done, "Marked this merge request as ready.")
		case action == "approve" && !slices.Contains(m.Approvers, u.ID):
			err = f.approve(ctx, p, m, u)
			done = append(done, "Approved the current merge request.")
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// noteAfterActions is what of a note remains after its quick actions; the reply is set when nothing does.
func (c *call) noteAfterActions(m *mergeRequest, body string) (string, *reply, error) {
	text, actions := splitQuickActions(body)
	if len(actions) == 0 {
		return body, nil, nil
	}
	head, err := c.params.text("merge_request_diff_head_sha") // without it "/merge" does nothing (doc/api/notes.md)
	if err != nil {
		return "", nil, err
	}
	done, err := c.forge.obey(c.Context(), orders{project: c.project, request: m, by: c.user, actions: actions, head: head})
	if err != nil {
		return "", nil, err
	}
	if strings.TrimSpace(text) != "" {
		return text, nil, nil
	}
	if len(done) == 0 {
		done = []string{cmp.Or(strings.Join(actions, ", "), "nothing") + ": could not be applied"}
	}
	return "", &reply{http.StatusAccepted, commandsEntity{CommandsChanges: map[string]string{}, Summary: done}}, nil
}
