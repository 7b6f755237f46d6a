package diff

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxDepth is how deep an object may be nested before its values are compared as a whole and no longer shown. The
// Kubernetes API needs far less; a hostile file could need far more.
const maxDepth = 96

// absent stands for a value that is not there; nil in a manifest means the same.
type absent struct{}

func isAbsent(v any) bool {
	_, is := v.(absent)
	return is || v == nil
}

// hint is what the way to a value says about it.
type hint struct {
	secret bool // the value is a secret, whatever its shape
	items  bool // the items of this list are secrets
	values bool // the values of this map are secrets
	config bool // this map is the data of a ConfigMap
}

func (h hint) or(other hint) hint {
	return hint{
		secret: h.secret || other.secret, items: h.items || other.items,
		values: h.values || other.values, config: h.config || other.config,
	}
}

// walker compares two values, collects the changes and builds the masked copies of both on the way.
type walker struct {
	custom bool // the object is of a kind that Kubernetes does not bring along
	exact  bool // what is written otherwise differs
	masked bool // the values are masked already
	inside int  // > 0 in a document within a text, and how many texts deep
	hidden int  // how many values of it are masked
	fields []FieldChange
	path   []step
	quiet  int // > 0 inside a value that is reported as a whole
}

// pair compares two values at the current path and returns their masked copies; absent stays absent.
func (w *walker) pair(base, head any, h hint) (any, any) {
	if isAbsent(base) && isAbsent(head) {
		return absent{}, absent{}
	}
	switch {
	case h.secret:
		return w.sealed(base, head, "secret")
	case len(w.path) > maxDepth:
		return w.sealed(base, head, "nested too deeply to show")
	}
	bMap, bIsMap := base.(map[string]any)
	hMap, hIsMap := head.(map[string]any)
	bList, bIsList := base.([]any)
	hList, hIsList := head.([]any)
	oneSided := isAbsent(base) || isAbsent(head)
	switch {
	case bIsMap && hIsMap, (bIsMap || hIsMap) && oneSided && (w.quiet > 0 || w.spreads()):
		return w.maps(bMap, hMap, h)
	case bIsList && hIsList, (bIsList || hIsList) && oneSided && w.quiet > 0:
		return w.lists(bList, hList, h)
	case bIsMap || hIsMap || bIsList || hIsList:
		return w.whole(base, head, h)
	default:
		return w.scalars(base, head)
	}
}

// whole reports two values of which at least one is a map or list as one change.
func (w *walker) whole(base, head any, h hint) (any, any) {
	w.quiet++
	before, _ := w.pair(base, absent{}, h)
	_, after := w.pair(absent{}, head, h)
	w.quiet--
	w.emit(before, after)
	return before, after
}

// spread are the maps whose entries are reported one by one even when the whole map comes or goes.
var spread = map[string]bool{
	"data": true, "binaryData": true, "labels": true, "annotations": true, "matchLabels": true, "nodeSelector": true,
	"resources": true, "limits": true, "requests": true,
}

func (w *walker) spreads() bool {
	return !w.exact && len(w.path) > 0 && spread[w.path[len(w.path)-1].field()]
}

func (w *walker) maps(base, head map[string]any, h hint) (any, any) {
	var outBase, outHead any = absent{}, absent{}
	b, hd := make(map[string]any, len(base)), make(map[string]any, len(head))
	if base != nil {
		outBase = b
	}
	if head != nil {
		outHead = hd
	}
	keys := slices.AppendSeq(make([]string, 0, len(base)+len(head)), maps.Keys(base))
	keys = slices.AppendSeq(keys, maps.Keys(head))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		hidden := w.hints(base, head, key, h)
		shown := w.shown(key)
		if shown != key {
			w.hidden++
		}
		w.path = append(w.path, step{key: shown})
		before, after := w.pair(w.entry(base, key), w.entry(head, key), hidden)
		w.path = w.path[:len(w.path)-1]
		if !isAbsent(before) {
			b[shown] = before
		}
		if !isAbsent(after) {
			hd[shown] = after
		}
	}
	return outBase, outHead
}

