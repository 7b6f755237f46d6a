package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
	userAgent   = "git/lockkeeper"

	maxAdvertisement = 64 << 20
	maxErrorBody     = 1 << 10
	maxMessages      = 2 << 10
)

// remote is the HTTP side: one request at a time, each with its own deadline, every failure typed.
type remote struct {
	base     atomic.Pointer[string] // without credentials and trailing slash; changes when discovery is redirected
	user     string
	password func(context.Context) (secret.Text, error)
	denied   func(password secret.Text) // told of a password that is not taken; nil: nobody is
	timeout  time.Duration
	client   *http.Client
}

// call is one request to the server.
type call struct {
	operation string // "read refs", "fetch" or "push"
	service   string // git-upload-pack or git-receive-pack
	body      []byte // nil asks for the advertisement
}

// do sends the request and hands the body of a successful answer to read. The deadline covers both.
func (rm *remote) do(ctx context.Context, c call, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rm.timeout, fmt.Errorf("no complete answer within %s", rm.timeout))
	defer cancel()
	base := *rm.base.Load()
	req, err := c.request(ctx, base)
	if err != nil {
		return err
	}
	password, err := rm.password(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: password: %w", c.operation, base, err)
	}
	if rm.user != "" || password != "" {
		req.SetBasicAuth(rm.user, password.Reveal())
	}
	res, err := rm.client.Do(req)
	if err != nil {
		return c.failed(ctx, base, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusUnauthorized && rm.denied != nil {
		rm.denied(password)
	}
	if res.StatusCode != http.StatusOK {
		return c.refused(base, res, password, rm.user == "" && password == "")
	}
	if err := c.checkType(base, res.Header.Get("Content-Type")); err != nil {
		return err
	}
	if c.body == nil {
		rm.moved(res.Request.URL)
	}
	if err := read(res.Body); err != nil {
		return c.failed(ctx, base, err)
	}
	// A body read to its end lets the connection be used again; what is left is not needed, nor is an error in it.
	_, _ = io.CopyN(io.Discard, res.Body, maxErrorBody)
	return nil
}

func (c call) request(ctx context.Context, base string) (*http.Request, error) {
	if c.body == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/info/refs?service="+c.service, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", userAgent)
		return req, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/"+c.service, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Content-Type", "application/x-"+c.service+"-request")
	req.Header.Set("Accept", "application/x-"+c.service+"-result")
	return req, nil
}

// checkType tells a Git server from a login page or a proxy's greeting.
func (c call) checkType(base, got string) error {
	want := "application/x-" + c.service + "-result"
	if c.body == nil {
		want = "application/x-" + c.service + "-advertisement"
	}
	if got != want {
		return fmt.Errorf("%s %s: answer has content type %q, expected %q: is this the HTTPS clone URL of a repository?",
			c.operation, base, got, want)
	}
	return nil
}

// failed words an error of the connection. The deadline's own words replace net/http's.
func (c call) failed(ctx context.Context, base string, err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
		if cause := context.Cause(ctx); !errors.Is(cause, err) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
	}
	return fmt.Errorf("%s %s: %w", c.operation, base, err)
}

func (c call) refused(base string, res *http.Response, password secret.Text, anonymous bool) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	if strings.Contains(res.Header.Get("Content-Type"), "html") {
		text = nil
	}
	e := &HTTPError{
		Operation: c.operation,
		URL:       base,
		Status:    res.StatusCode,
		Message:   oneLine(string(text), 300),
		anonymous: anonymous,
	}
	if p := password.Reveal(); p != "" {
		e.Message = strings.ReplaceAll(e.Message, p, secret.Redacted)
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 && s < 1<<20 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	return e
}

// moved remembers where discovery was redirected to, as git does, so that the POSTs go there at once.
func (rm *remote) moved(final *url.URL) {
	clean := *final
	clean.User, clean.RawQuery = nil, ""
	if base, ok := strings.CutSuffix(clean.String(), "/info/refs"); ok {
		rm.base.Store(&base)
	}
}

// unsent reports whether a failed request cannot have reached the server.
func unsent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

// sideband hands out the pack data of a side-band-64k answer and keeps the start of the messages in it.
type sideband struct {
	lines    *pktline.Scanner
	rest     []byte
	messages []byte
}

var errServer = errors.New("server stopped")

// Read implements io.Reader. Acknowledgements before the data are skipped.
func (s *sideband) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if !s.lines.Scan() {
			return 0, s.end()
		}
		line := s.lines.Bytes()
		switch {
		case len(line) == 0:
			return 0, io.EOF
		case line[0] == 1:
			s.rest = line[1:]
		case line[0] == 2:
			s.messages = append(s.messages, line[1:min(len(line), 1+maxMessages-len(s.messages))]...)
		case line[0] == 3:
			return 0, fmt.Errorf("%w: %q", errServer, oneLine(string(line[1:]), 300))
		case bytes.HasPrefix(line, []byte("NAK")), bytes.HasPrefix(line, []byte("ACK ")):
		default:
			return 0, fmt.Errorf("unexpected answer %q", oneLine(string(line), 60))
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *sideband) end() error {
	if err := s.lines.Err(); err != nil {
		return serverError(err)
	}
	return io.ErrUnexpectedEOF
}

// serverError types the "ERR" line with which a Git server refuses a request.
func serverError(err error) error {
	var line *pktline.ErrorLine
	if !errors.As(err, &line) {
		return err
	}
	text := oneLine(line.Text, 300)
	low := strings.ToLower(text)
	switch {
	case strings.Contains(low, "not our ref"), strings.Contains(low, "no such ref"), strings.Contains(low, "unadvertised object"):
		return fmt.Errorf("%w: server says %q", ErrNotFound, text)
	case strings.Contains(low, "repository not found"), strings.Contains(low, "not appear to be a git repository"),
		strings.Contains(low, "project you were looking for could not be found"):
		return fmt.Errorf("%w: server says %q", ErrRepositoryNotFound, text)
	}
	return fmt.Errorf("%w: %q", errServer, text)
}

// text returns the messages as one line.
func (s *sideband) text() string { return oneLine(string(s.messages), 600) }
