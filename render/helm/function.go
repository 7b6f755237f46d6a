package helm

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// printName is the function that every action's result passes before it is printed.
const printName = "lockkeeperPrint"

// random lists the functions that answer differently on every call.
var random = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey", "htpasswd", "now", "randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt",
	"randNumeric", "shuffle", "uuidv4",
}

// dated lists the functions that take anything that is no time for the current time, and which argument that is.
var dated = map[string]int{"date": 1, "date_in_zone": 1, "dateInZone": 1, "htmlDate": 0, "htmlDateInZone": 0}

// shallow lists the functions that do not walk the values they are given, so that these need not be measured.
var shallow = []string{
	"append", "coalesce", "concat", "default", "dict", "dig", "empty", "fail", "first", "get", "hasKey", "initial", "keys", "kindIs",
	"kindOf", "last", "list", "mustAppend", "mustFirst", "mustInitial", "mustLast", "mustPrepend", "mustPush", "mustRest",
	"mustSlice", "omit", "pick", "pluck", "prepend", "push", "required", "rest", "set", "slice", "ternary", "tuple", "typeIs", "typeIsLike",
	"typeOf", "unset", "values", "lookup",
}

// tangling lists the functions that put values into a mapping that exists already, which could come to hold itself.
var tangling = []string{"merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "set"}

// allFunctions are those that Helm has, each under the budget.
func (e *engine) allFunctions() template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	maps.Copy(all, conversions())
	maps.Copy(all, durations())
	maps.Copy(all, template.FuncMap{
		"print": fmt.Sprint, "printf": fmt.Sprintf, "println": fmt.Sprintln,
		"lookup":        func(string, string, string, string) (map[string]any, error) { return map[string]any{}, nil },
		"getHostByName": func(string) string { return "" },
		"required":      required,
		"keys":          sortedKeys,
		"values":        sortedValues,
		// Known to the parser; the ones that render are bound to their templates.
		"include": func(string, any) (string, error) { return "", nil },
		"tpl":     func(string, any) (string, error) { return "", nil },
	})
	for name, function := range all {
		if name != "include" && name != "tpl" {
			all[name] = e.bounded(name, function)
		}
	}
	all[printName] = e.printed
	return all
}

// bounded wraps a function so that what it is given and what it returns stays within the budget.
func (e *engine) bounded(name string, function any) any {
	inner := reflect.ValueOf(function)
	kind := inner.Type()
	walks, tangles, changes := !slices.Contains(shallow, name), slices.Contains(tangling, name), slices.Contains(random, name)
	check := amplifiers[name]
	datedAt, isDated := dated[name]
	return reflect.MakeFunc(kind, func(args []reflect.Value) []reflect.Value {
		if _, err := e.budget.tick(); err != nil {
			panic(err)
		}
		if changes || isDated && !isTime(args[datedAt]) {
			e.random[name] = true
		}
		if walks {
			e.must(e.budget.measure(args))
		}
		if check != nil {
			e.must(check(e.budget, args))
		}
		var out []reflect.Value
		if kind.IsVariadic() {
			out = inner.CallSlice(args)
		} else {
			out = inner.Call(args)
		}
		if tangles {
			e.must(e.budget.measure(args))
		}
		e.must(e.budget.result(out[0]))
		return out
	}).Interface()
}

// printed returns what it is given, unless printing that would never end. It takes the value as the interpreter has it,
// because how that is printed depends on whether it can be addressed.
func (e *engine) printed(v reflect.Value) (reflect.Value, error) {
	if !v.IsValid() {
		return v, nil
	}
	return v, e.budget.measure([]reflect.Value{v})
}

// must hands an error of the budget to text/template, which turns a function's panic into the error of its call; a
// function without an error result has no other way.
func (e *engine) must(err error) {
	if err != nil {
		panic(err)
	}
}

func isTime(v reflect.Value) bool {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return false
	}
	switch v.Interface().(type) {
	case time.Time, *time.Time, int64, int, int32:
		return true
	}
	return false
}

func required(message string, value any) (any, error) {
	if text, isText := value.(string); value == nil || isText && text == "" {
		return value, fmt.Errorf("%s", message)
	}
	return value, nil
}

