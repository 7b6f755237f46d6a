package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Hook is a webhook as the forge shows it.
type Hook struct {
	ID       int
	URL      string
	Events   []string
	Verify   bool   // certificates are verified
	Secret   bool   // it has a secret, or the forge does not say
	Disabled bool   // nothing is sent
	Filtered string // pushes of other branches are not sent; empty: all are
	Form     bool   // bodies are sent as a form instead of JSON
	Last     []Delivery
}

// Delivery is one webhook that was sent.
type Delivery struct {
	Event  string
	At     string // when, as people read it; empty: the forge does not say
	Status int    // HTTP; 0: no answer
}

// Webhook is how a repository's webhooks stand.
type Webhook struct {
	Forge    string // required
	URL      string // of ours; empty: nobody said
	Needed   []string
	Hooks    []Hook
	Err      error
	Page     string // where a person sets them
	Variable string // the environment variable of the secret
	Secret   bool   // that variable is set
	Setup    string // the command that registers it
	ByHand   bool   // only a person can change it, on Page: that of a group above
	App      bool   // it is that of a GitHub App: its events are chosen on Page
}

// HookURL is where a forge's webhooks go on a server.
func HookURL(public, forge string) string {
	if public == "" {
		return ""
	}
	return strings.TrimRight(public, "/") + "/webhook/" + strings.ToLower(forge)
}

// Ours are the webhooks that go to us, as far as their address tells.
func (w Webhook) Ours() []Hook {
	path := "/webhook/" + strings.ToLower(w.Forge)
	return slices.DeleteFunc(slices.Clone(w.Hooks), func(h Hook) bool {
		at := strings.TrimRight(h.URL, "/")
		if w.URL != "" {
			return !sameAddress(at, w.URL)
		}
		return !strings.HasSuffix(at, path)
	})
}

// sameAddress compares as servers do: scheme and host without regard to case.
func sameAddress(a, b string) bool {
	left, errA := url.Parse(strings.TrimRight(a, "/"))
	right, errB := url.Parse(strings.TrimRight(b, "/"))
	if errA != nil || errB != nil {
		return a == b
	}
	return strings.EqualFold(left.Scheme, right.Scheme) && strings.EqualFold(left.Host, right.Host) && left.Path == right.Path
}

// Findings says whether events arrive.
func (w Webhook) Findings() []Finding {
	var found []Finding
	if !w.Secret {
		found = append(found, Finding{
			Verdict: Failure, Check: "webhook secret", Text: w.Variable + " is not set: webhooks that nobody signed are not taken",
			Remedy: "run " + w.Setup + ", which makes one and shows it once; or set the variable to the secret that the webhook has",
		})
	}
	if w.Err != nil {
		needs := "give the token the role Maintainer for this look, or compare it yourself on " + w.Page
		if w.Forge == GitHub {
			needs = "give the token the right to administer webhooks for this look, or compare it yourself on " + w.Page
		}
		return append(found, unreadable("webhook", w.Err, needs))
	}
	ours := w.Ours()
	if w.URL == "" {
		found = append(found, w.nobodySaid(ours))
	}
	switch {
	case len(ours) == 0 && w.URL == "":
		return found
	case len(ours) == 0:
		return append(found, w.missing())
	case len(ours) > 1 && w.URL != "":
		found = append(found, Finding{
			Verdict: Warning, Check: "webhook", Text: fmt.Sprintf("%d webhooks go to %s: every event arrives as often", len(ours), w.URL),
			Remedy: "delete all but one on " + w.Page,
		})
	}
	return append(found, w.judge(ours[0])...)
}

func (w Webhook) nobodySaid(ours []Hook) Finding {
	f := Finding{Verdict: Warning, Check: "public url", Text: "nobody said where this server is reached", Remedy: "set publicURL in the server's configuration, or give --url https://lockkeeper.example.com"}
	if len(ours) > 0 {
		f.Text += "; a webhook to " + ours[0].URL + " looks like ours"
	}
	return f
}

func (w Webhook) missing() Finding {
	f := Finding{
		Verdict: Failure, Check: "webhook", Text: "none goes to " + w.URL,
		Remedy: fmt.Sprintf("run %s, or add it on %s with %s", w.Setup, w.Page, w.named(w.Needed)),
	}
	switch {
	case w.App:
		f.Text = "that of the App goes elsewhere, not to " + w.URL
		f.Remedy = "set the webhook's URL on " + w.Page
		f.Fix = Fix{Kind: FixHook, App: true}
	case w.Secret:
		f.Fix = Fix{Kind: FixHook}
	}
	return f
}

