package argocd

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

// forbidden are the functions that Argo CD leaves out of sprig.
var forbidden = []string{"env", "expandenv", "getHostByName"}

// volatile are functions whose result differs from call to call, so that what they make cannot be known beforehand.
var volatile = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey", "htpasswd", "now", "randAlpha", "randAlphaNum", "randAscii", "randBytes",
	"randInt", "randNumeric", "shuffle", "uuidv4",
}

const (
	maxArgument = 1 << 20 // weight of the arguments of one call
	maxFactor   = 1 << 14 // the same where the result may be their product
	maxList     = 10_000
)

var errArgument = errors.New("an argument is too large")

// functions is what a Go template may call: sprig without what reads the machine, Argo CD's additions, and everything
// bounded. A call over a bound panics, which text/template reports as the template's error.
func functions() template.FuncMap {
	all := sprig.GenericFuncMap()
	maps.Copy(all, builtins())
	for _, name := range forbidden {
		delete(all, name)
	}
	for name, f := range all {
		all[name] = bounded(name, f)
	}
	for _, name := range volatile {
		all[name] = func(...any) (string, error) {
			return "", fmt.Errorf("%s gives another result each time and cannot be evaluated offline", name)
		}
	}
	maps.Copy(all, template.FuncMap{
		"normalize":     SanitizeName,
		"slugify":       slugify,
		"toYaml":        bounded("toYaml", toYAML),
		"fromYaml":      fromYAML,
		"fromYamlArray": fromYAMLArray,
	})
	return all
}

// builtins are text/template's own functions that can grow a string, listed so that they are bounded too.
func builtins() template.FuncMap {
	return template.FuncMap{
		"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
	}
}

// growing are functions whose result may be as large as a number says.
var growing = map[string]bool{"until": true, "untilStep": true, "seq": true, "repeat": true, "indent": true, "nindent": true, "substr": true, "wrap": true, "wrapWith": true}

// multiplying are functions whose result may be as large as the product of their arguments.
var multiplying = map[string]bool{"replace": true, "regexReplaceAll": true, "regexReplaceAllLiteral": true, "join": true, "mustRegexReplaceAll": true, "mustRegexReplaceAllLiteral": true}

func bounded(name string, f any) any {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Func {
		return f
	}
	limit := maxArgument
	if multiplying[name] || growing[name] {
		limit = maxFactor
	}
	return reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
		budget := limit
		for _, arg := range args {
			if weigh(arg, &budget, 0); budget < 0 {
				panic(errArgument)
			}
			if growing[name] && !smallNumbers(arg) {
				panic(errArgument)
			}
		}
		if v.Type().IsVariadic() {
			return v.CallSlice(args)
		}
		return v.Call(args)
	}).Interface()
}

// weigh takes the size of a value from the budget. Values shared many times count every time, because printing them does.
func weigh(v reflect.Value, budget *int, depth int) {
	if *budget--; *budget < 0 {
		return
	}
	if depth > 100 {
		*budget = -1
		return
	}
	switch v.Kind() {
	case reflect.String:
		*budget -= v.Len()
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			weigh(v.Elem(), budget, depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && *budget >= 0; i++ {
			weigh(v.Index(i), budget, depth+1)
		}
	case reflect.Map:
		for it := v.MapRange(); *budget >= 0 && it.Next(); {
			weigh(it.Key(), budget, depth+1)
			weigh(it.Value(), budget, depth+1)
		}
	default: // numbers and booleans weigh what was taken above
	}
}

// smallNumbers reports whether no number in an argument list is beyond what a list may hold.
func smallNumbers(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface:
		return v.IsNil() || smallNumbers(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if !smallNumbers(v.Index(i)) {
				return false
			}
		}
		return true
	case reflect.String:
		n, err := strconv.ParseFloat(v.String(), 64)
		return err != nil || n <= maxList && n >= -maxList
	default:
	}
	switch {
	case v.CanInt():
		return v.Int() <= maxList && v.Int() >= -maxList
	case v.CanUint():
		return v.Uint() <= maxList
	case v.CanFloat():
		return v.Float() <= maxList && v.Float() >= -maxList
	}
	return true
}

func toYAML(v any) (string, error) {
	data, err := yaml.Marshal(v)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(data), "\n"), nil
}

func fromYAML(text string) (map[string]any, error) {
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		return nil, err
	}
	return out, nil
}

func fromYAMLArray(text string) ([]any, error) {
	out := []any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		return nil, err
	}
	return out, nil
}

var (
	notDNS    = regexp.MustCompile(`[^-a-z0-9.]`)
	notSlug   = regexp.MustCompile(`[^a-z0-9]+`)
	slugWords = regexp.MustCompile(`-+`)
)

// SanitizeName turns any text into what fits a Kubernetes object name, as Argo CD's normalize and path.basenameNormalized
// do: lower case, other characters than letters, digits, dash and dot become dashes, at most 253 characters, no dash or dot
// at the ends.
func SanitizeName(name string) string {
	name = notDNS.ReplaceAllString(strings.ToLower(name), "-")
	if len(name) > 253 {
		name = name[:253]
	}
	return strings.Trim(name, "-.")
}

// slugify is called as "slugify [max [smart]] name" with defaults 50 and true: smart cuts at a word's end.
func slugify(args ...any) (string, error) {
	most, smart := 50, true
	if len(args) == 0 || len(args) > 3 {
		return "", fmt.Errorf("slugify takes one to three arguments, not %d", len(args))
	}
	if len(args) > 1 {
		n, ok := args[0].(int)
		if !ok || n < 0 {
			return "", fmt.Errorf("slugify's first of several arguments is a length, not %v", args[0])
		}
		most = n
	}
	if len(args) > 2 {
		b, ok := args[1].(bool)
		if !ok {
			return "", fmt.Errorf("slugify's second of three arguments is true or false, not %v", args[1])
		}
		smart = b
	}
	name, ok := args[len(args)-1].(string)
	if !ok {
		return "", fmt.Errorf("slugify's last argument is a string, not %v", args[len(args)-1])
	}
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if most == 0 || len(slug) <= most {
		return slug, nil
	}
	if !smart {
		return strings.TrimRight(slug[:most], "-"), nil
	}
	cut := ""
	for word := range strings.SplitSeq(slugWords.ReplaceAllString(slug, "-"), "-") {
		longer := strings.TrimPrefix(cut+"-"+word, "-")
		if len(longer) > most {
			break
		}
		cut = longer
	}
	if cut == "" {
		cut = slug[:most]
	}
	return cut, nil
}
