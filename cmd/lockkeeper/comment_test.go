package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestCommands(t *testing.T) {
	b, change := proposed(t)
	developer := b.actor("dora", devforge.AccessDeveloper)
	reporter, reader := b.actor("rob", devforge.AccessReporter), b.actor("ria", devforge.AccessReporter)
	for _, tt := range []struct {
		name    string
		by      *actor
		text    string
		reacts  []string
		answers []string
		holds   int
	}{
		{"help lists every command", developer, "/help", []string{"eyes", "thumbsup"}, []string{"| `/promote [stage] [version]` | write |", "`/resume [stage]`"}, 0},
		{"status shows every stage", reporter, "/status", []string{"eyes", "thumbsup"}, []string{devStage, prodStage, "1.0.2` in [change 1](http"}, 0},
		{"an unknown command is answered with the nearest", developer, "/promot", []string{"eyes", "thumbsdown"}, []string{"no command `/promot`", "Did you mean `/promote`?"}, 0},
		{"a reader may not hold", reader, "/hold", []string{"eyes", "thumbsdown"}, []string{"`/hold` needs write permission", "`ria` has read"}, 0},
		{"hold with one word of reason", developer, "/hold freeze", []string{"eyes", "thumbsup"}, []string{"on hold"}, 1},
		{"a hold is lifted", developer, "/resume", []string{"eyes", "thumbsup"}, []string{"goes on"}, 0},
		{"hold in the middle of a text", developer, "Wait, please.\n\n/hold frontend-dev-stage the database first", []string{"eyes", "thumbsup"}, []string{"/resume"}, 1},
		{"a merge is not promised while on hold", developer, "/promote", []string{"eyes", "thumbsdown"}, []string{"held by dora"}, 1},
		{"resume", developer, "/resume frontend-dev-stage", []string{"eyes", "thumbsup"}, []string{"goes on"}, 0},
		{"a comment that is no command", developer, "Looks good to me, /help or not", nil, nil, 0},
		{"a command in a code block", developer, "```\n/hold\n```", nil, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := b.notes(change.Number)
			event := tt.by.comment(change.Number, tt.text)
			outcome := b.run(event, event) // a delivery that came twice is one comment
			if diff := cmp.Diff(tt.reacts, b.reactions(change.Number, event.Comment.ID)); diff != "" {
				t.Errorf("reactions: %s", diff)
			}
			answers := b.notes(change.Number)[len(before):]
			if want := min(1, len(tt.answers)); len(answers) != want {
				t.Fatalf("%d answers, want %d: %q", len(answers), want, answers)
			}
			for _, answer := range answers {
				contains(t, answer, tt.answers...)
			}
			if len(outcome.State.History.Holds) != tt.holds {
				t.Errorf("holds: %+v", outcome.State.History.Holds)
			}
			if again := b.run(event); len(again.Applied) != 0 {
				t.Errorf("it is answered again: %v", again.Applied)
			}
		})
	}
}

func TestCommentsThatDoNotCount(t *testing.T) {
	b, change := proposed(t)
	bot := &actor{bed: b, name: worldBot, token: worldToken, id: b.forge.CreateUser(worldBot, worldToken).ID}
	notes := fmt.Sprintf("merge_requests/%d/notes/", change.Number)
	for _, tt := range []struct {
		name string
		make func() promote.Event
	}{
		{"by the bot itself", func() promote.Event { return bot.comment(change.Number, "/hold") }},
		{"deleted before it was read", func() promote.Event {
			event := b.you.comment(change.Number, "/hold")
			b.you.do(http.MethodDelete, notes+strconv.Itoa(event.Comment.ID), nil)
			return event
		}},
		{"edited before it was read", func() promote.Event {
			event := b.you.comment(change.Number, "/hold")
			b.you.do(http.MethodPut, notes+strconv.Itoa(event.Comment.ID), url.Values{"body": {"never mind"}})
			return event
		}},
		{"that nobody wrote", func() promote.Event {
			return promote.Event{Kind: promote.EventComment, Change: change.Number, Comment: promote.Comment{
				ID: 9999, Change: change.Number, AuthorID: b.you.id, Author: worldPerson, Body: "/hold",
			}}
		}},
		{"on a change that is not there", func() promote.Event {
			return promote.Event{Kind: promote.EventComment, Change: 77, Comment: promote.Comment{
				ID: 9999, Change: 77, AuthorID: b.you.id, Author: worldPerson, Body: "/hold",
			}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			outcome := b.run(tt.make())
			if len(outcome.Applied) != 0 || len(outcome.State.History.Holds) != 0 {
				t.Errorf("applied %v, holds %v", outcome.Applied, outcome.State.History.Holds)
			}
		})
	}
}

func TestStrangerIsRefused(t *testing.T) {
	b, change := proposed(t)
	mallory := b.actor("mallory", devforge.AccessDeveloper)
	event := mallory.comment(change.Number, "/promote")
	b.actor("mallory", 0) // no member any more when the comment is read
	outcome := b.run(event)
	if len(outcome.State.History.Requests) != 0 {
		t.Errorf("requests: %+v", outcome.State.History.Requests)
	}
	if diff := cmp.Diff([]string{"eyes", "thumbsdown"}, b.reactions(change.Number, event.Comment.ID)); diff != "" {
		t.Error(diff)
	}
	contains(t, b.notes(change.Number)[0], "needs write permission", "`mallory` has none")
	if all := b.mergeRequests(); all[0].State != "opened" {
		t.Errorf("it is %s", all[0].State)
	}
}
