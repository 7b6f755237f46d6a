package devforge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxBody = 10 << 20

// params are the parameters of one request, wherever they came from: GitLab's API takes each from the query, a form or a JSON
// object, and coerces strings to what it expects (lib/api, Grape).
type params map[string]json.RawMessage

// refusal is an answer that ends a request.
type refusal struct {
	status int
	body   any
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %v", r.status, r.body) }

type (
	messageBody struct {
		Message any `json:"message"`
	}
	errorBody struct {
		Error string `json:"error"`
	}
)

// refuse answers {"message": …}, as render_api_error! does.
func refuse(status int, message any) error { return &refusal{status, messageBody{message}} }

// invalid answers {"error": …} with 400, as Grape's own validation does.
func invalid(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, errorBody{fmt.Sprintf(format, args...)}}
}

func unauthorized() error { return refuse(http.StatusUnauthorized, "401 Unauthorized") }
func forbidden() error    { return refuse(http.StatusForbidden, "403 Forbidden") }

func missing(what string) error {
	return refuse(http.StatusNotFound, strings.Replace("404 "+what+" Not Found", "  ", " ", 1))
}

func readParams(w http.ResponseWriter, r *http.Request) (params, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("query is invalid")
	}
	p := params{}
	p.addForm(query)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &refusal{http.StatusRequestEntityTooLarge, errorBody{"Request body exceeds 10 MiB"}}
	}
	if err != nil {
		return nil, invalid("body could not be read")
	}
	if len(body) == 0 {
		return p, nil
	}
	switch mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType {
	case "application/json":
		object := params{}
		if err := json.Unmarshal(body, &object); err != nil {
			return nil, refuse(http.StatusBadRequest, "400 Bad request - Invalid JSON")
		}
		maps.Copy(p, object)
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, invalid("body is invalid")
		}
		p.addForm(form)
	default:
		return nil, &refusal{http.StatusUnsupportedMediaType, errorBody{"The provided content-type '" + mediaType + "' is not supported."}}
	}
	return p, nil
}

func (p params) addForm(values url.Values) {
	for name, all := range values {
		var value any = all[len(all)-1]
		if list, ok := strings.CutSuffix(name, "[]"); ok {
			name, value = list, all
		}
		raw, err := json.Marshal(value)
		if err == nil {
			p[name] = raw
		}
	}
}

func (p params) has(name string) bool {
	raw, ok := p[name]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// text is empty when the parameter is absent.
func (p params) text(name string) (string, error) {
	if !p.has(name) {
		return "", nil
	}
	var s string
	if json.Unmarshal(p[name], &s) == nil {
		return s, nil
	}
	var number json.Number
	if json.Unmarshal(p[name], &number) == nil {
		return number.String(), nil
	}
	return "", invalid("%s is invalid", name)
}

func (p params) required(name string) (string, error) {
	if !p.has(name) {
		return "", invalid("%s is missing", name)
	}
	return p.text(name)
}

func (p params) oneOf(name string, allowed ...string) (string, error) {
	value, err := p.text(name)
	if err != nil || value == "" || slices.Contains(allowed, value) {
		return value, err
	}
	return "", invalid("%s does not have a valid value", name)
}

func (p params) integer(name string) (int, error) {
	value, err := p.text(name)
	if err != nil || value == "" {
		return 0, err
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, invalid("%s is invalid", name)
	}
	return n, nil
}

func (p params) boolean(name string) (bool, error) {
	if !p.has(name) {
		return false, nil
	}
	var b bool
	if json.Unmarshal(p[name], &b) == nil {
		return b, nil
	}
	switch value, err := p.text(name); {
	case err == nil && slices.Contains([]string{"true", "1", "on", "yes"}, value):
		return true, nil
	case err == nil && slices.Contains([]string{"false", "0", "off", "no", ""}, value):
		return false, nil
	}
	return false, invalid("%s is invalid", name)
}

// list takes an array, or one string with commas.
func (p params) list(name string) ([]string, error) {
	if !p.has(name) {
		return nil, nil
	}
	var items []string
	if json.Unmarshal(p[name], &items) != nil {
		items = nil // an array of numbers leaves empty ones
		var numbers []json.Number
		if json.Unmarshal(p[name], &numbers) == nil {
			for _, n := range numbers {
				items = append(items, n.String())
			}
			return items, nil
		}
		joined, err := p.text(name)
		if err != nil {
			return nil, err
		}
		items = strings.Split(joined, ",")
	}
	var clean []string
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			clean = append(clean, item)
		}
	}
	return clean, nil
}

func (p params) moment(name string) (time.Time, error) {
	value, err := p.text(name)
	if err != nil || value == "" {
		return time.Time{}, err
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, value); err == nil {
			return at, nil
		}
	}
	return time.Time{}, invalid("%s is invalid", name)
}
