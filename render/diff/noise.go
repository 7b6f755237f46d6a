package diff

import (
	"fmt"
	"slices"
	"strings"
)

// Noise says why a change of a field says nothing by itself: it follows from another one, or from a new version of the chart. It
// is folded into one line, and never hidden.
type Noise string

// The reasons, "" for a change that is worth its line. They are the beginnings of the lines that noise is folded into.
const (
	NoiseChart    Noise = "labels of the chart"
	NoiseChecksum Noise = "checksums of what pods read"
	NoiseName     Noise = "references to generated names"
)

var noises = []Noise{NoiseChart, NoiseChecksum, NoiseName}

// chartLabels say which version of a chart made an object (Helm: "Labels and Annotations" of its best practices; chart is what
// charts before them wrote).
var chartLabels = map[string]bool{"helm.sh/chart": true, "app.kubernetes.io/version": true, "chart": true, "helm.sh/version": true}

// noiseOf judges a field by its place. What selects pods or stands in the claim templates of a StatefulSet cannot change, and is
// never noise.
func noiseOf(steps []step) Noise {
	n := len(steps)
	if n < 3 || steps[n-3].field() != "metadata" || slices.ContainsFunc(steps, func(s step) bool { return s.field() == "volumeClaimTemplates" }) {
		return ""
	}
	switch key := steps[n-1].key; {
	case steps[n-2].field() == "labels" && chartLabels[key]:
		return NoiseChart
	case steps[n-2].field() == "annotations" && (strings.HasPrefix(key, "checksum/") || strings.HasPrefix(key, "checksum.")):
		return NoiseChecksum
	}
	return ""
}

// quieten marks the noise in the objects of an application.
func quieten(objects []ObjectChange) {
	renamed := map[string]string{} // the old and the new generated name
	for _, o := range objects {
		if o.regenerated() {
			renamed[o.Was.Kind+" "+o.Was.Name] = o.ID.Name
		}
	}
	for i := range objects {
		for j := range objects[i].Fields {
			f := &objects[i].Fields[j]
			switch {
			case f.inside:
			case refersTo(f, renamed):
				f.Noise = NoiseName
			default:
				f.Noise = noiseOf(f.steps)
			}
		}
	}
}

// regenerated reports whether a generated object has new content and therefore a new name.
func (o ObjectChange) regenerated() bool {
	stem := generated(o.ID)
	return o.Kind == Renamed && stem != "" && stem == generated(o.Was) && o.ID.Kind == o.Was.Kind && o.ID.Namespace == o.Was.Namespace
}

// refersTo reports whether a field names a renamed object, and follows it.
func refersTo(f *FieldChange, renamed map[string]string) bool {
	before, isBefore := f.Before.(string)
	after, isAfter := f.After.(string)
	if !isBefore || !isAfter || after == "" {
		return false
	}
	field := strings.ToLower(f.steps[len(f.steps)-1].field())
	if field != "name" && field != "secretname" {
		return false
	}
	return renamed["ConfigMap "+before] == after || renamed["Secret "+before] == after
}

// quiet reports whether nothing but noise changes in an object.
func (o ObjectChange) quiet() bool {
	return o.Kind == Changed && len(o.Fields) > 0 && !slices.ContainsFunc(o.Fields, func(f FieldChange) bool { return f.Noise == "" })
}

// loud are the changes that are worth a line of their own.
func (o ObjectChange) loud() []FieldChange {
	return slices.DeleteFunc(slices.Clone(o.Fields), func(f FieldChange) bool { return f.Noise != "" })
}

// shown returns the objects that are worth a place of their own: those of which only noise changes are in the lines that
// [AppChange.folded] returns.
func (a AppChange) shown() []ObjectChange {
	return slices.DeleteFunc(slices.Clone(a.Objects), ObjectChange.quiet)
}

// folded is one line for each kind of noise.
func (a AppChange) folded() []string {
	var lines []string
	for _, noise := range noises {
		objects := 0
		var what []string
		known := map[string]bool{}
		for _, o := range a.Objects {
			found := false
			for _, f := range o.Fields {
				if f.Noise != noise {
					continue
				}
				found = true
				if text := f.steps[len(f.steps)-1].key + " " + orUnset(f.Before) + " → " + orUnset(f.After); !known[text] {
					known[text] = true
					what = append(what, text)
				}
			}
			if found {
				objects++
			}
		}
		if objects == 0 {
			continue
		}
		line := string(noise) + ": " + count(objects, "object")
		const most = 3
		switch {
		case noise == NoiseChecksum:
		case len(what) > most:
			line += fmt.Sprintf(" (%s and %d more)", strings.Join(what[:most], ", "), len(what)-most)
		default:
			line += " (" + strings.Join(what, ", ") + ")"
		}
		lines = append(lines, line)
	}
	return lines
}
