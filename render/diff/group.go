package diff

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
)

// group is applications in which the same changes, apart from their names, stages and namespaces. It is shown once.
type group struct{ apps []AppChange }

// groups puts applications together that change in the same way, in the order of the first of each.
func groups(apps []AppChange) []group {
	at := make(map[[sha256.Size]byte]int, len(apps))
	out := make([]group, 0, len(apps))
	for _, app := range apps {
		key := app.print()
		if i, known := at[key]; known {
			out[i].apps = append(out[i].apps, app)
			continue
		}
		at[key] = len(out)
		out = append(out, group{apps: []AppChange{app}})
	}
	return out
}

func (g group) first() AppChange { return g.apps[0] }

// title names up to n of the applications.
func (g group) title(n int) string {
	if first := g.first(); len(g.apps) == 1 && first.Was != "" {
		return title(first) + ", renamed from " + first.Was
	}
	if len(g.apps) == 1 {
		return title(g.first())
	}
	names := make([]string, 0, len(g.apps))
	for _, app := range g.apps {
		names = append(names, title(app))
	}
	return fmt.Sprintf("the same in %d applications: %s", len(g.apps), listed(names, n))
}

// name is how an object is called in all of the applications, with what it was called before.
func (g group) name(o ObjectChange) string {
	id, was := o.ID, o.Was
	if len(g.apps) > 1 {
		id.Namespace, was.Namespace = "", ""
	}
	if o.Kind != Renamed {
		return id.String()
	}
	if id == was {
		id, was = o.ID, o.Was
	}
	return id.String() + ", renamed from " + was.String()
}

// origin says where an object comes from; of several applications, for one of them.
func (g group) origin(o ObjectChange) string {
	from := origin(o.Source)
	if from != "" && len(g.apps) > 1 {
		from += " and alike"
	}
	return from
}

// print is equal for applications in which the same changes.
func (a AppChange) print() [sha256.Size]byte {
	h := sha256.New()
	put(h, string(a.Kind), fmt.Sprint(a.Partial, a.Empty(), a.moves(), a.Was != ""), a.From, a.To)
	if a.Was != "" {
		put(h, a.Name, a.Namespace)
	}
	for _, f := range a.Findings {
		put(h, string(f.Severity), f.Message, f.Where)
	}
	for _, o := range a.Objects {
		put(h, string(o.Kind), o.ID.Group, o.ID.Kind, o.ID.Name, o.Was.Group, o.Was.Kind, o.Was.Name, fmt.Sprint(o.ID.Namespace == o.Was.Namespace))
		for _, f := range o.Fields {
			put(h, f.Path, string(f.Kind), string(f.Only), string(f.Noise))
			put(h, prints([]any{f.Before, f.After})...)
		}
		switch o.Kind {
		case Added:
			put(h, withoutNamespace(o.Head.Fields))
		case Removed:
			put(h, withoutNamespace(o.Base.Fields))
		case Changed, Renamed:
		}
	}
	var sum [sha256.Size]byte
	return [sha256.Size]byte(h.Sum(sum[:0]))
}

func withoutNamespace(fields map[string]any) string {
	text := yamlText(fields)
	if namespace, ok := child(fields["metadata"], "namespace").(string); ok && namespace != "" {
		text = strings.Replace(text, "\n  namespace: "+scalarText(namespace)+"\n", "\n", 1)
	}
	return text
}

// put adds texts to a hash so that no two lists of texts add the same.
func put(h hash.Hash, texts ...string) {
	for _, text := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	_, _ = h.Write([]byte{'\n'})
}
