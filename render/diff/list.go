package diff

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// match pairs an item of one list with one of the other; -1 where it has no partner.
type match struct {
	base, head int
	label      string // how the item is called in a path
}

// listKeys are the fields by which Kubernetes tells the items of a list apart (the patchMergeKey and listMapKey markers
// of its API types), by the name of the list. A part may have a default after "=", and lead into the item with dots.
// The first candidate that every item has, once, is taken.
var listKeys = map[string][][]string{
	"containers":                {{"name"}},
	"initContainers":            {{"name"}},
	"ephemeralContainers":       {{"name"}},
	"volumes":                   {{"name"}},
	"env":                       {{"name"}},
	"ports":                     {{"containerPort", "protocol=TCP"}, {"port", "protocol=TCP"}, {"name"}},
	"volumeMounts":              {{"mountPath"}},
	"volumeDevices":             {{"devicePath"}},
	"resizePolicy":              {{"resourceName"}},
	"imagePullSecrets":          {{"name"}},
	"secrets":                   {{"name"}},
	"hostAliases":               {{"ip"}},
	"topologySpreadConstraints": {{"topologyKey", "whenUnsatisfiable"}},
	"schedulingGates":           {{"name"}},
	"resourceClaims":            {{"name"}},
	"sysctls":                   {{"name"}},
	"conditions":                {{"type"}},
	"ownerReferences":           {{"uid"}, {"kind", "name"}},
	"volumeClaimTemplates":      {{"metadata.name"}},
	"subjects":                  {{"kind", "namespace=", "name"}},
	"webhooks":                  {{"name"}},
	"versions":                  {{"name"}},
	"additionalPrinterColumns":  {{"name"}},
	"addresses":                 {{"type"}, {"ip"}},
	"paths":                     {{"path", "pathType="}},
	"parameters":                {{"name"}},
	"matchExpressions":          {{"key", "operator="}},
	"items":                     {{"key"}, {"path"}},
}

// setLists are lists of plain values whose order means nothing.
var setLists = map[string]bool{
	"finalizers": true, "accessModes": true, "verbs": true, "apiGroups": true, "resources": true, "resourceNames": true,
	"shortNames": true, "categories": true, "policyTypes": true, "loadBalancerSourceRanges": true, "externalIPs": true,
}

// atomicLists are lists that Kubernetes replaces as a whole and whose order may matter.
var atomicLists = map[string]bool{
	"tolerations": true, "args": true, "command": true, "envFrom": true, "sources": true,
}

// guessedKeys are tried, in this order, on lists that none of the tables knows.
var guessedKeys = [][]string{{"name"}, {"id"}, {"key"}, {"mountPath"}}

// matchLists pairs the items of two lists that stand in the field called name, and reports whether it did so by key.
func matchLists(name string, base, head []any) ([]match, bool) {
	if !atomicLists[name] {
		candidates, known := listKeys[name]
		if !known {
			candidates = guessedKeys
		}
		for _, parts := range candidates {
			b, bOK := keysOf(base, parts)
			h, hOK := keysOf(head, parts)
			if bOK && hOK && len(base)+len(head) > 0 {
				return matchKeys(b, h), true
			}
		}
		if setLists[name] {
			b, bOK := valuesOf(base)
			h, hOK := valuesOf(head)
			if bOK && hOK {
				return matchKeys(b, h), true
			}
		}
	}
	return matchSequence(base, head), false
}

// keysOf returns the key of every item, and whether all of them have one and no two the same.
func keysOf(items []any, parts []string) ([]string, bool) {
	keys, seen := make([]string, len(items)), make(map[string]bool, len(items))
	for i, item := range items {
		key, ok := keyOf(item, parts)
		if !ok || seen[key] {
			return nil, false
		}
		keys[i], seen[key] = key, true
	}
	return keys, true
}

func keyOf(item any, parts []string) (string, bool) {
	var out []string
	for _, part := range parts {
		path, standard, optional := strings.Cut(part, "=")
		v := item
		for key := range strings.SplitSeq(path, ".") {
			m, ok := v.(map[string]any)
			if !ok {
				return "", false
			}
			v = m[key]
		}
		if isComposite(v) || (v == nil && !optional) {
			return "", false
		}
		text := standard
		if v != nil {
			text = fmt.Sprint(v)
		}
		if !optional || text != standard {
			out = append(out, path+"="+text)
		}
	}
	return strings.Join(out, ","), true
}

