package diff

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/diff/document"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// state is what a mark says about the value it hides.
type state string

const (
	wasAdded   state = "added"
	wasRemoved state = "removed"
	isKept     state = "unchanged"
	isOld      state = "old value"
	isNew      state = "changed"
	isHidden   state = "" // nothing to compare with
)

// shortSecret is the longest value, in bytes, that is called short.
const shortSecret = 64

// mark is what stands in place of a hidden value: "<secret changed, short>".
func mark(what string, s state, v any) string {
	switch s {
	case isHidden:
		return "<" + what + ">"
	case isKept:
		return "<" + what + " " + string(s) + ">"
	case wasAdded, wasRemoved, isOld, isNew:
	}
	return "<" + what + " " + string(s) + ", " + class(v) + ">"
}

func class(v any) string {
	text, isText := v.(string)
	switch {
	case isComposite(v):
		return "structured"
	case isText && strings.HasPrefix(text, object.UnknownPrefix):
		return "known after deploy"
	case isText && text == "":
		return "empty"
	case isText && len(text) > shortSecret:
		return "long"
	default:
		return "short"
	}
}

// secretNames are what the name of a variable, key or field contains, in lower case, when its value is a secret.
var secretNames = []string{
	"pass", "token", "secret", "apikey", "api-key", "api_key", "privatekey", "private-key", "private_key", "credential", "dsn",
}

func isSecretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(name, part) })
}

// referenceName matches the names of fields that only say where a secret is or what is done with it.
var referenceName = regexp.MustCompile(
	`(?i)(name|names|namespace|ref|refs|path|file|dir|selector|class|type|policy|mount|store|version|provider|seconds|ttl|length|size|enabled|issuer|audience)$`)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// isSecret reports whether fields are those of a core Secret.
func isSecret(fields map[string]any) bool { return isCore(fields, "Secret") }

func isCore(fields map[string]any, kind string) bool {
	if k, _ := fields["kind"].(string); k != kind {
		return false
	}
	version, _ := fields["apiVersion"].(string)
	return !strings.Contains(version, "/")
}

// entryHint says what the entry key of m is, when m itself is what h says.
func entryHint(m map[string]any, key string, h hint) hint {
	v, ok := m[key]
	switch {
	case !ok:
		return hint{}
	case h.values, key == lastApplied, h.config && isSecretName(key):
		return hint{secret: true}
	case key == "value" && namedSecret(m):
		return hint{secret: true}
	case (key == "data" || key == "stringData") && isSecret(m):
		_, isMap := v.(map[string]any)
		return hint{values: true, secret: !isMap}
	case (key == "data" || key == "binaryData") && isCore(m, "ConfigMap"):
		return hint{config: true}
	case h.config || !isSecretName(key) || referenceName.MatchString(key):
		return hint{}
	}
	switch v := v.(type) {
	case string:
		return hint{secret: !isFlag(v)}
	case []any:
		return hint{items: true}
	case map[string]any, bool, nil:
		return hint{}
	default:
		return hint{secret: true}
	}
}

// documentHint says what the entry key of m is in a document within a text. A map or list whose name is that of a secret is one
// as a whole: there is no rule of Kubernetes that says which of its values may be shown.
func documentHint(m map[string]any, key string, h hint) hint {
	if isComposite(m[key]) && holdsSecrets(key) {
		return hint{secret: true}
	}
	return entryHint(m, key, h)
}

// registryLogins is what holds the credentials of registries in the configuration of Docker.
const registryLogins = "auths"

// holdsSecrets reports whether a name is that of a map or list of secrets.
func holdsSecrets(name string) bool {
	return name == registryLogins || isSecretName(name) && !referenceName.MatchString(name) && !strings.EqualFold(name, "imagePullSecrets")
}

func namedSecret(m map[string]any) bool {
	name, _ := m["name"].(string)
	return isSecretName(name)
}

func isFlag(s string) bool {
	switch strings.ToLower(s) {
	case "", "true", "false", "yes", "no", "on", "off", "enabled", "disabled":
		return true
	default:
		return false
	}
}

// followsSecretFlag reports whether items[i] is the argument of a flag such as --password.
func followsSecretFlag(items []any, i int) bool {
	if i == 0 {
		return false
	}
	flag, _ := items[i-1].(string)
	return strings.HasPrefix(flag, "-") && !strings.ContainsAny(flag, "= ") && isSecretName(flag) && !referenceName.MatchString(flag)
}

// plain is a scalar as it is stored: with the secrets in a text masked, and only of the types that JSON has.
func plain(v any, s state) any {
	switch v := v.(type) {
	case string:
		return maskAs(v, func(string) state { return s })
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
		return v
	case int:
		return int64(v)
	case absent, null, bool, int64, document.Literal:
		return v
	case nil:
		return absent{}
	default:
		return maskAs(fmt.Sprint(v), func(string) state { return s })
	}
}

// Mask masks the secrets in a text that has no counterpart.
func Mask(text string) string {
	return maskAs(text, func(string) state { return isHidden })
}

// MaskSentence masks the secrets in a sentence about a file, such as what a check says. It leaves words alone that only stand
// behind the name of a secret, which [Mask] hides.
func MaskSentence(text string) string {
	return replaceSpans(text, inSentence(text), func(string) state { return isHidden })
}

// maskTexts masks the secrets in two versions of a text. Texts that differ still differ when they are masked.
func maskTexts(base, head string) (string, string) {
	if base == head {
		masked := maskAs(base, func(string) state { return isKept })
		return masked, masked
	}
	inBase, inHead := secretsIn(base), secretsIn(head)
	if len(inBase)+len(inHead) == 0 {
		return base, head
	}
	before := replaceSpans(base, inBase, comparing(head, inHead, isOld))
	after := replaceSpans(head, inHead, comparing(base, inBase, isNew))
	if before == after {
		before = replaceSpans(base, inBase, func(string) state { return isOld })
		after = replaceSpans(head, inHead, func(string) state { return isNew })
	}
	return before, after
}

// comparing says of a secret that it is kept when the other text has it too, and otherwise is s.
func comparing(other string, spans []span, s state) func(string) state {
	known := make(map[string]bool, len(spans))
	for _, sp := range spans {
		known[other[sp.from:sp.to]] = true
	}
	return func(secret string) state {
		if known[secret] {
			return isKept
		}
		return s
	}
}

func maskAs(text string, judge func(string) state) string {
	return replaceSpans(text, secretsIn(text), judge)
}

func replaceSpans(text string, spans []span, judge func(string) state) string {
	if len(spans) == 0 {
		return text
	}
	var b strings.Builder
	last := 0
	for _, sp := range spans {
		secret := text[sp.from:sp.to]
		b.WriteString(text[last:sp.from])
		b.WriteString(mark("secret", judge(secret), secret))
		last = sp.to
	}
	b.WriteString(text[last:])
	return b.String()
}
