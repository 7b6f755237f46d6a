package doctor

import (
	"testing"
)

func TestWebhook(t *testing.T) {
	whole := Hook{ID: 4, URL: "https://bot.example.com/webhook/gitlab", Events: []string{"note", "push"}, Verify: true, Secret: true, Last: []Delivery{{Event: "push", Status: 200}}}
	with := func(change func(*Webhook, *Hook)) []Finding {
		h := whole
		w := Webhook{
			Forge: GitLab, URL: HookURL("https://bot.example.com/", GitLab), Needed: []string{"push", "note"}, Page: "https://gitlab.example.com/g/r/-/hooks",
			Variable: "LOCKKEEPER_GITLAB_WEBHOOK_TOKEN", Secret: true, Setup: "lockkeeper setup gitlab --project g/r",
		}
		change(&w, &h)
		if w.Hooks == nil {
			w.Hooks = []Hook{{ID: 3, URL: "https://ci.example.com/hook"}, h}
		}
		return w.Findings()
	}
	judge(t, []situation{
		{"it is as it should be", with(func(*Webhook, *Hook) {}), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
ok delivery: GitLab's last delivery (push) answered 200`},
		{"the host is written in capitals", with(func(_ *Webhook, h *Hook) { h.URL = "https://BOT.example.com/webhook/gitlab/" }), `ok webhook: it sends all that is needed to https://BOT.example.com/webhook/gitlab/
ok delivery: GitLab's last delivery (push) answered 200`},
		{"there is none", with(func(w *Webhook, _ *Hook) { w.Hooks = []Hook{{URL: "https://ci.example.com"}} }), `fail webhook: none goes to https://bot.example.com/webhook/gitlab [create the webhook]`},
		{"there is none, and no secret to make it with", with(func(w *Webhook, _ *Hook) { w.Hooks, w.Secret = []Hook{{URL: "https://ci.example.com"}}, false }), `fail webhook secret: LOCKKEEPER_GITLAB_WEBHOOK_TOKEN is not set: webhooks that nobody signed are not taken
fail webhook: none goes to https://bot.example.com/webhook/gitlab`},
		{"that of an App has another address", with(func(w *Webhook, h *Hook) { h.URL, w.App = "https://old.example.com", true }), `fail webhook: that of the App goes elsewhere, not to https://bot.example.com/webhook/gitlab [set the address of the App's webhook]`},
		{"nobody said where we are", with(func(w *Webhook, _ *Hook) { w.URL = "" }), `warn public url: nobody said where this server is reached; a webhook to https://bot.example.com/webhook/gitlab looks like ours
ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
ok delivery: GitLab's last delivery (push) answered 200`},
		{"nobody said where we are, and none looks like ours", with(func(w *Webhook, h *Hook) { w.URL, h.URL = "", "https://ci.example.com" }), `warn public url: nobody said where this server is reached`},
		{"there are two", with(func(w *Webhook, h *Hook) { w.Hooks = []Hook{*h, *h} }), `warn webhook: 2 webhooks go to https://bot.example.com/webhook/gitlab: every event arrives as often
ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
ok delivery: GitLab's last delivery (push) answered 200`},
		{"events are missing", with(func(_ *Webhook, h *Hook) { h.Events = []string{"push"} }), `fail webhook: it does not send Comments [set the webhook's events and verification]
ok delivery: GitLab's last delivery (push) answered 200`},
		{"it sends everything", with(func(_ *Webhook, h *Hook) { h.Events = []string{"*"} }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
ok delivery: GitLab's last delivery (push) answered 200`},
		{"certificates are not verified, pushes are filtered, bodies are forms", with(func(_ *Webhook, h *Hook) { h.Verify, h.Filtered, h.Form = false, "main", true }), `warn webhook: certificates are not verified: whoever is in between reads the events [set the webhook's events and verification]
fail webhook: pushes are sent of branches "main" only [set the webhook's events and verification]
fail webhook: it sends forms, which are not taken [set the webhook's events and verification]
ok delivery: GitLab's last delivery (push) answered 200`},
		{"that of an App lacks an event", with(func(w *Webhook, h *Hook) { w.App, h.Events = true, nil }), `fail webhook: it does not send Push events, Comments
ok delivery: GitLab's last delivery (push) answered 200`},
		{"that of a group above lacks an event, and has another secret", with(func(w *Webhook, h *Hook) {
			w.ByHand, h.Events, h.Secret = true, []string{"push"}, false
		}), `fail webhook: it does not send Comments
fail webhook secret: the webhook has none: its deliveries are refused
ok delivery: GitLab's last delivery (push) answered 200`},
		{"it has no secret", with(func(_ *Webhook, h *Hook) { h.Secret = false }), `fail webhook secret: the webhook has none: its deliveries are refused [set the webhook's secret]
ok delivery: GitLab's last delivery (push) answered 200`},
		{"it was switched off", with(func(_ *Webhook, h *Hook) { h.Disabled = true }), `fail webhook: GitLab sends nothing, because deliveries failed
ok delivery: GitLab's last delivery (push) answered 200`},
		{"nothing was delivered yet", with(func(_ *Webhook, h *Hook) { h.Last = nil }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
skip delivery: nothing was delivered yet`},
		{"the secret is another one", with(func(_ *Webhook, h *Hook) { h.Last = []Delivery{{Event: "note", Status: 401, At: "2026-11-21 11:58"}} }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
fail delivery: GitLab's last delivery (note) answered 401 at 2026-11-21 11:58 [set the webhook's secret]`},
		{"we are not reached", with(func(_ *Webhook, h *Hook) { h.Last = []Delivery{{Event: "note"}} }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
fail delivery: GitLab's last delivery (note) got no answer`},
		{"the server did not run yet", with(func(_ *Webhook, h *Hook) { h.Last = []Delivery{{Event: "ping"}} }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
warn delivery: GitLab's last delivery (ping) got no answer`},
		{"somebody else answers", with(func(_ *Webhook, h *Hook) { h.Last = []Delivery{{Event: "note", Status: 404}} }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
fail delivery: GitLab's last delivery (note) answered 404`},
		{"the server has an accident", with(func(_ *Webhook, h *Hook) { h.Last = []Delivery{{Event: "note", Status: 500}} }), `ok webhook: it sends all that is needed to https://bot.example.com/webhook/gitlab
fail delivery: GitLab's last delivery (note) answered 500`},
		{"it may not be looked at", with(func(w *Webhook, _ *Hook) { w.Err = forbidden }), `skip webhook: it may not be looked at with this token`},
		{"it may not be looked at on GitHub", with(func(w *Webhook, _ *Hook) { w.Forge, w.Err = GitHub, forbidden }), `skip webhook: it may not be looked at with this token`},
		{"it could not be looked at", with(func(w *Webhook, _ *Hook) { w.Err = broken }), `fail webhook: gitlab: list webhooks: HTTP 500: 500`},
	})
}

func TestASecretIsMadeWhereThereIsNone(t *testing.T) {
	ours := Hook{URL: "https://bot.example.com/webhook/gitlab"}
	secured := ours
	secured.Secret = true
	for _, test := range []struct {
		name    string
		webhook Webhook
		want    bool
	}{
		{"there is no webhook", Webhook{}, true},
		{"it has none", Webhook{Hooks: []Hook{ours}}, true},
		{"it has one", Webhook{Hooks: []Hook{secured}}, false},
		{"one was given", Webhook{Secret: true}, false},
		{"nobody knows", Webhook{Err: forbidden}, false},
	} {
		test.webhook.Forge, test.webhook.URL = GitLab, ours.URL
		if got := test.webhook.Unsecured(); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}
