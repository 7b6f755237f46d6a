package github

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	annotationsPerRequest = 50
	maxAnnotations        = 200
	maxCheckTitle         = 255   // characters
	maxAnnotationTitle    = 255   // characters
	maxAnnotationText     = 4_000 // bytes; GitHub takes 64 KB, and 50 of them in one request
	externalPrefix        = "lockkeeper/"
)

// The buttons of a check run; GitHub shows three at most. What is pressed comes back as a webhook with the identifier, which is the
// verb of a command, see promote.Comment.
var checkActions = []checkAction{
	{Label: "Try again", Description: "Promote this freight once more", Identifier: "retry"},
	{Label: "Hold", Description: "Keep the stage as it is", Identifier: "hold"},
	{Label: "Status", Description: "Say what every stage runs", Identifier: "status"},
}

type checkAction struct {
	Label       string `json:"label"`       // at most 20 characters
	Description string `json:"description"` // at most 40
	Identifier  string `json:"identifier"`  // at most 20
}

// A checkRun is what we read of a check run.
type checkRun struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	DetailsURL string `json:"details_url"`
	ExternalID string `json:"external_id"`
	Output     struct {
		Title       string `json:"title"`
		Annotations int    `json:"annotations_count"`
	} `json:"output"`
	App struct {
		ID int64 `json:"id"`
	} `json:"app"`
}

func (r checkRun) status() promote.Status {
	out := promote.Status{Name: r.Name, Description: r.Output.Title, URL: r.DetailsURL}
	if r.Status != "completed" {
		return out
	}
	out.State = promote.StatusFailed
	if r.Conclusion == "success" {
		out.State = promote.StatusSuccess
	}
	return out
}

// partial says that annotations are missing which the run was to have: a page of them was refused, or never sent.
func (r checkRun) partial() bool {
	parts := strings.Split(strings.TrimPrefix(r.ExternalID, externalPrefix), "/")
	if len(parts) != 3 {
		return false
	}
	wanted, err := strconv.Atoi(parts[2])
	return err == nil && r.Output.Annotations < min(wanted, maxAnnotations)
}

// findRun looks for our newest check run of a name. Those of other Apps are kept apart by GitHub, and by us.
func (f *Forge) findRun(ctx context.Context, head promote.Commit, name string) (checkRun, bool, error) {
	asked := url.Values{"check_name": {name}, "filter": {"latest"}, "per_page": {strconv.Itoa(perPage)}}
	if f.app != nil {
		asked.Set("app_id", strconv.FormatInt(f.app.id, 10))
	}
	var answer struct {
		CheckRuns []checkRun `json:"check_runs"`
	}
	_, err := f.get(ctx, request{
		name:    "read check run",
		subject: fmt.Sprintf("%q of %s", name, head.Short()),
		path:    f.base + "/commits/" + url.PathEscape(string(head)) + "/check-runs",
		query:   asked,
	}, &answer)
	var newest checkRun
	for _, run := range answer.CheckRuns {
		if strings.EqualFold(run.Name, name) && f.ownRun(run) && run.ID > newest.ID {
			newest = run
		}
	}
	return newest, newest.ID != 0, err
}

func (f *Forge) ownRun(run checkRun) bool {
	if f.app != nil {
		return run.App.ID == f.app.id
	}
	return strings.HasPrefix(run.ExternalID, externalPrefix)
}

// postRun makes the check run of a name on a head say what is posted. A run is changed rather than made anew, with two exceptions:
// one that has ended does not begin again, and annotations can be added to a run but not taken away.
func (f *Forge) postRun(ctx context.Context, posted promote.PostStatus, known post) error {
	wanted := shortened(posted.Status, maxCheckTitle)
	made := post{found: true, stored: wanted, full: posted.Status, run: known.run}
	if known.found && sameStatus(known.stored, wanted) && !known.run.partial() {
		f.remember(posted.Head, made)
		return nil
	}
	run, err := f.writeRun(ctx, posted, wanted, known.run)
	if err != nil {
		f.forget(posted.Head, wanted.Name)
		return err
	}
	made.run = run
	f.remember(posted.Head, made)
	return nil
}

func (f *Forge) forget(head promote.Commit, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.posted, keyOf(head, name))
}

// writeRun sends a run, and then its annotations beyond the first 50, which GitHub takes in pages.
func (f *Forge) writeRun(ctx context.Context, posted promote.PostStatus, wanted promote.Status, old checkRun) (checkRun, error) {
	notes, left := annotations(posted.Annotations)
	external := externalID(posted, notes)
	output := map[string]any{"title": checkTitle(wanted), "summary": summary(posted, left)}
	body := map[string]any{
		"name": wanted.Name, "status": "in_progress", "external_id": external, "output": output, "actions": checkActions,
	}
	if wanted.State != promote.StatusPending {
		body["status"], body["conclusion"] = "completed", statusWord(wanted.State)
	}
	if wanted.URL != "" {
		body["details_url"] = wanted.URL
	}
	again := old.ID != 0 && (old.Status != "completed" || wanted.State != promote.StatusPending) &&
		(old.Output.Annotations == 0 || old.ExternalID == external)
	if again {
		notes = notes[min(old.Output.Annotations, len(notes)):]
	}
	first := notes[:min(len(notes), annotationsPerRequest)]
	if len(first) > 0 {
		output["annotations"] = first
	}
	sent := request{
		name: "post check run", subject: fmt.Sprintf("%q on %s", wanted.Name, posted.Head.Short()), body: body, priority: statusPriority,
		method: http.MethodPost, path: f.base + "/check-runs",
	}
	if again {
		sent.method, sent.path = http.MethodPatch, f.runPath(old.ID)
	} else {
		body["head_sha"] = string(posted.Head)
	}
	var run checkRun
	_, err := f.send(ctx, sent, &run)
	if forge.InDoubt(ctx, err) {
		run, err = f.wroteAlready(ctx, posted.Head, wanted, external, err)
	}
	if err != nil {
		return checkRun{}, err
	}
	return f.annotate(ctx, run, output, notes[len(first):])
}

