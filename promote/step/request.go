package step

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/promote/expr"
)

const (
	maxAnswerBytes = 10 << 20
	maxYAMLBytes   = 1 << 20
	maxOutputBytes = 64 << 10 // of one step: it is kept for ever
	maxRequestTime = 10 * time.Minute
)

// nameValue is a header or a query parameter.
type nameValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// content is the body of a request: a text as it is, anything else as JSON. An expression in a JSON text makes an object of it.
type content []byte

// UnmarshalJSON implements json.Unmarshaler.
func (c *content) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*c = content(text)
		return nil
	}
	*c = bytes.Clone(data)
	return nil
}

// interval is a duration of a task's configuration.
type interval time.Duration

// UnmarshalJSON reads what time.ParseDuration reads.
func (i *interval) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("%s is not a duration such as \"30s\"", data)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q is not a duration such as 30s", text)
	}
	*i = interval(parsed)
	return nil
}

// or returns the duration, or another one when it is not set.
func (i interval) or(standard time.Duration) time.Duration {
	if i == 0 {
		return standard
	}
	return time.Duration(i)
}

// call is one HTTP request of a step.
type call struct {
	url      string // required
	method   string // empty: GET
	headers  []nameValue
	query    []nameValue
	body     []byte
	timeout  time.Duration // required
	proxy    string
	insecure bool
	limit    int64 // of the answer's body; 0: maxAnswerBytes
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ok reports whether the status means success.
func (a answer) ok() bool { return a.status >= 200 && a.status < 300 }

// words is the status as a person reads it.
func (a answer) words() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)))
}

// send makes one request. What is wrong with the request itself is an error of the task; all else is technical.
func (r *run) send(ctx context.Context, c call) (answer, error) {
	if r.World.HTTP == nil {
		return answer{}, notConfigured("HTTP client for steps", "run the promotion on a server, whose configuration outbound says where steps may connect")
	}
	options := HTTPOptions{InsecureSkipTLSVerify: c.insecure}
	if c.proxy != "" {
		proxy, err := url.Parse(c.proxy)
		if err != nil || proxy.Host == "" {
			return answer{}, errors.New("config.proxy is not a URL: write it as http://host:port")
		}
		options.Proxy = proxy
	}
	ctx, cancel := context.WithTimeout(ctx, min(c.timeout, maxRequestTime))
	defer cancel()
	request, err := c.request(ctx)
	if err != nil {
		return answer{}, err
	}
	response, err := r.World.HTTP(options).Do(request)
	if err != nil {
		return answer{}, technicalError{c.failed(err)}
	}
	got, err := c.read(response)
	if err != nil {
		return answer{}, technicalError{c.failed(err)}
	}
	return got, nil
}

func (c call) request(ctx context.Context) (*http.Request, error) {
	target, err := url.Parse(c.url)
	switch {
	case c.url == "":
		return nil, errors.New("config.url is missing: write where to ask, as in url: https://host/path")
	case err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http":
		return nil, errors.New("config.url is not a URL: expected https://host/path")
	}
	if len(c.query) > 0 {
		query := target.Query()
		for _, parameter := range c.query {
			query.Add(parameter.Name, parameter.Value)
		}
		target.RawQuery = query.Encode()
	}
	method := cmp.Or(strings.ToUpper(c.method), http.MethodGet)
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, fmt.Errorf("config.method is %q: expected GET, POST, PUT, PATCH, DELETE or HEAD", c.method)
	}
	for _, header := range c.headers {
		request.Header.Add(header.Name, header.Value)
		if strings.EqualFold(header.Name, "Host") {
			request.Host = header.Value
		}
	}
	return request, nil
}

// read reads the whole answer, within bounds.
func (c call) read(response *http.Response) (answer, error) {
	limit := c.limit
	if limit == 0 {
		limit = maxAnswerBytes
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return answer{}, err
	case int64(len(body)) > limit:
		return answer{}, fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return answer{status: response.StatusCode, header: response.Header, body: body}, nil
}

// failed describes why a request came to nothing, without the query of its URL, in which people put tokens.
func (c call) failed(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", c.timeout)
	}
	return fmt.Errorf("%s: %w", c.named(), err)
}

// named is the request in messages.
func (c call) named() string {
	target, err := url.Parse(c.url)
	if err != nil {
		return "the request"
	}
	return fmt.Sprintf("%s %s://%s%s", cmp.Or(strings.ToUpper(c.method), http.MethodGet), target.Scheme, target.Host, target.EscapedPath())
}

// response is what expressions over an answer may see. The body of a JSON or YAML answer is its value, any other its text.
func (a answer) response(contentType string) (expr.Response, error) {
	body, err := a.value(contentType)
	return expr.Response{Status: a.status, Headers: a.header, Body: body}, err
}

// value reads the body as its content type, or the given one, says.
func (a answer) value(contentType string) (any, error) {
	if contentType == "" {
		contentType = a.header.Get("Content-Type")
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = strings.TrimSpace(contentType)
	}
	switch {
	case len(bytes.TrimSpace(a.body)) == 0:
		return map[string]any{}, nil
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		var value any
		if err := json.Unmarshal(a.body, &value); err != nil {
			return nil, fmt.Errorf("the answer is not the JSON that its content type says: %w; set responseContentType: text/plain to read it as text", err)
		}
		return value, nil
	case strings.HasSuffix(kind, "yaml"):
		return yamlValue(a.body)
	case kind == "text/plain":
		return string(a.body), nil
	}
	var value any
	if json.Unmarshal(a.body, &value) == nil {
		return value, nil
	}
	return strings.ToValidUTF8(string(a.body), "\uFFFD"), nil
}

func yamlValue(data []byte) (any, error) {
	if len(data) > maxYAMLBytes {
		return nil, fmt.Errorf("the answer has %d bytes of YAML, at most %d are read", len(data), maxYAMLBytes)
	}
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return nil, fmt.Errorf("the answer is not the YAML that its content type says: %w", err)
	}
	return value, nil
}

// holds evaluates a condition over an answer. An empty one is not set.
func holds(name, expression string, got expr.Response) (isTrue bool, err error) {
	if expression == "" {
		return false, nil
	}
	value, err := expr.RunResponse(expression, got)
	if err != nil {
		return false, fmt.Errorf("config.%s: %w", name, err)
	}
	isTrue, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("config.%s: %q gives %T, expected true or false: compare it with something", name, expression, value)
	}
	return isTrue, nil
}

// outputsOf evaluates the outputs of a step over an answer.
func outputsOf(outputs []expressionConfig, got expr.Response) (map[string]any, error) {
	values := map[string]any{}
	for _, o := range outputs {
		value, err := expr.RunResponse(o.FromExpression, got)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", o.Name, err)
		}
		if values[o.Name], err = plainValue(value); err != nil {
			return nil, fmt.Errorf("output %q: expression %q gives no value that can be kept: %w", o.Name, o.FromExpression, err)
		}
	}
	if data, err := json.Marshal(values); err != nil || len(data) > maxOutputBytes {
		return nil, fmt.Errorf("the outputs have %d bytes, at most %d are kept: take less of the answer", len(data), maxOutputBytes)
	}
	return values, nil
}

// plainValue is a value as it will be read back from the record.
func plainValue(value any) (any, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var plain any
	err = json.Unmarshal(data, &plain)
	return plain, err
}
