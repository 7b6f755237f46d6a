package step

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func by(names ...string) []promote.Approval {
	var all []promote.Approval
	for _, name := range names {
		all = append(all, promote.Approval{By: name, Stage: promote.StageRef{Project: "develop", Name: "dev"}})
	}
	return all
}

func TestWaitForApproval(t *testing.T) {
	groups := func(_ context.Context, group, person string) (bool, error) {
		if group == "gone" {
			return false, errors.New("404")
		}
		return group == "acme/leads" && person == "lea", nil
	}
	for _, test := range []struct {
		name      string
		config    string
		approvals []promote.Approval
		later     time.Duration
		want      string // output, when it is done
		says      string // part of the message otherwise
		fails     bool
	}{
		{"nobody yet", `{}`, nil, 0, "", "waits for approval by somebody: comment `/admit dev`", false},
		{"anybody", `{}`, by("ann"), 0, `{"approvedBy":["ann"]}`, "", false},
		{"not who asked", `{}`, by("otto"), 0, "", "otto asked for the promotion and does not count", false},
		{"not who asked, in another spelling", `{}`, by("@Otto"), 0, "", "waits", false},
		{"two different people", `{minimum: 2}`, by("ann", "bob"), 0, `{"approvedBy":["ann","bob"]}`, "", false},
		{"one person twice", `{minimum: "2"}`, by("ann", "ann", "Ann"), 0, "", "1 of 2 are there: comment `/admit dev` as somebody (approved by ann)", false},
		{"not one of the approvers", `{approvers: [bob]}`, by("ann"), 0, "", "by one of bob", false},
		{"one of the approvers", `{approvers: [bob, ann]}`, by("ann"), 0, `{"approvedBy":["ann"]}`, "", false},
		{"one who says so in a job", `{approvers: [bob]}`, []promote.Approval{{By: "bob", Key: "run-12"}}, 0, "", "by one of bob", false},
		{"a job, where anybody may", `{}`, []promote.Approval{{By: "bob", Key: "run-12"}}, 0, `{"approvedBy":["bob"]}`, "", false},
		{"in a group", `{approvers: ["group:acme/leads"]}`, by("ann", "lea"), 0, `{"approvedBy":["lea"]}`, "", false},
		{"a group that cannot be read", `{approvers: ["group:gone"]}`, by("ann"), 0, "", `members of group "gone": 404`, true},
		{"in time", `{timeout: 1h}`, nil, 59 * time.Minute, "", "waits", false},
		{"too late", `{timeout: 1h}`, nil, time.Hour, "", "not approved within 1h0m0s", true},
		{"too late does not matter once it is approved", `{timeout: 1h}`, by("ann"), time.Hour, `{"approvedBy":["ann"]}`, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := alone(t, World{InGroup: groups}, "[{uses: wait-for-approval, as: ok, config: "+test.config+"}]")
			request.Promotion.Actor = "otto"
			if test.later > 0 {
				request = again(t, request, run1(t, request), test.later)
			}
			request.Approvals = test.approvals
			result := run1(t, request)
			last := result.Results[len(result.Results)-1]
			if result.Failed != test.fails || !strings.Contains(last.Message, test.says) {
				t.Fatalf("failed is %t: %q, want %q", result.Failed, last.Message, test.says)
			}
			if string(last.Output) != test.want {
				t.Errorf("output %s, want %s", last.Output, test.want)
			}
			if waits := result.Wait == promote.WaitsApproval; waits != (test.want == "" && !test.fails) {
				t.Errorf("waits for %q", result.Wait)
			}
		})
	}
}

func TestAnApprovalWithATimeoutIsLookedAtInTime(t *testing.T) {
	request := alone(t, World{}, "[{uses: wait-for-approval, as: ok, config: {timeout: 1h}}]")
	result := run1(t, again(t, request, run1(t, request), 10*time.Minute))
	if result.Wait != promote.WaitsApproval || result.Next != 50*time.Minute {
		t.Errorf("waits for %q, next after %s", result.Wait, result.Next)
	}
}

