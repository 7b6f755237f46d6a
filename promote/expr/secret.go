package expr

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// minSecret is the length from which a text is taken for a secret: shorter ones would be found everywhere.
const minSecret = 4

// Secrets collects the secrets that expressions have read and the texts that they made of them, so that they can be taken out
// of whatever is shown. The zero value is empty. It belongs to one promotion at a time: it must not be used concurrently.
type Secrets struct {
	values   map[secret.Text]bool
	replacer *strings.Replacer // nil when a value was added since
}

// Values lists what has been read, longest first.
func (s *Secrets) Values() []secret.Text {
	values := make([]secret.Text, 0, len(s.values))
	for v := range s.values {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b secret.Text) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a.Reveal(), b.Reveal()))
	})
	return values
}

// Redact replaces every secret in a text, also as it is written in JSON, in a Go string and in a URL.
func (s *Secrets) Redact(text string) string {
	if s == nil || len(s.values) == 0 {
		return text
	}
	if s.replacer == nil {
		s.replacer = replacer(s.Values())
	}
	return s.replacer.Replace(text)
}

func replacer(values []secret.Text) *strings.Replacer {
	var pairs []string
	for _, v := range values {
		plain := v.Reveal()
		quoted := strconv.Quote(plain)
		forms := []string{plain, quoted[1 : len(quoted)-1], url.QueryEscape(plain), url.PathEscape(plain)}
		if b, err := json.Marshal(plain); err == nil {
			forms = append(forms, string(b[1:len(b)-1]))
		}
		slices.Sort(forms)
		for _, form := range slices.Compact(forms) {
			pairs = append(pairs, form, secret.Redacted)
		}
	}
	return strings.NewReplacer(pairs...)
}

// RedactAny gives a JSON value with every secret in its texts and keys replaced. A number that is a secret becomes a text. The
// value itself is not changed.
func (s *Secrets) RedactAny(v any) any { return s.redactAny(v, maxNesting) }

func (s *Secrets) redactAny(v any, depth int) any {
	if s == nil || len(s.values) == 0 {
		return v
	}
	if depth == 0 {
		return secret.Redacted
	}
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		return s.Redact(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = s.redactAny(item, depth-1)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[s.Redact(key)] = s.redactAny(item, depth-1)
		}
		return object
	}
	b, err := json.Marshal(v)
	if err != nil || s.Redact(string(b)) != string(b) {
		return secret.Redacted
	}
	return v
}

// addAny notes every text in a value. Keys of objects are none of a secret's making, and numbers are too short to be hidden.
func (s *Secrets) addAny(v any) {
	eachText(reflect.ValueOf(v), maxNesting, false, func(text string) bool {
		s.add(text)
		return true
	})
}

func (s *Secrets) add(text string) {
	text = strings.TrimSpace(text)
	if _, err := strconv.ParseBool(text); err == nil || len(text) < minSecret || s.values[secret.Text(text)] {
		return
	}
	if s.values == nil {
		s.values = map[secret.Text]bool{}
	}
	s.values[secret.Text(text)], s.replacer = true, nil
}

// in reports whether a value holds a text with a secret in it.
func (s *Secrets) in(v any) bool {
	return !eachText(reflect.ValueOf(v), maxNesting, true, func(text string) bool { return s.Redact(text) == text })
}

// eachText calls f for every text in a value until f returns false; with all also for keys of objects and numbers.
func eachText(v reflect.Value, depth int, all bool, f func(string) bool) bool {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if depth == 0 {
		return true
	}
	switch v.Kind() {
	case reflect.String:
		return f(v.String())
	case reflect.Int:
		return !all || f(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		return !all || f(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !eachText(v.Index(i), depth-1, all, f) {
				return false
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if all && !eachText(it.Key(), depth-1, all, f) || !eachText(it.Value(), depth-1, all, f) {
				return false
			}
		}
	default: // what remains has no texts that an expression has put there
	}
	return true
}

// hiddenError stands for an error whose message may hold a secret.
type hiddenError struct{ cause error }

func (*hiddenError) Error() string {
	return "it fails on a secret, so that the cause is not shown: check what the secret holds and which type is wanted"
}

// Is finds the sentinels in the cause without giving it away.
func (h *hiddenError) Is(target error) bool { return errors.Is(h.cause, target) }