// wroteAlready looks for a run that was written without the answer arriving.
func (f *Forge) wroteAlready(ctx context.Context, head promote.Commit, wanted promote.Status, external string, refusal error) (checkRun, error) {
	run, found, err := f.findRun(ctx, head, wanted.Name)
	stored := run.status()
	stored.Description = strings.TrimSpace(stored.Description)
	wanted.Description = strings.TrimSpace(checkTitle(wanted))
	if err != nil || !found || run.ExternalID != external || !sameStatus(stored, wanted) {
		return checkRun{}, refusal
	}
	return run, nil
}

// annotate adds the annotations that did not fit into the first request. They are sent once: a page whose answer is lost is looked
// up by how many there are then.
func (f *Forge) annotate(ctx context.Context, run checkRun, output map[string]any, notes []annotation) (checkRun, error) {
	for page := range slices.Chunk(notes, annotationsPerRequest) {
		body := map[string]any{"output": map[string]any{"title": output["title"], "summary": output["summary"], "annotations": page}}
		var now checkRun
		_, err := f.send(ctx, request{
			name:     "annotate check run",
			subject:  strconv.FormatInt(run.ID, 10),
			method:   http.MethodPatch,
			path:     f.runPath(run.ID),
			body:     body,
			priority: commentPriority,
		}, &now)
		if forge.InDoubt(ctx, err) {
			_, lookup := f.get(ctx, request{name: "read check run", subject: strconv.FormatInt(run.ID, 10), path: f.runPath(run.ID)}, &now)
			if lookup == nil && now.Output.Annotations >= run.Output.Annotations+len(page) {
				err = nil
			}
		}
		if err != nil {
			return checkRun{}, err
		}
		run = now
	}
	return run, nil
}

func (f *Forge) runPath(id int64) string { return f.base + "/check-runs/" + strconv.FormatInt(id, 10) }

func checkTitle(status promote.Status) string {
	if status.Description == "" {
		return status.State.String() // GitHub wants a title.
	}
	return status.Description
}

// summary is the text of a run; GitHub wants one.
func summary(posted promote.PostStatus, left int) string {
	text := posted.Summary
	if strings.TrimSpace(text) == "" {
		text = checkTitle(posted.Status)
	}
	if left > 0 {
		text += fmt.Sprintf("\n\n%d more remarks on lines of files are not shown.\n", left)
	}
	return markdown(text)
}

// externalID says what a run was written for, tells its annotations apart from others, and says how many there are of what takes more
// than one request.
func externalID(posted promote.PostStatus, notes []annotation) string {
	var all []byte
	for _, note := range notes {
		all = fmt.Appendf(all, "%q %d %q %q %q\n", note.Path, note.StartLine, note.Level, note.Title, note.Message)
	}
	sum := sha256.Sum256(all)
	id := fmt.Sprintf("%s%d/%s", externalPrefix, posted.Change, hex.EncodeToString(sum[:6]))
	if len(notes) > annotationsPerRequest {
		id += "/" + strconv.Itoa(len(notes))
	}
	return id
}

// An annotation is a remark as GitHub takes it.
type annotation struct {
	Path      string `json:"path"`
	StartLine int    `json:"start_line"`
	EndLine   int    `json:"end_line"`
	Level     string `json:"annotation_level"`
	Title     string `json:"title,omitempty"`
	Message   string `json:"message"`
}

// annotations are remarks as GitHub takes them, and how many were left out because they are too many.
func annotations(given []promote.Annotation) (notes []annotation, left int) {
	for _, one := range given {
		text := forge.CutBytes(strings.ToValidUTF8(one.Message, "\uFFFD"), maxAnnotationText)
		if text == "" {
			text = one.Title
		}
		if one.Path == "" || text == "" {
			continue // GitHub would refuse all of them for it.
		}
		if len(notes) == maxAnnotations {
			left++
			continue
		}
		line := max(1, one.Line)
		notes = append(notes, annotation{
			Path: one.Path, StartLine: line, EndLine: line, Level: annotationLevel(one.Level), Title: forge.CutRunes(one.Title, maxAnnotationTitle), Message: text,
		})
	}
	return notes, left
}

func annotationLevel(level promote.AnnotationLevel) string {
	switch level {
	case promote.AnnotationFailure:
		return "failure"
	case promote.AnnotationWarning:
		return "warning"
	case promote.AnnotationNotice:
	}
	return "notice"
}
