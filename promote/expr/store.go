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

// stores gives the functions that read stores, each also as a lenient one. What is secret is noted in secrets.
func (e Env) stores(missed *error, secrets *Secrets) []function {
	var all []function
	add := func(name, what string, store Store, isSecret bool) {
		read := func(args []any) (any, error) {
			if isSecret && e.Used == nil && store.Lookup != nil {
				return nil, fmt.Errorf("%s is %w here: what it gives could not be kept from being shown", name, ErrNotAvailable)
			}
			data, err := store.read(name, what, args[0].(string))
			if err != nil || !isSecret {
				return data, err
			}
			for _, value := range data {
				secrets.addAny(value)
			}
			secrets.read = true
			return data, nil
		}
		types := []any{new(func(string) map[string]any)}
		all = append(
			all,
			function{name, func(args ...any) (any, error) {
				data, err := read(args)
				if err != nil {
					return nil, err
				}
				return data, nil
			}, types},
			function{lenient(name), func(args ...any) (any, error) {
				data, err := read(args)
				if err != nil {
					return nil, note(err, missed)
				}
				return data, nil
			}, types},
		)
	}
	add("configMap", "configMaps", e.ConfigMap, false)
	add("secret", "secrets", e.Secret, true)
	add("sharedConfigMap", "sharedConfigMaps", e.SharedConfigMap, false)
	add("sharedSecret", "sharedSecrets", e.SharedSecret, true)
	return all
}

// read gives what the store holds under a name. Values are of type any so that a missing key is null, not a text.
func (s Store) read(function, place, name string) (map[string]any, error) {
	if s.Place != "" {
		place = s.Place
	}
	var data map[string]string
	found := false
	if s.Lookup != nil {
		data, found = s.Lookup(name)
	}
	if !found {
		return nil, &missingError{name, fmt.Sprintf("%s(%q): there is none of that name: add %s to the server's configuration, or write %s(%q)?.key ?? 'default'",
			function, excerpt(name), join(place, excerpt(name)), function, excerpt(name))}
	}
	values := make(map[string]any, len(data))
	for key, value := range data {
		values[key] = value
	}
	return values, nil
}

// recordFunctions give what is kept about freight and stages. What they do not find is noted in missed and is null.
func (e Env) recordFunctions(missed *error) []function {
	record := func(name, of string, lookup func(string) (map[string]any, bool)) function {
		return function{name, func(args ...any) (any, error) {
			if lookup != nil {
				if data, ok := lookup(args[0].(string)); ok {
					return orEmpty(data), nil
				}
			}
			*missed = &missingError{args[0].(string), fmt.Sprintf("%s(%q): nothing is kept about a %s of that name: check the name, or write %s(%q)?.key ?? 'default'",
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
