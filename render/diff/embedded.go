package diff

import (
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/jsontext"
	"github.com/lockkeeper/lockkeeper/render/diff/document"
)

// Bounds of what is looked at within texts.
const (
	maxInside = 3   // documents within documents
	maxNested = 100 // changes of one document; beyond, its lines say more
)

// documents compares two texts of which at least one is a document, by what it means, and reports whether that is what they
// are. Its secrets are found by their names in it, which see more than a look at the lines does: then the text that is kept
// is the document written anew.
func (w *walker) documents(base, head any) (before, after any, are bool) {
	b, bIsText := base.(string)
	h, hIsText := head.(string)
	differ := w.quiet == 0 && bIsText && hIsText && b != h
	switch {
	case w.masked, w.inside >= maxInside:
		return nil, nil, false
	case !bIsText && !isAbsent(base), !hIsText && !isAbsent(head):
		return nil, nil, false
	case !differ && !mayHide(b) && !mayHide(h):
		return nil, nil, false
	}
	bDoc, bFormat := w.parse(b)
	hDoc, hFormat := w.parse(h)
	if bFormat == "" && hFormat == "" {
		return nil, nil, false
	}
	in := walker{custom: true, exact: true, inside: w.inside + 1, path: slices.Clone(w.path), quiet: w.quiet}
	if bFormat != hFormat { // only their secrets are looked for, in each by itself
		in.quiet++
	}
	bMasked, hMasked := in.pair(bDoc, hDoc, hint{})
	if in.hidden > 0 && (aliases(b, bFormat) || aliases(h, hFormat)) {
		before, after = w.sealed(base, head, "secret")
		return before, after, true
	}
	before, after = w.texts(base, head)
	if in.hidden > 0 {
		w.hidden += in.hidden
		before, after = rewritten(before, bFormat, bMasked), rewritten(after, hFormat, hMasked)
	}
	if bIsText && hIsText && b != h && before == after {
		before, after = before.(string)+"\n# as it was written before", after.(string)+"\n# as it is written now"
	}
	w.tell(in, before, after, b == h && bIsText == hIsText)
	return before, after, true
}

// mayHide reports whether a document can hold what the lines of its text do not give away: the name of a secret, or
// characters that are written as something else.
func mayHide(text string) bool {
	return strings.Contains(text, `\`) || isSecretName(text) || strings.Contains(text, "://") || strings.Contains(text, registryLogins)
}

// alias is where YAML takes a value that stands elsewhere.
var alias = regexp.MustCompile(`(?m)[\s\[,]\*([\w.-]+)[ \t\r]*(?:$|[,\]}#:])`)

// aliases reports whether a document has values that stand in two places: a secret may be called otherwise in the other one.
func aliases(text string, format document.Format) bool {
	return format == document.YAML && slices.ContainsFunc(alias.FindAllStringSubmatch(text, -1), func(found []string) bool {
		return strings.Contains(text, "&"+found[1])
	})
}

// parse reads a text, which counts as absent where it is no document.
func (w *walker) parse(text string) (any, document.Format) {
	v, format := document.Parse(w.field(0), text)
	if format == "" {
		return absent{}, ""
	}
	return v, format
}

// texts masks texts by their lines.
func (w *walker) texts(base, head any) (any, any) {
	b, bIsText := base.(string)
	h, hIsText := head.(string)
	switch {
	case bIsText && hIsText:
		before, after := maskTexts(b, h)
		return before, after
	case bIsText:
		return plain(b, wasRemoved), absent{}
	default:
		return absent{}, plain(h, wasAdded)
	}
}

// rewritten is a masked document as a text, in the style of the one that it was; text where there is no document.
func rewritten(text any, format document.Format, masked any) any {
	if format == "" {
		return text
	}
	if format == document.JSON {
		if raw, err := jsontext.Indented(masked); err == nil {
			return string(raw)
		}
	}
	return yamlText(masked)
}

// tell adds what differs in two documents: each value by its path where both could be read.
func (w *walker) tell(in walker, before, after any, same bool) {
	switch {
	case same || w.quiet > 0:
	case in.quiet > 0 || w.exact && w.inside == 0 || len(in.fields) > maxNested:
		w.emit(before, after)
	case len(in.fields) > 0:
		w.fields = append(w.fields, in.fields...)
	default:
		change := w.change(before, after)
		change.Only = OnlyFormatting
		w.fields = append(w.fields, change)
	}
}
