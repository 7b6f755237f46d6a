package drift

// trail is how far an exclusion has come on the way to a value.
type trail struct {
	exclusion int
	key       []keyPart // what is left of its key
}

// prune returns a value, masked or not, without what the trails lead to, and reports whether anything of it is left. The value itself is not
// changed. A map or list that held nothing else goes too. used is told which exclusions met something.
func prune(v any, trails []trail, used func(exclusion int)) (any, bool) {
	if len(trails) == 0 {
		return v, true
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			if kept, ok := step(child, trails, used, func(p keyPart) bool { return p.hasKey(key) }); ok {
				out[key] = kept
			}
		}
		return out, len(out) > 0 || len(v) == 0
	case []any:
		out := make([]any, 0, len(v))
		for i, child := range v {
			if kept, ok := step(child, trails, used, func(p keyPart) bool { return p.hasItem(i, child) }); ok {
				out = append(out, kept)
			}
		}
		return out, len(out) > 0 || len(v) == 0
	default:
		return v, true
	}
}

// step follows the trails that go on at a child.
func step(child any, trails []trail, used func(int), leads func(keyPart) bool) (any, bool) {
	var on []trail
	gone := false
	for _, t := range trails {
		switch {
		case !leads(t.key[0]):
		case len(t.key) == 1:
			gone = true
			used(t.exclusion)
		default:
			on = append(on, trail{t.exclusion, t.key[1:]})
		}
	}
	if gone {
		return nil, false
	}
	return prune(child, on, used)
}