// valuesOf returns the values of a list of plain values, and whether it is one without duplicates.
func valuesOf(items []any) ([]string, bool) {
	out, seen := make([]string, len(items)), make(map[string]bool, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if !ok || seen[text] {
			return nil, false
		}
		out[i], seen[text] = text, true
	}
	return out, true
}

func matchKeys(base, head []string) []match {
	at := make(map[string]int, len(head))
	for i, key := range head {
		at[key] = i
	}
	out := make([]match, 0, max(len(base), len(head)))
	for i, key := range base {
		m := match{base: i, head: -1, label: itemLabel(key)}
		if j, ok := at[key]; ok {
			m.head = j
			delete(at, key)
		}
		out = append(out, m)
	}
	for j, key := range head {
		if _, left := at[key]; left {
			out = append(out, match{base: -1, head: j, label: itemLabel(key)})
		}
	}
	return out
}

// itemLabel is key as it stands in a path, which is shown: without secrets, and never empty.
func itemLabel(key string) string {
	if key == "" {
		return "="
	}
	return Mask(key)
}

// maxTable bounds the work of one longest common subsequence.
const maxTable = 1 << 20

// matchSequence pairs the items of two lists in order: equal ones first, then what stands between them one by one.
func matchSequence(base, head []any) []match {
	b, h := prints(base), prints(head)
	start := 0
	for start < len(b) && start < len(h) && b[start] == h[start] {
		start++
	}
	end := 0
	for end < len(b)-start && end < len(h)-start && b[len(b)-1-end] == h[len(h)-1-end] {
		end++
	}
	out := make([]match, 0, max(len(b), len(h)))
	pair := func(i, j int) { out = append(out, match{base: i, head: j, label: indexLabel(j)}) }
	for i := range start {
		pair(i, i)
	}
	i, j := start, start
	for _, same := range append(common(b[start:len(b)-end], h[start:len(h)-end]), [2]int{len(b) - end - start, len(h) - end - start}) {
		out = gap(out, base, head, [4]int{i, start + same[0], j, start + same[1]})
		i, j = start+same[0], start+same[1]
		if i < len(b)-end && j < len(h)-end {
			pair(i, j)
			i, j = i+1, j+1
		}
	}
	for k := range end {
		pair(len(b)-end+k, len(h)-end+k)
	}
	return out
}

// gap pairs what lies between two equal items: span is base from, base to, head from, head to.
func gap(out []match, base, head []any, span [4]int) []match {
	i, j := span[0], span[2]
	for i < span[1] && j < span[3] && isComposite(base[i]) == isComposite(head[j]) {
		out = append(out, match{base: i, head: j, label: indexLabel(j)})
		i, j = i+1, j+1
	}
	for ; i < span[1]; i++ {
		out = append(out, match{base: i, head: -1, label: indexLabel(i)})
	}
	for ; j < span[3]; j++ {
		out = append(out, match{base: -1, head: j, label: indexLabel(j)})
	}
	return out
}

// common returns the index pairs of a longest common subsequence; none when the lists are too long to say.
func common(a, b []string) [][2]int {
	if len(a) == 0 || len(b) == 0 || len(a) > maxTable/len(b) {
		return nil
	}
	width := len(b) + 1
	table := make([]int32, (len(a)+1)*width)
	for i, inA := range slices.Backward(a) {
		for j, inB := range slices.Backward(b) {
			if inA == inB {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
			} else {
				table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
			}
		}
	}
	var out [][2]int
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, [2]int{i, j})
			i, j = i+1, j+1
		case table[(i+1)*width+j] >= table[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return out
}

// prints returns a text for each item that is the same for equal items only.
func prints(items []any) []string {
	out := make([]string, len(items))
	for i, item := range items {
		raw, err := json.Marshal(item)
		if err != nil {
			raw = fmt.Appendf(nil, "%#v", item)
		}
		out[i] = string(raw)
	}
	return out
}