// judge says how one webhook is set up, and how its last delivery went.
func (w Webhook) judge(h Hook) []Finding {
	var found []Finding
	edit := Fix{Kind: FixHook, Hook: h.ID, App: w.App}
	if w.ByHand {
		edit = Fix{}
	}
	wrong := func(verdict Verdict, text, remedy string) *Finding {
		found = append(found, Finding{verdict, "webhook", text, remedy + " on " + w.Page, edit})
		return &found[len(found)-1]
	}
	if missing := slices.DeleteFunc(slices.Clone(w.Needed), func(event string) bool { return slices.Contains(h.Events, event) || slices.Contains(h.Events, "*") }); len(missing) > 0 {
		f := wrong(Failure, "it does not send "+w.named(missing), "switch these on")
		if w.App {
			f.Remedy, f.Fix = "subscribe to these events, and grant the permissions they take, on "+w.Page+"/permissions", Fix{}
		}
	}
	if !h.Verify && strings.HasPrefix(h.URL, "https://") {
		wrong(Warning, "certificates are not verified: whoever is in between reads the events", "switch SSL verification on")
	}
	if h.Filtered != "" {
		wrong(Failure, fmt.Sprintf("pushes are sent of branches %q only", h.Filtered), "choose all branches")
	}
	if h.Form {
		wrong(Failure, "it sends forms, which are not taken", "choose the content type application/json")
	}
	if !h.Secret {
		f := Finding{Verdict: Failure, Check: "webhook secret", Text: "the webhook has none: its deliveries are refused", Remedy: "set it to the value of " + w.Variable + " on " + w.Page}
		if w.Secret && !w.ByHand {
			f.Fix = Fix{Kind: FixHookSecret, Hook: h.ID, App: w.App}
		}
		found = append(found, f)
	}
	if h.Disabled {
		found = append(found, Finding{Verdict: Failure, Check: "webhook", Text: w.Forge + " sends nothing, because deliveries failed", Remedy: "let the server run, then send a test on " + w.Page})
	}
	if len(found) == 0 {
		found = append(found, Finding{Verdict: OK, Check: "webhook", Text: "it sends all that is needed to " + h.URL})
	}
	return append(found, w.delivered(h))
}

// named are events as the forge's page calls them.
func (w Webhook) named(events []string) string {
	names := map[string]string{}
	if w.Forge == GitLab {
		names = map[string]string{
			"push": "Push events", "tag_push": "Tag push events", "merge_requests": "Merge request events", "note": "Comments", "pipeline": "Pipeline events",
			"emoji": "Emoji events", "job": "Job events", "deployment": "Deployment events",
		}
	}
	out := make([]string, len(events))
	for i, event := range events {
		out[i] = event
		if name, ok := names[event]; ok {
			out[i] = name
		}
	}
	return strings.Join(out, ", ")
}

// delivered says how the last delivery went. That is what is known of being reached: nothing else is guessed.
func (w Webhook) delivered(h Hook) Finding {
	if len(h.Last) == 0 {
		return Finding{Verdict: Skipped, Check: "delivery", Text: "nothing was delivered yet", Remedy: "start the server, then send a test on " + w.Page}
	}
	last := h.Last[0]
	text := fmt.Sprintf("%s's last delivery (%s) answered %d", w.Forge, last.Event, last.Status)
	if last.Status == 0 {
		text = fmt.Sprintf("%s's last delivery (%s) got no answer", w.Forge, last.Event)
	}
	if last.At != "" {
		text += " at " + last.At
	}
	f := Finding{Verdict: Failure, Check: "delivery", Text: text}
	switch {
	case last.Status >= 200 && last.Status < 400:
		return Finding{Verdict: OK, Check: "delivery", Text: text}
	case last.Status == 0 && last.Event == "ping":
		f.Verdict, f.Remedy = Warning, "it is sent when the webhook is made: once the server runs, have it sent again on "+w.Page
	case last.Status == 0:
		f.Remedy = fmt.Sprintf("start the server, and let %s reach %s through firewalls and proxies; on a private network, an administrator must allow it", w.Forge, h.URL)
	case last.Status == 401 || last.Status == 403:
		f.Remedy = fmt.Sprintf("set the webhook's secret to the value of %s on %s, and restart the server", w.Variable, w.Page)
		if w.Secret && !w.ByHand {
			f.Fix = Fix{Kind: FixHookSecret, Hook: h.ID, App: w.App}
		}
	case last.Status == 404 || last.Status == 405:
		f.Remedy = "another program answers at " + h.URL + ", or the proxy in front changes the path: it must arrive as /webhook/" + strings.ToLower(w.Forge)
	default:
		f.Remedy = "look into the server's log; /readyz says whether it works"
	}
	return f
}

// Unsecured reports whether a secret has to be made: nobody gave one, and the webhook is not there or has none.
func (w Webhook) Unsecured() bool {
	ours := w.Ours()
	return !w.Secret && w.Err == nil && (len(ours) == 0 || !ours[0].Secret)
}
