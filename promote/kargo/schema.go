package kargo

// valueKind is what a configuration value may be. A string that holds an expression may become any of them.
type valueKind int

const (
	kindText       valueKind = iota // a string; a number is an error that asks for quotes
	kindScalar                      // a string, number, boolean or null
	kindFlag                        // a boolean
	kindCount                       // a whole number, not negative
	kindDuration                    // a string such as "1m30s"
	kindExpression                  // an expression without delimiters
	kindResponse                    // likewise, over the answer to an HTTP request
	kindTexts                       // a list of strings
	kindValues                      // a mapping to strings, numbers and booleans
	kindObject                      // a mapping
	kindList                        // a list of mappings
	kindAny
)

// placeKind says what a path is for, so that it can be checked against what earlier steps left.
type placeKind int

const (
	placeNone placeKind = iota
	placeRead           // something that an earlier step checked out or wrote
	placeTree           // something that git-clone checked out
	placeMade           // something that the step writes
)

// schema is what the configuration of a step, or a mapping inside it, may hold. The zero value holds nothing.
type schema struct {
	keys   keys
	open   bool     // any other key too
	needs  []string // at least one of these
	single []string // at most one of these
}

type keys []schemaKey

type schemaKey struct {
	name     string
	kind     valueKind
	required bool
	blank    bool // the empty string is a value
	choices  []string
	place    placeKind
	folder   bool // a text, or each of several, is a folder of a repository
	inner    *schema
	refused  string // why the key is not supported, with what to do
	idle     string // why the key has no effect, with what to do
	old      string // why the key should go, with what to do
}

// The functions below name what the table of steps is made of.

func str(name string) schemaKey        { return schemaKey{name: name} }
func scalar(name string) schemaKey     { return schemaKey{name: name, kind: kindScalar} }
func flag(name string) schemaKey       { return schemaKey{name: name, kind: kindFlag} }
func count(name string) schemaKey      { return schemaKey{name: name, kind: kindCount} }
func duration(name string) schemaKey   { return schemaKey{name: name, kind: kindDuration} }
func expression(name string) schemaKey { return schemaKey{name: name, kind: kindExpression} }
func response(name string) schemaKey   { return schemaKey{name: name, kind: kindResponse} }
func strs(name string) schemaKey       { return schemaKey{name: name, kind: kindTexts} }
func values(name string) schemaKey     { return schemaKey{name: name, kind: kindValues} }
func anything(name string) schemaKey   { return schemaKey{name: name, kind: kindAny} }

func choice(name string, choices ...string) schemaKey {
	return schemaKey{name: name, choices: choices}
}

func mapping(name string, inner schema) schemaKey {
	return schemaKey{name: name, kind: kindObject, inner: &inner}
}

func list(name string, inner schema) schemaKey {
	return schemaKey{name: name, kind: kindList, inner: &inner}
}

// folders are paths from the root of a repository on.
func folders(name string) schemaKey { return schemaKey{name: name, kind: kindTexts, folder: true} }

func from(name string) schemaKey { return schemaKey{name: name, place: placeRead} }
func tree() schemaKey            { return schemaKey{name: "path", place: placeTree} }
func into(name string) schemaKey { return schemaKey{name: name, place: placeMade} }

func must(k schemaKey) schemaKey {
	k.required = true
	return k
}

// mayBeEmpty lets the empty string count as a value.
func mayBeEmpty(k schemaKey) schemaKey {
	k.blank = true
	return k
}

// refused marks a key of Kargo that is an error here.
func refused(k schemaKey, why string) schemaKey {
	k.refused = why
	return k
}

// idle marks a key of Kargo that is taken and has no effect here, unless it is false.
func idle(k schemaKey, why string) schemaKey {
	k.idle = why
	return k
}

// old marks a key that still works and should go.
func old(k schemaKey, why string) schemaKey {
	k.old = why
	return k
}
