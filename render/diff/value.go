package diff

// Values reports where two values differ that are no objects of a cluster, such as what two files hold: scalars, lists and
// maps as JSON has them. It is stricter than [Compare]: a number and its text differ, and so do null, empty and absent. Only
// the order of lists that have keys does not count. What it returns is masked as a [Report] is, in the order of the paths; a
// value that is null is printed and encoded as null, and is nil only where it is absent.
//
// without returns what of a value is compared, and whether anything is; it must not change the value. nil compares all. It is
// given masked values: what it takes away still says what must not be shown, as the name beside a secret does.
func Values(base, head any, without func(v any) (any, bool)) []FieldChange {
	w := walker{custom: true, exact: true}
	before, after := w.pair(present(base), present(head), hint{})
	if without == nil {
		return w.fields
	}
	rest := walker{custom: true, exact: true, masked: true}
	rest.pair(what(before, without), what(after, without), hint{})
	return rest.fields
}

func what(v any, without func(any) (any, bool)) any {
	if left, ok := without(v); ok {
		return left
	}
	return absent{}
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

// hints says what the way to an entry of one of two maps says about its value.
func (w *walker) hints(base, head map[string]any, key string, h hint) hint {
	if w.masked {
		return hint{}
	}
	if w.inside > 0 {
		return documentHint(base, key, h).or(documentHint(head, key, h))
	}
	return entryHint(base, key, h).or(entryHint(head, key, h))
}

// shown is a text as it may be shown.
func (w *walker) shown(text string) string {
	if w.masked {
		return text
	}
	return Mask(text)
}

// plain is a scalar as it may be shown.
func (w *walker) plain(v any, s state) any {
	if w.masked {
		return v
	}
	shown := plain(v, s)
	if text, isText := v.(string); isText && shown != text {
		w.hidden++
	}
	return shown
}
