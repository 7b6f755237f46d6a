package message

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

func TestSend(t *testing.T) {
	message := Message{Title: "New", Text: "promoted", Context: map[string]string{"stage": "dev"}}
	for _, test := range []struct {
		name    string
		kind    Kind
		message Message
		status  int
		answer  string
		want    string
		fails   string
	}{
		{"Slack", Slack, message, 200, "ok", `{"text":"*New*\npromoted"}`, ""},
		{"Slack without a title", Slack, Message{Text: "promoted"}, 200, "ok", `{"text":"promoted"}`, ""},
		{
			"Teams", Teams, message, 202, "",
			`{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{` +
				`"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","body":[` +
				`{"type":"TextBlock","text":"New","wrap":true,"weight":"Bolder","size":"Medium"},{"type":"TextBlock","text":"promoted","wrap":true}]}}]}`, "",
		},
		{"a program", Webhook, message, 204, "", `{"title":"New","message":"promoted","context":{"stage":"dev"}}`, ""},
		{"it is refused", Slack, Message{Text: "x"}, 404, "no_service", `{"text":"x"}`, "HTTP 404: no_service"},
		{"it is refused with a page", Slack, Message{Text: "x"}, 500, "<html>", `{"text":"x"}`, "HTTP 500: Internal Server Error"},
		{"it is refused with the URL", Slack, Message{Text: "x"}, 400, "URL", `{"text":"x"}`, "HTTP 400: [redacted]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			var address string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got = string(body)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, strings.ReplaceAll(test.answer, "URL", address))
			}))
			defer server.Close()
			address = server.URL + "/T000/hidden"
			s, err := New([]Channel{{Name: "ops", Kind: test.kind, URL: secret.Text(address)}}, server.Client())
			if err != nil {
				t.Fatal(err)
			}
			err = s.Send(t.Context(), "ops", test.message)
			if (err != nil) != (test.fails != "") || err != nil && err.Error() != test.fails {
				t.Errorf("got %v, want %q", err, test.fails)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoErrorShowsTheURL(t *testing.T) {
	s, err := New([]Channel{{Name: "ops", Kind: Slack, URL: "http://127.0.0.1:1/T000/hidden"}}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), "ops", Message{Text: "x"}); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
	if err := s.Send(t.Context(), "dev", Message{Text: "x"}); err == nil {
		t.Error("there is no such channel")
	}
}

func TestNewRefuses(t *testing.T) {
	good := Channel{Name: "ops", Kind: Slack, URL: "https://hooks.slack.com/x"}
	for want, channels := range map[string][]Channel{
		"no name":                         {{Kind: Slack, URL: good.URL}},
		"twice":                           {good, good},
		`kind "irc": expected slack`:      {{Name: "ops", Kind: "irc", URL: good.URL}},
		"its URL is not one":              {{Name: "ops", Kind: Slack, URL: "ops"}},
		`channel "ops": its URL is not o`: {{Name: "ops", Kind: Slack}},
	} {
		if _, err := New(channels, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if s, err := New([]Channel{good}, nil); err != nil || s.Channels()[0] != "ops" {
		t.Errorf("got %v, %v", s, err)
	}
}
