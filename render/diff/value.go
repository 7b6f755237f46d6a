package diff

// Values reports where two values differ that are no objects of a cluster, such as what two files hold: scalars, lists and
// maps as JSON has them. It is stricter than [Compare]: a number and its text differ, and so do null, empty and absent. Only
// the order of lists that have keys does not count. What it returns is masked as a [Report] is, in the order of the paths; a
// value that is null is printed and encoded as null, and is nil only where it is absent.
func Values(base, head any) []FieldChange {
	w := walker{custom: true, exact: true}
	w.pair(present(base), present(head), hint{})
	return w.fields
}

// Lines prints a change as lines of a diff, each cut to a length and the last saying how many were left out: "- path: before"
// and "+ path: after", and for texts of several lines what differs in them.
func (f FieldChange) Lines() []string { return capped(fieldLines(f)) }

// Arrow prints a change of plain values as "path: before → after", and reports whether that says it all: not for maps, lists,
// texts of several lines, and values of which one is absent.
func (f FieldChange) Arrow() (string, bool) {
	if f.Before == nil || f.After == nil || isComposite(f.Before) || isComposite(f.After) {
		return "", false
	}
	before, after := scalarText(f.Before), scalarText(f.After)
	if b, ok := f.Before.(string); ok && isBlock(b) {
		return "", false
	}
	if a, ok := f.After.(string); ok && isBlock(a) {
		return "", false
	}
	if len(before)+len(after) > focusFrom {
		return "", false
	}
	text := Visible(before) + " → " + Visible(after)
	if f.Path != "" {
		text = Visible(f.Path) + ": " + text
	}
	return text, true
}

// null is a null that is written out, where that differs from an absent value.
type null struct{}

func (null) String() string { return "null" }

// MarshalJSON returns null.
func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// present tells a null that is written out from an absent value.
func present(v any) any {
	if v == nil {
		return null{}
	}
	return v
}

// entry is the value of a key, absent where there is none.
func (w *walker) entry(m map[string]any, key string) any {
	v, ok := m[key]
	switch {
	case !ok:
		return absent{}
	case w.exact:
		return present(v)
	}
	return v
}

// item is a value of a list.
func (w *walker) item(items []any, i int) any {
	if w.exact {
		return present(items[i])
	}
	return items[i]
}
