package forge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestWhatIsWorthRepeating(t *testing.T) {
	refused := func(status int, after time.Duration, cause error) error {
		return &promote.APIError{Status: status, RetryAfter: after, Cause: cause}
	}
	for _, test := range []struct {
		name    string
		err     error
		attempt int
		wait    time.Duration
		again   bool
		doubt   bool // a write may have happened
	}{
		{"nothing failed", nil, 0, 0, false, false},
		{"an error of ours", io.EOF, 0, 0, false, false},
		{"no answer", refused(0, 0, io.EOF), 0, 250 * time.Millisecond, true, true},
		{"no answer once more", refused(0, 0, io.EOF), 1, 500 * time.Millisecond, true, true},
		{"no answer three times", refused(0, 0, io.EOF), MaxRereads, 0, false, true},
		{"a server that hangs", refused(0, 0, context.DeadlineExceeded), 0, 0, false, true},
		{"a server with a problem", refused(502, 0, nil), 0, 250 * time.Millisecond, true, true},
		{"for good", refused(403, 0, nil), 0, 0, false, false},
		{"a limit", refused(429, 3*time.Second, nil), 0, 3 * time.Second, true, false},
		{"a limit for long", refused(429, LongestWait+1, nil), 0, 0, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if wait, again := Reread(test.err, test.attempt); wait != test.wait || again != test.again {
				t.Errorf("got %s, %t", wait, again)
			}
			if got := InDoubt(t.Context(), test.err); got != test.doubt {
				t.Errorf("in doubt: %t", got)
			}
		})
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if InDoubt(cancelled, refused(502, 0, nil)) {
		t.Error("who gave up asks for nothing")
	}
}

func TestAReadThatIsInterruptedReturnsWhyItFailed(t *testing.T) {
	asked := 0
	stopped := Connection{Sleep: func(context.Context, time.Duration) error { return context.Canceled }}.Ready()
	err := stopped.Read(t.Context(), "read", func() error { asked++; return &promote.APIError{Status: 502} })
	if _, ok := errors.AsType[*promote.APIError](err); !ok || asked != 1 {
		t.Errorf("got %v after %d requests", err, asked)
	}
}

func TestRefusal(t *testing.T) {
	c := Connection{Service: "forge", Title: "Forge", Timeout: time.Second}
	page := http.Header{"Content-Type": {"text/html"}}
	for _, test := range []struct {
		name string
		kept Exchange
		err  error
		want string
	}{
		{"no answer", Exchange{}, io.EOF, "forge: try: no answer: EOF; check the URL of Forge, the network and its certificate"},
		{"too late", Exchange{}, context.DeadlineExceeded, "forge: try: no answer: context deadline exceeded; Forge did not answer within 1s; it is tried again later"},
		{"a status is the adapter's", Exchange{Status: 404}, io.EOF, "forge: try: HTTP 404: "},
		{
			"a login page",
			Exchange{Status: 200, Header: page},
			io.EOF,
			`forge: try: HTTP 200: the answer ("text/html") is not the expected JSON: EOF; check that the URL is that of Forge itself, with no login page in front`,
		},
		{
			"an answer that cannot be told in a line",
			Exchange{Status: 200},
			&json.UnmarshalTypeError{Value: "number " + strings.Repeat("7", 1000), Type: reflect.TypeFor[string]()},
			`forge: try: HTTP 200: the answer ("") is not the expected JSON: json: cannot unmarshal number ` + strings.Repeat("7", 425) + "…; check that the URL is that of Forge itself, with no login page in front",
		},
		{"half an answer", Exchange{Status: 200}, io.ErrUnexpectedEOF, "forge: try: no answer: the answer broke off: unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := c.Refusal("try", &test.kept, test.err).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestNoCredentialIsShown(t *testing.T) {
	const token = secret.Text("do-not-print-me")
	for _, test := range []struct{ text, want string }{
		{"bad  token\n" + token.Reveal(), "bad token [redacted]"},
		{"do-not-\xffprint-me", "[redacted]"},
		{strings.Repeat("é", 1000), strings.Repeat("é", 248) + "…"},
	} {
		if got := Line(test.text, "", token); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	err := Concealed(&promote.APIError{Service: "forge", Operation: "try", Status: 422, Message: "bad secret " + token.Reveal()}, token, "")
	if want := "forge: try: HTTP 422: bad secret [redacted]"; err.Error() != want {
		t.Errorf("got %v", err)
	}
}