func (w *walker) lists(base, head []any, h hint) (any, any) {
	outBase, outHead := make([]any, len(base)), make([]any, len(head))
	matches, keyed := matchLists(w.field(0), base, head)
	for _, m := range matches {
		var b, hd any = absent{}, absent{}
		secret := h.items
		if m.base >= 0 {
			b = w.item(base, m.base)
			secret = secret || followsSecretFlag(base, m.base)
		}
		if m.head >= 0 {
			hd = w.item(head, m.head)
			secret = secret || followsSecretFlag(head, m.head)
		}
		w.path = append(w.path, step{item: m.label, named: keyed})
		before, after := w.pair(b, hd, hint{secret: secret && !w.masked && (isScalar(b) || isScalar(hd)), items: h.items})
		w.path = w.path[:len(w.path)-1]
		if m.base >= 0 {
			outBase[m.base] = orNil(before)
		}
		if m.head >= 0 {
			outHead[m.head] = orNil(after)
		}
	}
	if keyed && (w.field(0) == "initContainers" || w.inside > 0) {
		w.order(matches)
	}
	return listOrAbsent(base, outBase), listOrAbsent(head, outHead)
}

// order reports that the items that both lists have are in another order.
func (w *walker) order(matches []match) {
	both := slices.DeleteFunc(slices.Clone(matches), func(m match) bool { return m.base < 0 || m.head < 0 })
	slices.SortFunc(both, func(a, b match) int { return a.base - b.base })
	before := labels(both)
	slices.SortFunc(both, func(a, b match) int { return a.head - b.head })
	if after := labels(both); after != before {
		w.emit("in the order "+w.shown(before), "in the order "+w.shown(after))
	}
}

func labels(matches []match) string {
	out := make([]string, len(matches))
	for i, m := range matches {
		_, value, isKey := strings.Cut(m.label, "=")
		if out[i] = m.label; isKey {
			out[i] = value
		}
	}
	return strings.Join(out, ", ")
}

func (w *walker) scalars(base, head any) (any, any) {
	if before, after, are := w.documents(base, head); are {
		return before, after
	}
	b, bIsText := base.(string)
	h, hIsText := head.(string)
	switch {
	case bIsText && hIsText:
		before, after := b, h
		if !w.masked {
			before, after = maskTexts(b, h)
		}
		if before != b || after != h {
			w.hidden++
		}
		if !w.equal(base, head) {
			w.emit(before, after)
		}
		return before, after
	case !isAbsent(base) && !isAbsent(head) && w.equal(base, head):
		return w.plain(base, isKept), w.plain(head, isKept)
	default:
		before, after := w.plain(base, wasRemoved), w.plain(head, wasAdded)
		w.emit(before, after)
		return before, after
	}
}

// sealed replaces both values, whatever they are, by marks.
func (w *walker) sealed(base, head any, what string) (any, any) {
	w.hidden++
	switch {
	case isAbsent(base):
		base, head = absent{}, mark(what, wasAdded, head)
	case isAbsent(head):
		base, head = mark(what, wasRemoved, base), absent{}
	case reflect.DeepEqual(base, head):
		return mark(what, isKept, base), mark(what, isKept, head)
	default:
		base, head = mark(what, isOld, base), mark(what, isNew, head)
	}
	w.emit(base, head)
	return base, head
}

// change is one at the current path.
func (w *walker) change(before, after any) FieldChange {
	return FieldChange{
		Path: pathText(w.path), Kind: Changed, Before: orNil(before), After: orNil(after), steps: slices.Clone(w.path), inside: w.inside > 0,
	}
}

// emit adds a change at the current path, unless it is none or part of a larger one.
func (w *walker) emit(before, after any) {
	if w.quiet > 0 {
		return
	}
	change := w.change(before, after)
	switch {
	case isAbsent(before) && w.negligible(after), isAbsent(after) && w.negligible(before):
		return
	case isAbsent(before):
		change.Kind = Added
	case isAbsent(after):
		change.Kind = Removed
	}
	w.fields = append(w.fields, change)
}

// field returns the map key n steps above the current place, skipping list items.
func (w *walker) field(n int) string {
	for _, s := range slices.Backward(w.path) {
		if s.item != "" {
			continue
		}
		if n == 0 {
			return s.key
		}
		n--
	}
	return ""
}

func isComposite(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	default:
		return false
	}
}

func isScalar(v any) bool { return !isComposite(v) && !isAbsent(v) }

func orNil(v any) any {
	if isAbsent(v) {
		return nil
	}
	return v
}

func listOrAbsent(in, out []any) any {
	if in == nil {
		return absent{}
	}
	return out
}

func indexLabel(i int) string { return strconv.Itoa(i) }
