package diff

// aligner rewrites head so that a line diff against base shows only what counts as a change: keyed lists in the order
// of base, values that mean the same spelled as in base, and nothing that is negligible on one side only.
type aligner struct {
	walker walker // for the rules that depend on the path
}

func (a *aligner) align(base, head any) any {
	w := &a.walker
	b, bIsMap := base.(map[string]any)
	h, hIsMap := head.(map[string]any)
	bl, bIsList := base.([]any)
	hl, hIsList := head.([]any)
	switch {
	case bIsMap && hIsMap:
		return a.maps(b, h)
	case bIsList && hIsList:
		return a.lists(bl, hl)
	case !isComposite(base) && !isComposite(head) && w.equal(base, head):
		return base
	default:
		return head
	}
}

func (a *aligner) maps(base, head map[string]any) map[string]any {
	w := &a.walker
	out := make(map[string]any, len(head))
	for key := range head {
		w.path = append(w.path, step{key: key})
		if _, both := base[key]; both || !w.negligible(head[key]) {
			out[key] = a.align(base[key], head[key])
		}
		w.path = w.path[:len(w.path)-1]
	}
	for key, v := range base {
		w.path = append(w.path, step{key: key})
		if _, both := head[key]; !both && w.negligible(v) {
			out[key] = v
		}
		w.path = w.path[:len(w.path)-1]
	}
	return out
}

func (a *aligner) lists(base, head []any) []any {
	w := &a.walker
	name := w.field(0)
	matches, keyed := matchLists(name, base, head)
	aligned := make([]any, len(head))
	var ordered []any
	for _, m := range matches {
		if m.head < 0 {
			continue
		}
		item := head[m.head]
		if m.base >= 0 {
			w.path = append(w.path, step{item: m.label, named: keyed})
			item = a.align(base[m.base], item)
			w.path = w.path[:len(w.path)-1]
		}
		aligned[m.head] = item
		ordered = append(ordered, item)
	}
	if keyed && name != "initContainers" {
		return ordered
	}
	return aligned
}
