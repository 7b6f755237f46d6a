package diff

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// isCustom reports whether kinds of group are not brought along by Kubernetes itself: its own groups are the core group,
// those without a dot and those below k8s.io. CustomResourceDefinitions are counted with the custom ones, since an empty
// map means something in a schema.
func isCustom(group string) bool {
	if group == "apiextensions.k8s.io" {
		return true
	}
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}

// meaningful are the fields of Kubernetes' own kinds where empty says something else than absent.
var meaningful = map[string]bool{
	"emptyDir": true, "podSelector": true, "namespaceSelector": true, "objectSelector": true, "selector": true,
	"labelSelector": true, "ingress": true, "egress": true,
}

// negligible reports whether the presence of v at the current path says nothing.
func (w *walker) negligible(v any) bool {
	switch v.(type) {
	case absent, nil:
		return true
	}
	if w.exact {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0 && w.emptyIsAbsent()
	case []any:
		return len(v) == 0 && w.emptyIsAbsent()
	case string:
		return v == "TCP" && w.field(0) == "protocol" && !w.custom // the default of every protocol of a port
	default:
		return false
	}
}

func (w *walker) emptyIsAbsent() bool {
	if len(w.path) == 0 {
		return true
	}
	last := w.path[len(w.path)-1]
	if last.item != "" {
		return false
	}
	return w.path[0].key == "metadata" || !w.custom && !meaningful[last.key]
}

// quantityFields hold a resource quantity; quantityMaps hold nothing else.
var (
	quantityFields = map[string]bool{"storage": true, "sizeLimit": true, "divisor": true, "averageValue": true}
	quantityMaps   = map[string]bool{
		"limits": true, "requests": true, "hard": true, "capacity": true, "allocatable": true, "podFixed": true,
	}
)

// eitherFields may be a number or the same as text (Kubernetes: IntOrString, and ports in templates).
var eitherFields = map[string]bool{
	"port": true, "targetPort": true, "containerPort": true, "hostPort": true, "nodePort": true,
	"maxSurge": true, "maxUnavailable": true, "minAvailable": true,
}

// equal reports whether two plain values at the current path mean the same.
func (w *walker) equal(base, head any) bool {
	b, bIsNumber := number(base)
	h, hIsNumber := number(head)
	switch {
	case base == head:
		return true
	case bIsNumber && hIsNumber:
		return b == h
	case w.exact:
		return false
	case quantityFields[w.field(0)] || quantityMaps[w.field(1)]:
		return sameQuantity(base, head)
	case eitherFields[w.field(0)]:
		return fmt.Sprint(base) == fmt.Sprint(head)
	default:
		return false
	}
}

// number returns v as text that is the same for equal numbers.
func number(v any) (string, bool) {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
		return strconv.FormatFloat(v, 'g', -1, 64), true
	default:
		return "", false
	}
}

// quantityForm is the grammar of apimachinery's resource.Quantity, with bounds, because expanding 1e999999999 is not
// worth an answer.
var quantityForm = regexp.MustCompile(`^([+-]?[0-9]{1,24}(?:\.[0-9]{0,24})?|[+-]?\.[0-9]{1,24})(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,2})?$`)

var quantityUnits = map[string]string{
	"": "1", "n": "1/1000000000", "u": "1/1000000", "m": "1/1000",
	"k": "1000", "M": "1000000", "G": "1000000000", "T": "1000000000000", "P": "1000000000000000", "E": "1000000000000000000",
	"Ki": "1024", "Mi": "1048576", "Gi": "1073741824", "Ti": "1099511627776", "Pi": "1125899906842624", "Ei": "1152921504606846976",
}

// quantity parses a resource quantity, written as text or as a number.
func quantity(v any) (*big.Rat, bool) {
	text, isText := v.(string)
	if !isText {
		var ok bool
		if text, ok = number(v); !ok {
			return nil, false
		}
	}
	parts := quantityForm.FindStringSubmatch(text)
	if parts == nil {
		return nil, false
	}
	unit, known := quantityUnits[parts[2]]
	if !known {
		unit = "1" + parts[2]
	}
	amount, ok := new(big.Rat).SetString(strings.TrimPrefix(parts[1], "+"))
	factor, factorOK := new(big.Rat).SetString(unit)
	if !ok || !factorOK {
		return nil, false
	}
	return amount.Mul(amount, factor), true
}

func sameQuantity(base, head any) bool {
	b, bOK := quantity(base)
	h, hOK := quantity(head)
	return bOK && hOK && b.Cmp(h) == 0
}
