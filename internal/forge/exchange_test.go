package forge

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Rate-Limit": {"1"}}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestAnExchangeKeepsWhatRefuses(t *testing.T) {
	long := strings.Repeat("x", maxErrorAnswer+1)
	for _, test := range []struct {
		name   string
		status int
		body   string
		kept   string
		read   string // by the library
	}{
		{"an answer is left to the library", 200, "{}", "", "{}"},
		{"a redirect is a refusal", 301, "moved", "moved", "moved"},
		{"a refusal is for both", 404, "no", "no", "no"},
		{"a refusal is bounded", 502, long, long[1:], long[1:]},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := WithExchange(t.Context(), &Exchange{Name: "try"})
			kept, response := ExchangeOf[Exchange](ctx), answer(test.status, test.body)
			if err := kept.Keep(response, "Rate-Limit"); err != nil {
				t.Fatal(err)
			}
			read, err := io.ReadAll(response.Body)
			if err != nil || string(read) != test.read || string(kept.Body) != test.kept || kept.Status != test.status || kept.Name != "try" {
				t.Errorf("kept %d bytes with status %d, read %d bytes, %v", len(kept.Body), kept.Status, len(read), err)
			}
			if kept.Header.Get("Rate-Limit") != "1" || response.Header.Get("Rate-Limit") != "" {
				t.Errorf("kept %v, the library sees %v", kept.Header, response.Header)
			}
		})
	}
	if kept := ExchangeOf[Exchange](t.Context()); kept == nil || kept.Name != "" {
		t.Errorf("got %+v of a context without", kept)
	}
}

func TestWords(t *testing.T) {
	read := func(body []byte) (text string, err error) { return text, json.Unmarshal(body, &text) }
	for _, test := range []struct{ name, kind, body, want string }{
		{"what JSON says", "application/json", `"no"`, "no"},
		{"a text", "text/plain", "no", "no"},
		{"a page is not shown", "text/html; charset=utf-8", "<html>", "Bad Gateway"},
		{"JSON that says nothing", "application/json", `""`, "Bad Gateway"},
		{"nothing", "", "", "Bad Gateway"},
	} {
		t.Run(test.name, func(t *testing.T) {
			kept := &Exchange{Status: 502, Header: http.Header{"Content-Type": {test.kind}}, Body: []byte(test.body)}
			if got := kept.Words(read); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestRedirectsStayAtTheirOrigin(t *testing.T) {
	at := func(text string) *http.Request {
		address, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: address}
	}
	for _, test := range []struct {
		to     string
		before int
		want   error
	}{
		{"https://forge.example.com/b", 1, nil},
		{"http://forge.example.com/b", 1, http.ErrUseLastResponse},
		{"https://forge.example.com:8443/b", 1, http.ErrUseLastResponse},
		{"https://elsewhere.example.com/a", 1, http.ErrUseLastResponse},
	} {
		if err := SameOrigin(at(test.to), []*http.Request{at("https://forge.example.com/a")}); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.to, err, test.want)
		}
	}
	endless := make([]*http.Request, maxRedirects+1)
	endless[0] = at("https://forge.example.com/a")
	if err := SameOrigin(endless[0], endless); err == nil {
		t.Error("redirects without an end are followed")
	}
}

func TestHeaders(t *testing.T) {
	for text, want := range map[string]int{"": -1, "x": -1, "-1": -1, "0": 0, "17": 17} {
		if got := Number(http.Header{"N": {text}}, "n"); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
	for _, test := range []struct {
		asked string
		want  time.Duration
		asks  bool
	}{
		{"", 0, false},
		{"soon", 0, false},
		{"0", 0, true},
		{"-7", 0, true},
		{"37", 37 * time.Second, true},
		{"99999999999", 0, false},
		{testNow.Add(time.Minute).Format(http.TimeFormat), time.Minute, true},
		{testNow.Add(-time.Minute).Format(http.TimeFormat), 0, true},
	} {
		if got, asks := RetryAfter(http.Header{"Retry-After": {test.asked}}, testNow); got != test.want || asks != test.asks {
			t.Errorf("%q: got %s, %t", test.asked, got, asks)
		}
	}
}
