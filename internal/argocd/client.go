package argocd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

const (
	defaultTimeout     = 30 * time.Second
	defaultRefreshWait = 60 * time.Second
	maxAnswer          = 32 << 20
	maxErrorBody       = 4 << 10
)

// Config says which Argo CD to talk to, and as whom.
type Config struct {
	URL         string        // required; https://argocd.example.com, with the root path if the server has one
	Token       secret.Text   // required
	Insecure    bool          // accept any certificate
	CA          []byte        // PEM; trusted in place of the system's authorities
	Timeout     time.Duration // of one request; zero means 30 s
	RefreshWait time.Duration // how long Refresh waits for the controller; zero means 60 s
	HTTPClient  *http.Client  // zero means one made of Insecure and CA, which must then be unset
	UserAgent   string        // zero means "lockkeeper"
}

// A Client talks to one Argo CD API server. It may be used by many goroutines at once.
type Client struct {
	base        *url.URL
	token       secret.Text
	http        *http.Client
	timeout     time.Duration
	refreshWait time.Duration
	userAgent   string
}

// New checks config and makes a client of it. It sends nothing.
func New(config Config) (*Client, error) {
	base, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	if config.Token == "" {
		return nil, errors.New("argo cd: the token is empty; create one with `argocd proj role create-token PROJECT lockkeeper`")
	}
	client, err := httpClient(config)
	if err != nil {
		return nil, err
	}
	c := &Client{
		base:        base,
		token:       config.Token,
		http:        client,
		timeout:     config.Timeout,
		refreshWait: config.RefreshWait,
		userAgent:   config.UserAgent,
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.refreshWait <= 0 {
		c.refreshWait = defaultRefreshWait
	}
	if c.userAgent == "" {
		c.userAgent = "lockkeeper"
	}
	return c, nil
}

func parseURL(text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil {
		return nil, errors.New("argo cd: the server's URL does not parse; write it as https://argocd.example.com")
	}
	if base.Scheme != "https" && base.Scheme != "http" || base.Host == "" {
		return nil, fmt.Errorf("argo cd: the server's URL %q has no scheme or host; write it as https://argocd.example.com", base.Redacted())
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("argo cd: the server's URL %q holds more than scheme, host and path; credentials belong into the token", base.Redacted())
	}
	return base, nil
}

func httpClient(config Config) (*http.Client, error) {
	if config.HTTPClient != nil {
		if config.Insecure || len(config.CA) > 0 {
			return nil, errors.New("argo cd: an HTTP client of your own brings its own TLS settings; set either")
		}
		client := *config.HTTPClient
		client.CheckRedirect = refuseRedirect
		return &client, nil
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: config.Insecure}
	if len(config.CA) > 0 {
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(config.CA) {
			return nil, errors.New("argo cd: the CA holds no PEM certificate")
		}
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       settings,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	return &http.Client{Transport: transport, CheckRedirect: refuseRedirect}, nil
}

// refuseRedirect keeps the token on the server it is meant for, and a login page from passing for an answer.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// A call is one request, with what a message about its failure needs.
type call struct {
	op     string // "get", "refresh", "sync", …
	ref    Ref    // zero when the call is about no single application
	method string
	path   []string // segments, unescaped
	query  url.Values
	body   any           // nil means none
	limit  time.Duration // zero means the client's timeout
}

// do sends one request and decodes the answer into answer.
func (c *Client) do(ctx context.Context, sent call, answer any) error {
	limit := sent.limit
	if limit == 0 {
		limit = c.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := c.request(ctx, sent)
	if err != nil {
		return fmt.Errorf("argo cd: %s: %w", sent, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("argo cd: %s: %w", sent, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return apiError(sent, response)
	}
	return decode(sent, response, answer)
}

func (c *Client) request(ctx context.Context, sent call) (*http.Request, error) {
	var body io.Reader
	if sent.body != nil {
		encoded, err := json.Marshal(sent.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	target := *c.base
	escaped := make([]string, len(sent.path))
	for i, segment := range sent.path {
		escaped[i] = url.PathEscape(segment)
	}
	target.Path = c.base.Path + "/" + strings.Join(sent.path, "/")
	target.RawPath = c.base.EscapedPath() + "/" + strings.Join(escaped, "/")
	target.RawQuery = sent.query.Encode()
	request, err := http.NewRequestWithContext(ctx, sent.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.userAgent)
	if sent.method != http.MethodGet {
		// Argo CD compares the whole value: with a charset parameter it answers 415.
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

func decode(sent call, response *http.Response, answer any) error {
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if mediaType != "application/json" {
		return fmt.Errorf("argo cd: %s: the answer is %q instead of JSON; is the URL that of Argo CD's API server, with no login page in front?", sent, mediaType)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("argo cd: %s: answer: %w", sent, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("argo cd: %s: the answer is larger than %d MiB", sent, maxAnswer>>20)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("argo cd: %s: answer: %w", sent, err)
	}
	return nil
}

// String names the call in messages.
func (sent call) String() string {
	if sent.ref.Name == "" {
		return sent.op
	}
	return sent.op + " application " + sent.ref.String()
}