// channels keeps what was sent.
type channels struct {
	sent []Message
	err  error
}

func (c *channels) Channels() []string { return []string{"ops", "releases"} }

func (c *channels) Send(_ context.Context, m Message) error {
	c.sent = append(c.sent, m)
	return c.err
}

func TestSendMessage(t *testing.T) {
	for _, test := range []struct {
		name   string
		config string
		err    error
		sent   int
		fails  string
	}{
		{"a message", `{channel: ops, title: New, message: "promoted ${{ ctx.promotion }}"}`, nil, 1, ""},
		{"in Kargo's spelling", `{slack: {channel: ops}, message: "promoted dev.0001.abc"}`, nil, 1, ""},
		{"no channel", `{message: x}`, nil, 0, "config.channel is missing"},
		{"another channel", `{channel: op, message: x}`, nil, 0, `did you mean "ops"?`},
		{"nothing to say", `{channel: ops, message: " "}`, nil, 0, "config.message is missing"},
		{"too much to say", `{channel: ops, message: "` + strings.Repeat("x", maxMessage+1) + `"}`, nil, 0, "at most 16384"},
		{"nobody listens", `{channel: ops, message: x}`, errors.New("503"), 1, `message to channel "ops": 503`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &channels{err: test.err}
			result, _ := finish(t, alone(t, World{Messages: c}, "[{uses: send-message, as: tell, config: "+test.config+"}]"))
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("%q, want %q", result.Message, test.fails)
			}
			if len(c.sent) != test.sent {
				t.Fatalf("%d messages, want %d", len(c.sent), test.sent)
			}
			if test.fails == "" && c.sent[0].Text != "promoted dev.0001.abc" {
				t.Errorf("sent %+v", c.sent[0])
			}
		})
	}
}

func TestAMessageIsSentOnce(t *testing.T) {
	c := &channels{}
	request := alone(t, World{Messages: c}, `
- {uses: send-message, as: one, config: {channel: ops, message: one}}
- {uses: send-message, as: two, config: {channel: releases, message: two}}`)
	result, runs := finish(t, request)
	if result.Failed || runs != 3 {
		t.Fatalf("%q after %d runs", result.Message, runs)
	}
	about := MessageContext{Project: "develop", Stage: "dev", Promotion: "dev.0001.abc", Freight: "f1f2f3f4"}
	want := []Message{{Channel: "ops", Text: "one", Context: about}, {Channel: "releases", Text: "two", Context: about}}
	if diff := cmp.Diff(want, c.sent); diff != "" {
		t.Error(diff)
	}
}

// notes keeps comments by their mark.
type notes map[string]string

func (n notes) Comment(_ context.Context, change int, mark, body string) error {
	if change == 13 {
		return errors.New("404")
	}
	n[mark] = body
	return nil
}

func TestAddComment(t *testing.T) {
	for _, test := range []struct {
		name   string
		config string
		change int
		fails  string
	}{
		{"on the promotion's change", `{body: hello}`, 7, ""},
		{"on another change", `{body: hello, number: "8"}`, 0, ""},
		{"before there is a change", `{body: hello}`, 0, "no change yet"},
		{"nothing to say", `{}`, 7, "config.body is missing"},
		{"in another repository", `{body: hello, repoURL: "https://u:p@other/x"}`, 7, `config.repoURL is "https://other/x"`},
		{"on a change that is gone", `{body: hello, number: 13}`, 7, "comment on change 13: 404"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := notes{}
			request := alone(t, World{Comments: n}, "[{uses: add-comment, as: say, config: "+test.config+"}]")
			request.Change.Number = test.change
			result := run1(t, request)
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("%q, want %q", result.Message, test.fails)
			}
			if want := (notes{"<!-- lockkeeper:comment:develop/dev.0001.abc/say -->": "hello"}); test.fails == "" {
				if diff := cmp.Diff(want, n); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
