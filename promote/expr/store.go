package expr

import "fmt"

// Store holds what configMap or secret gives: texts by key, by name. The zero value holds nothing.
type Store struct {
	Lookup func(name string) (map[string]string, bool)
	Place  string // where the server's configuration has it, for messages, such as "projects.shop.secrets"
}

// storeFunctions read a Store of the environment.
var storeFunctions = []string{"configMap", "secret", "sharedConfigMap", "sharedSecret"}

// lenient is the name of a function that gives null for what a store does not hold.
func lenient(function string) string { return hiddenPrefix + function }

// reader is one of storeFunctions.
type reader struct {
	Store
	function string
	isSecret bool
}

func (e Env) readers() []reader {
	readers := []reader{
		{e.ConfigMap, "configMap", false},
		{e.SharedConfigMap, "sharedConfigMap", false},
		{e.Secret, "secret", true},
		{e.SharedSecret, "sharedSecret", true},
	}
	for i, r := range readers {
		if r.Place == "" {
			readers[i].Place = r.function + "s"
		}
	}
	return readers
}

// stores gives the functions that read stores, each also as a lenient one. Which secrets are read is noted in t.
func (e Env) stores(t *trail) []function {
	types := []any{new(func(string) map[string]any)}
	var all []function
	for _, r := range e.readers() {
		read := func(args ...any) (any, error) {
			data, err := r.read(args[0].(string))
			if err != nil || !r.isSecret {
				return data, err
			}
			if e.Used == nil {
				return nil, fmt.Errorf("%s is %w here: what it gives could not be kept from being shown", r.function, ErrNotAvailable)
			}
			t.secrets.addAny(data)
			t.read = true
			return data, nil
		}
		ask := func(args ...any) (any, error) {
			data, err := read(args...)
			if err != nil {
				return nil, t.note(err)
			}
			return data, nil
		}
		all = append(all, function{r.function, read, types}, function{lenient(r.function), ask, types})
	}
	return all
}

// read gives what the store holds under a name. Values are of type any so that a missing key is null, not a text.
func (r reader) read(name string) (map[string]any, error) {
	var data map[string]string
	found := false
	if r.Lookup != nil {
		data, found = r.Lookup(name)
	}
	if !found {
		return nil, &missingError{name, fmt.Sprintf("%s(%q): there is none of that name: add %s to the server's configuration, or write %s(%q)?.key ?? 'default'",
			r.function, excerpt(name), join(r.Place, excerpt(name)), r.function, excerpt(name))}
	}
	values := make(map[string]any, len(data))
	for key, value := range data {
		values[key] = value
	}
	return values, nil
}

// recordFunctions give what is kept about freight and stages. What they do not find is noted in t and is null.
func (e Env) recordFunctions(t *trail) []function {
	record := func(name, of string, lookup func(string) (map[string]any, bool)) function {
		return function{name, func(args ...any) (any, error) {
			if lookup != nil {
				if data, ok := lookup(args[0].(string)); ok {
					return orEmpty(data), nil
				}
			}
			t.missed = &missingError{args[0].(string), fmt.Sprintf("%s(%q): nothing is kept about a %s of that name: check the name, or write %s(%q)?.key ?? 'default'",
				name, excerpt(args[0].(string)), of, name, excerpt(args[0].(string)))}
			return nil, nil
		}, []any{new(func(string) map[string]any)}}
	}
	return []function{
		record("freightMetadata", "freight", e.FreightMetadata),
		record("freightStatus", "freight", e.FreightStatus),
		record("stageMetadata", "stage", e.StageMetadata),
	}
}
