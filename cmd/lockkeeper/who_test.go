package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// groups lets the forge have groups with members, which the in-process one has not.
func (b *bed) groups(members map[string][]string) {
	b.t.Helper()
	if b.github {
		for name, people := range members {
			org, slug, _ := strings.Cut(name, "/")
			if err := b.forge.CreateTeam(org, slug, people...); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	b.wire.replace = func(r *http.Request) *http.Response {
		rest, isGroup := strings.CutPrefix(r.URL.Path, "/api/v4/groups/")
		if !isGroup {
			return nil
		}
		names, known := members[strings.TrimSuffix(rest, "/members/all")]
		if !known {
			return answer(r, http.StatusNotFound, `{"message":"404 Group Not Found"}`)
		}
		var found []string
		for i, name := range names {
			found = append(found, fmt.Sprintf(`{"id":%d,"username":%q,"state":"active","access_level":30}`, 1000+i, name))
		}
		return answer(r, http.StatusOK, "["+strings.Join(found, ",")+"]")
	}
}

// lastNote is the bot's last word on a change.
func (b *bed) lastNote(number int) string {
	b.t.Helper()
	notes := b.notes(number)
	if len(notes) == 0 {
		return ""
	}
	return notes[len(notes)-1]
}

// words is a note without the marks that it begins with.
func words(note string) string {
	var b strings.Builder
	for line := range strings.Lines(note) {
		if !strings.HasPrefix(line, "<!-- lockkeeper:") {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestRulesSayWhoMayCommand(t *testing.T) {
	t.Parallel()
	onBothForges(t, rulesSayWhoMayCommand)
}

func rulesSayWhoMayCommand(t *testing.T, b *bed) {
	acme := "acme"
	if b.github {
		acme, _, _ = strings.Cut(worldProject, "/") // an App sees the teams of who installed it
	}
	b.commit("main", map[string]string{
		"lockkeeper.yaml": "commands:\n- stages: [develop/frontend-dev-stage]\n  verbs: [hold, resume]\n  users: [dora]\n- stages: [develop/frontend-prod-stage]\n  teams: [" + acme + "/release]\n  codeowners: true\n",
		"CODEOWNERS":      "* @nobody\n/production/ @olga @" + acme + "/ops\n",
	})
	b.adopt()
	change := b.propose("1.0.2")
	actors := map[string]*actor{}
	for _, name := range []string{"dora", "rita", "otto", "olga", "paul"} {
		actors[name] = b.actor(name, devforge.AccessDeveloper)
	}
	actors["lena"] = b.actor("lena", devforge.AccessOwner)
	b.groups(map[string][]string{acme + "/release": {"rita"}, acme + "/ops": {"otto"}})
	for _, tt := range []struct {
		by, text string
		answer   string
		holds    int
	}{
		{"dora", "/hold", "`develop/frontend-dev-stage` is on hold", 1},
		{"dora", "/resume", "`develop/frontend-dev-stage` goes on.", 0},
		{"paul", "/hold", "`/hold` on `develop/frontend-dev-stage` is for `dora`; `paul` is none of them (lockkeeper.yaml:2).", 0},
		{"lena", "/hold", "`lena` is none of them", 0},
		{"rita", "/hold frontend-prod-stage", "is on hold", 1},
		{"rita", "/resume frontend-prod-stage", "goes on", 0},
		{"otto", "/hold frontend-prod-stage", "is on hold", 1},
		{"otto", "/resume frontend-prod-stage", "goes on", 0},
		{"olga", "/hold frontend-prod-stage", "is on hold", 1},
		{"olga", "/resume frontend-prod-stage", "goes on", 0},
		{"dora", "/hold frontend-prod-stage", "is for members of `" + acme + "/release`, owners of all files that the stage writes; `dora` is none of them (lockkeeper.yaml:5). `" +
			prodFile + "` is owned by `@olga`, `@" + acme + "/ops`.", 0},
	} {
		outcome := b.run(actors[tt.by].comment(change.Number, tt.text))
		contains(t, b.lastNote(change.Number), tt.answer)
		if len(outcome.State.History.Holds) != tt.holds {
			t.Errorf("%s by %s: holds %+v", tt.text, tt.by, outcome.State.History.Holds)
		}
	}
}

// Who owns what a stage writes is known before it ever promoted, while it proposes, and when there is nothing to do.
func TestOwnersOfAStageInEveryState(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.commit("main", map[string]string{
		"lockkeeper.yaml": "commands: [{codeowners: true}]\n", "CODEOWNERS": "/develop/ @dora\n/production/ @olga\n",
	})
	dora, olga := b.actor("dora", devforge.AccessDeveloper), b.actor("olga", devforge.AccessDeveloper)
	b.branch("work", "1.0.1", "1.0.9")
	number := dora.open("work", "main", "Work")
	tries := func(state string) {
		t.Helper()
		for _, stage := range []string{"frontend-dev-stage", "frontend-prod-stage"} {
			by, other, file := dora, olga, devFile
			if stage == "frontend-prod-stage" {
				by, other, file = olga, dora, prodFile
			}
			b.run(other.comment(number, "/hold "+stage))
			contains(t, b.lastNote(number), "`"+other.name+"` is none of them", "`"+file+"` is owned by `@"+by.name+"`")
			b.run(by.comment(number, "/hold "+stage))
			if contains(t, b.lastNote(number), "is on hold"); t.Failed() {
				t.Fatal(state)
			}
			b.run(by.comment(number, "/resume "+stage))
		}
	}
	tries("nothing was promoted yet")
	b.adopt()
	b.ahead = 20 * time.Minute
	tries("nothing to do")
	b.propose("1.0.2")
	b.ahead = 40 * time.Minute
	tries("a proposal is open")
}

// A change cannot bring its own rules, and rules that cannot be read let nobody in.
func TestRulesAreThoseOfTheDefaultBranch(t *testing.T) {
	b, change := proposed(t)
	dora := b.actor("dora", devforge.AccessDeveloper)
	b.commit("main", map[string]string{"lockkeeper.yaml": "commands: [{users: [paul]}]\n"})
	b.commit("lockkeeper/"+devStage, map[string]string{"lockkeeper.yaml": "commands: [{users: [dora]}]\n"})
	b.run(dora.comment(change.Number, "/hold"))
	contains(t, b.lastNote(change.Number), "is for `paul`; `dora` is none of them")
	b.commit("main", map[string]string{"lockkeeper.yaml": "commands: [{usres: [paul]}]\n"})
	outcome := b.run(dora.comment(change.Number, "/hold"))
	contains(t, b.lastNote(change.Number), "needs admin permission in this repository; `dora` has write (lockkeeper.yaml is wrong, and its rules are not known)")
	if len(outcome.State.History.Holds) != 0 {
		t.Errorf("holds: %+v", outcome.State.History.Holds)
	}
}

func TestWhatTheForgeDoesNotSayIsNoPermission(t *testing.T) {
	b, change := proposed(t)
	for _, broken := range []string{"/members/all/" + strconv.Itoa(b.you.id), "/groups/"} {
		b.loop.Forget()
		b.commit("main", map[string]string{"lockkeeper.yaml": "commands: [{teams: [acme/release]}]\n"})
		b.wire.answer(func(r *http.Request) bool { return strings.Contains(r.URL.Path, broken) }, http.StatusForbidden, `{"message":"403 Forbidden"}`)
		before := len(b.notes(change.Number))
		event := b.you.comment(change.Number, "/hold")
		for range 2 {
			outcome, err := b.loop.Run(t.Context(), reconcile.Options{Events: []promote.Event{event}})
			if err == nil || len(outcome.State.History.Holds) != 0 {
				t.Fatalf("%s: error %v, holds %+v", broken, err, outcome.State.History.Holds)
			}
		}
		if diff := cmp.Diff([]string{"It could not be found out whether `you` may do that, so nothing was done. It is tried again."}, said(b.notes(change.Number)[before:])); diff != "" {
			t.Fatalf("%s: %s", broken, diff)
		}
		b.groups(map[string][]string{"acme/release": {worldPerson}})
		if holds := b.run(event).State.History.Holds; len(holds) != 1 {
			t.Errorf("%s: holds %+v when it is known", broken, holds)
		}
		if notes := said(b.notes(change.Number)[before:]); len(notes) != 1 || !strings.Contains(notes[0], "is on hold") {
			t.Errorf("%s: %q", broken, notes)
		}
		b.run(b.you.comment(change.Number, "/resume"))
	}
}

func said(notes []string) []string {
	var out []string
	for _, note := range notes {
		out = append(out, words(note))
	}
	return out
}

func TestWhatTheForgeSaidCountsForAMinute(t *testing.T) {
	b, change := proposed(t)
	dora := b.actor("dora", devforge.AccessDeveloper)
	asked := func() int {
		count := 0
		for _, call := range b.wire.sent {
			if strings.Contains(call, "/members/all/"+strconv.Itoa(dora.id)) {
				count++
			}
		}
		return count
	}
	b.run(dora.comment(change.Number, "/hold"))
	b.run(dora.comment(change.Number, "/resume"))
	if asked() != 1 {
		t.Errorf("asked %d times within a minute", asked())
	}
	b.actor("dora", devforge.AccessReporter)
	b.ahead = 61 * time.Second
	if holds := b.run(dora.comment(change.Number, "/hold")).State.History.Holds; len(holds) != 0 || asked() != 2 {
		t.Errorf("holds %+v after %d questions", holds, asked())
	}
}

func TestWhoGivesTooManyCommandsIsToldOnce(t *testing.T) {
	b, change := proposed(t)
	var events []promote.Event
	for range 25 {
		events = append(events, b.you.comment(change.Number, "/hold"))
	}
	b.run(events...)
	notes := b.notes(change.Number)
	if len(notes) != 21 {
		t.Fatalf("%d answers, want 20 and a last one", len(notes))
	}
	contains(t, notes[20], "gave more than 20 commands within 10 minutes")
	b.run(events...)
	if again := b.notes(change.Number); len(again) != 21 {
		t.Errorf("%d answers after the same events came again", len(again))
	}
	b.ahead = 11 * time.Minute
	b.run(b.you.comment(change.Number, "/resume"))
	contains(t, b.lastNote(change.Number), "goes on")
}

// everyVerb are commands that would do something if their author might.
func everyVerb() []string {
	return []string{
		"/promote", "/promote frontend-prod-stage", "/rollback frontend-dev-stage", "/retry", "/admit frontend-prod-stage 1.0.2", "/approve frontend-prod-stage 1.0.2",
		"/reject 1.0.2", "/accept 1.0.2", "/hold", "/resume",
	}
}

// On a public repository everybody may comment, and be as many as they like.
func TestAStrangerCanDoNothing(t *testing.T) {
	proposedOnBothForges(t, aStrangerCanDoNothing)
}

func aStrangerCanDoNothing(t *testing.T, b *bed, change promote.Change) {
	before := b.sweep().State.History
	for i, text := range append(everyVerb(), "/status", "/help", "/nonsense") {
		name := fmt.Sprintf("mallory%d", i)
		stranger := b.actor(name, devforge.AccessDeveloper)
		event := stranger.comment(change.Number, text)
		b.actor(name, 0) // no member, as most of the world
		outcome := b.run(event, event)
		if diff := cmp.Diff(before, outcome.State.History); diff != "" {
			t.Errorf("%s by a stranger: %s", text, diff)
		}
	}
	if notes := b.notes(change.Number); len(notes) != 5 {
		t.Errorf("%d answers to thirteen strangers: %q", len(notes), notes)
	}
}

func TestAReaderHasOneNote(t *testing.T) {
	proposedOnBothForges(t, aReaderHasOneNote)
}

func aReaderHasOneNote(t *testing.T, b *bed, change promote.Change) {
	before := b.sweep().State.History
	reader := b.actor("rob", devforge.AccessReporter)
	var events []promote.Event
	for _, text := range everyVerb() {
		events = append(events, reader.comment(change.Number, text))
		outcome := b.run(events[len(events)-1])
		if diff := cmp.Diff(before, outcome.State.History); diff != "" {
			t.Errorf("%s by a reader: %s", text, diff)
		}
		contains(t, b.lastNote(change.Number), "permission")
	}
	status := reader.comment(change.Number, "/status")
	b.run(status)
	notes := b.notes(change.Number)
	if len(notes) != 1 {
		t.Fatalf("%d answers to a reader: %q", len(notes), notes)
	}
	contains(t, notes[0], "| stage | runs |")
	// What was refused once is over, also when its author may do it by now.
	b.actor("rob", devforge.AccessMaintainer)
	b.loop.Forget()
	if again := b.run(append(events, status)...); len(again.Applied) != 0 {
		t.Errorf("old comments are obeyed: %v", again.Applied)
	}
}

func TestMarksOfOthersSayNothing(t *testing.T) {
	proposedOnBothForges(t, marksOfOthersSayNothing)
}

func marksOfOthersSayNothing(t *testing.T, b *bed, change promote.Change) {
	dora := b.actor("dora", devforge.AccessDeveloper)
	event := b.you.comment(change.Number, "/hold")
	dora.comment(change.Number, fmt.Sprintf("<!-- lockkeeper:reply:%d -->\nanswered", event.Comment.ID))
	if holds := b.run(event).State.History.Holds; len(holds) != 1 {
		t.Errorf("a pasted mark keeps the owner from commanding: %+v", holds)
	}
}

func TestOtherBotsDoNotCommand(t *testing.T) {
	b, change := proposed(t)
	robot := b.actor("project_7_bot_0a1b2c", devforge.AccessMaintainer)
	if outcome := b.run(robot.comment(change.Number, "/hold")); len(outcome.Applied) != 0 {
		t.Errorf("obeyed: %v", outcome.Applied)
	}
}

func TestAButtonIsACommand(t *testing.T) {
	proposedOnBothForges(t, aButtonIsACommand)
}

func aButtonIsACommand(t *testing.T, b *bed, change promote.Change) {
	reader := b.actor("rob", devforge.AccessReporter)
	press := func(id int, by *actor, action string, head promote.Commit) promote.Event {
		return promote.Event{Kind: promote.EventComment, Change: change.Number, Comment: promote.Comment{
			ID: id, Change: change.Number, Head: head, AuthorID: by.id, Author: by.name, Action: action, At: time.Now().UTC().Truncate(time.Second),
		}}
	}
	held := press(900001, b.you, "hold", change.Head)
	if holds := b.run(held, held).State.History.Holds; len(holds) != 1 {
		t.Errorf("holds %+v", holds)
	}
	if again := b.run(held); len(again.Applied) != 0 || len(b.notes(change.Number)) != 1 {
		t.Errorf("a delivery that came again: %v", again.Applied)
	}
	b.run(press(900002, b.you, "resume", change.Head))
	if outcome := b.run(press(900003, reader, "promote", change.Head)); len(outcome.State.History.Requests) != 0 {
		t.Errorf("a reader's button counts: %+v", outcome.State.History.Requests)
	}
	contains(t, b.lastNote(change.Number), "`/promote` needs write permission", "`rob` has read")
	if outcome := b.run(press(900004, b.you, "promote", "0123456789012345678901234567890123456789")); len(outcome.State.History.Requests) != 0 {
		t.Errorf("a button of another head counts: %+v", outcome.State.History.Requests)
	}
	contains(t, b.lastNote(change.Number), "the proposal was made again since")
}

// fromFork lets a change come from another repository, as far as the loop can see.
func (b *bed) fromFork(number int) {
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	b.wire.replace = func(r *http.Request) *http.Response {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/merge_requests") {
			return nil
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil
		}
		_ = response.Body.Close()
		parts := bytes.Split(body, []byte(fmt.Sprintf(`"iid":%d,`, number)))
		for i := 1; i < len(parts); i++ {
			parts[i] = bytes.Replace(parts[i], []byte(`"source_project_id":1`), []byte(`"source_project_id":77`), 1)
		}
		body = bytes.Join(parts, []byte(fmt.Sprintf(`"iid":%d,`, number)))
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		response.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return response
	}
}

// forked opens a change of somebody's fork that looks like a promotion, and returns its number.
func (b *bed) forked(by *actor, branch string) int {
	b.t.Helper()
	const title = "Promote 6.6.6 to production"
	if b.github {
		number, err := b.forge.OpenFromFork(b.t.Context(), worldProject, devforge.Fork{
			Owner: by.name, Branch: branch, Title: title, Files: map[string]string{prodFile: strings.ReplaceAll(b.text("main", prodFile), "1.0.1", "6.6.6")},
		})
		if err != nil {
			b.t.Fatal(err)
		}
		b.you.hub(http.MethodPost, fmt.Sprintf("issues/%d/labels", number), map[string]any{"labels": []string{promote.ChangeLabel}}, nil)
		return number
	}
	b.branch(branch, "1.0.1", "6.6.6")
	number := by.open(branch, "main", title)
	by.set(number, "labels", promote.ChangeLabel)
	b.fromFork(number)
	return number
}

func TestAForksChangePromotesNothing(t *testing.T) {
	t.Parallel()
	onBothForges(t, aForksChangePromotesNothing)
}

func aForksChangePromotesNothing(t *testing.T, b *bed) {
	b.adopt()
	dora := b.actor("dora", devforge.AccessDeveloper)
	branch := "lockkeeper/" + prodStage
	number := b.forked(dora, branch)
	before := b.sweep()
	if slices.ContainsFunc(before.State.Changes, func(c promote.Change) bool { return c.Number == number }) {
		t.Fatalf("the fork's change is taken for a promotion: %+v", before.State.Changes)
	}
	outcome := b.run(b.you.comment(number, "/promote"))
	contains(t, b.lastNote(number), "Nothing says which stage")
	if diff := cmp.Diff(before.State.History, outcome.State.History); diff != "" {
		t.Error(diff)
	}
	for _, request := range b.mergeRequests() {
		if request.State != "opened" && request.Source == branch {
			t.Errorf("it is %s", request.State)
		}
	}
}

// Everybody may review on some forges, and people lose what they were allowed.
func TestAReviewCountsByWhatItsAuthorMayDoNow(t *testing.T) {
	t.Parallel()
	onBothForges(t, aReviewCountsByWhatItsAuthorMayDoNow)
}

func aReviewCountsByWhatItsAuthorMayDoNow(t *testing.T, b *bed) {
	b.waitsForApproval()
	change := b.propose("1.0.2")
	for _, name := range []string{"dora", "dave"} {
		reviewer := b.actor(name, devforge.AccessDeveloper)
		reviewer.approve(change.Number)
		b.actor(name, devforge.AccessReporter)
	}
	b.sweep()
	if status := b.status(change.Head); strings.HasPrefix(status, "success") {
		t.Errorf("the status is %q by reviews of people who may only read", status)
	}
	b.actor("dora", devforge.AccessDeveloper)
	b.ahead = 2 * time.Minute
	b.sweep()
	if status := b.status(change.Head); !strings.HasPrefix(status, "success") {
		t.Errorf("the status is %q by the review of somebody who may write", status)
	}
}

// waitsForApproval has promotions wait for an approval once they are proposed.
func (b *bed) waitsForApproval() {
	b.t.Helper()
	task := b.text("main", "kargo/promotion-task.yaml")
	asks := strings.Replace(toTheLetter, "    - uses: git-wait-for-pr\n", "    - uses: wait-for-approval\n      config: {}\n    - uses: git-wait-for-pr\n", 1)
	own := strings.Replace(task, "    - uses: git-push\n      config:\n        path: ./repo\n", asks, 1)
	own = strings.Replace(own, "task.outputs['commit'].commit }}", "task.outputs['wait-for-pr'].commit }}", 1)
	b.commit("main", map[string]string{"kargo/promotion-task.yaml": own})
	b.edit("main", devFile, "1.0.1", "1.0.0")
}

// Newer freight in the same change needs approvals of its own.
func TestAReviewCountsForWhatItWasGiven(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.settings(func(s *devforge.Settings) { s.KeepApprovals = true })
		b.waitsForApproval()
		first := b.propose("1.0.2")
		b.actor("dora", devforge.AccessDeveloper).approve(first.Number)
		second := b.propose("1.0.3")
		if second.Number != first.Number || second.Head == first.Head {
			t.Fatalf("change %d at %s, then change %d at %s", first.Number, first.Head, second.Number, second.Head)
		}
		b.sweep()
		if status := b.status(second.Head); strings.HasPrefix(status, "success") {
			t.Errorf("the status is %q by the review of what was there before", status)
		} else {
			contains(t, status, "the approval by dora was not given to the present commit: approve the change again")
		}
		b.actor("dave", devforge.AccessDeveloper).approve(second.Number)
		b.sweep()
		if status := b.status(second.Head); !strings.HasPrefix(status, "success") {
			t.Errorf("the status is %q by a review of it", status)
		}
	})
}