func sortedKeys(dicts ...map[string]any) []string {
	var out []string
	for _, d := range dicts {
		out = append(out, slices.Sorted(maps.Keys(d))...)
	}
	return out
}

func sortedValues(d map[string]any) []any {
	out := []any{}
	for _, key := range slices.Sorted(maps.Keys(d)) {
		out = append(out, d[key])
	}
	return out
}

// amplifiers bound the functions that write much more than they are given, before they do.
var amplifiers = map[string]func(*budget, []reflect.Value) error{
	"repeat":   func(b *budget, a []reflect.Value) error { return b.text(integer(a[0]), len(text(a[1]))) },
	"indent":   indented,
	"nindent":  indented,
	"wrap":     func(b *budget, a []reflect.Value) error { return b.text(len(text(a[1])), 2) },
	"wrapWith": func(b *budget, a []reflect.Value) error { return b.text(len(text(a[2])), len(text(a[1]))) },
	"replace": func(b *budget, a []reflect.Value) error {
		return b.text(strings.Count(text(a[2]), text(a[0])), len(text(a[1])))
	},
	"join":                       joined,
	"until":                      func(b *budget, a []reflect.Value) error { return b.text(integer(a[0]), 8) },
	"untilStep":                  stepped,
	"seq":                        func(b *budget, a []reflect.Value) error { return sequence(b, a[0]) },
	"printf":                     func(b *budget, a []reflect.Value) error { return formatted(b, text(a[0])) },
	"randAlpha":                  randomText,
	"randAlphaNum":               randomText,
	"randAscii":                  randomText,
	"randNumeric":                randomText,
	"randBytes":                  randomText,
	"regexReplaceAll":            replaced,
	"mustRegexReplaceAll":        replaced,
	"regexReplaceAllLiteral":     replaced,
	"mustRegexReplaceAllLiteral": replaced,
}

func integer(v reflect.Value) int { return int(v.Int()) }

func text(v reflect.Value) string {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return ""
}

func indented(b *budget, a []reflect.Value) error {
	return b.text(1+strings.Count(text(a[1]), "\n"), integer(a[0]))
}

func randomText(b *budget, a []reflect.Value) error { return b.text(integer(a[0]), 1) }

func joined(b *budget, a []reflect.Value) error {
	list := a[1]
	if list.Kind() == reflect.Interface {
		list = list.Elem()
	}
	if list.Kind() != reflect.Slice {
		return nil
	}
	return b.text(list.Len(), len(text(a[0])))
}

func stepped(b *budget, a []reflect.Value) error {
	from, to, step := a[0].Int(), a[1].Int(), a[2].Int()
	if step == 0 {
		return nil
	}
	return b.text(int((max(from, to)-min(from, to))/max(step, -step)), 8)
}

// sequence bounds seq, which counts from the first to the last of up to three numbers.
func sequence(b *budget, numbers reflect.Value) error {
	n := numbers.Len()
	switch n {
	case 1:
		last := numbers.Index(0).Int()
		return b.text(int(max(last, -last)), 2)
	case 2, 3:
		distance := numbers.Index(n-1).Int() - numbers.Index(0).Int()
		return b.text(int(max(distance, -distance)), 2)
	}
	return nil
}

var width = regexp.MustCompile(`%[^a-zA-Z%]*[0-9*]{4,}`)

// formatted bounds printf: a verb pads to a million characters at most.
func formatted(b *budget, format string) error {
	const padded = 1_000_000
	return b.text(len(width.FindAllStringIndex(format, -1)), padded)
}

func replaced(b *budget, a []reflect.Value) error {
	pattern, subject, replacement := text(a[0]), text(a[1]), text(a[2])
	re, err := regexp.Compile(pattern)
	if err != nil || len(replacement) == 0 {
		return nil
	}
	size := len(replacement)
	if strings.Contains(replacement, "$") {
		size += strings.Count(replacement, "$") * len(subject) / max(1, len(re.FindAllStringIndex(subject, -1)))
	}
	return b.text(len(re.FindAllStringIndex(subject, -1)), size)
}
