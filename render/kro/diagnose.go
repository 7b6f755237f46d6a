package kro

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kubernetes-sigs/kro/api/v1alpha1"
	"github.com/kubernetes-sigs/kro/pkg/graph"
	"github.com/kubernetes-sigs/kro/pkg/graph/dag"
	"k8s.io/apimachinery/pkg/runtime"
)

// maxDiagnosed bounds how many resources of a broken definition are tried one by one.
const maxDiagnosed = 60

// rejection is why kro's builder rejects a definition, and which resource is to blame.
type rejection struct {
	text     string // the library's own words
	resource int    // index in spec.resources, -1 when none is to blame
	path     string // path in the resource's template, "" when the error names none
}

// diagnose finds the resource that an error of the builder is about. The builder looks at resources in random order and
// stops at the first error; so each is tried by itself with only those that it mentions, the smallest such set first, and
// the first that fails is the one.
func (c *compiled) diagnose(v *view, cause error) rejection {
	resources := c.definition.rgd.Spec.Resources
	sets := closures(resources)
	order := make([]int, len(resources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(sets[a]), len(sets[b])) })
	for _, i := range order[:min(len(order), maxDiagnosed)] {
		if err := c.tryOnly(v, sets[i]); err != nil {
			return c.describe(err, i)
		}
	}
	return c.describe(cause, -1)
}

// tryOnly builds the definition with some of its resources and without its status.
func (c *compiled) tryOnly(v *view, keep []int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kro's builder gave up: %v", r)
		}
	}()
	part := c.definition.rgd.DeepCopy()
	part.Spec.Schema.Status = runtime.RawExtension{}
	part.Spec.Resources = nil
	for _, i := range keep {
		part.Spec.Resources = append(part.Spec.Resources, c.definition.rgd.Spec.Resources[i])
	}
	builder, err := graph.NewBuilder(nil, nil, graph.WithSchemaResolver(v), graph.WithRESTMapper(v))
	if err != nil {
		return err
	}
	_, err = builder.NewResourceGraphDefinition(part, builderConfig())
	return err
}

func builderConfig() graph.Config {
	return graph.Config{MaxCollectionSize: maxCollection, MaxCollectionDimensionSize: maxDimensions}
}

var word = regexp.MustCompile(`[A-Za-z_]\w*`)

// closures lists, for every resource, itself and all that it may depend on: those whose id occurs in it as a word.
func closures(resources []*v1alpha1.Resource) [][]int {
	at := map[string]int{}
	for i, r := range resources {
		if r != nil {
			at[r.ID] = i
		}
	}
	mentions := make([][]int, len(resources))
	for i, r := range resources {
		if r == nil {
			continue
		}
		texts := append([]string{string(r.Template.Raw)}, r.IncludeWhen...)
		for _, d := range r.ForEach {
			texts = slices.AppendSeq(texts, maps.Values(d))
		}
		if r.ExternalRef != nil {
			texts = append(texts, r.ExternalRef.Metadata.Name, r.ExternalRef.Metadata.Namespace, string(r.ExternalRef.Metadata.Selector.Raw))
		}
		for _, w := range word.FindAllString(strings.Join(texts, " "), -1) {
			if j, ok := at[w]; ok && j != i && !slices.Contains(mentions[i], j) {
				mentions[i] = append(mentions[i], j)
			}
		}
	}
	out := make([][]int, len(resources))
	for i := range resources {
		reached := []int{i}
		for k := 0; k < len(reached); k++ {
			for _, j := range mentions[reached[k]] {
				if !slices.Contains(reached, j) {
					reached = append(reached, j)
				}
			}
		}
		slices.Sort(reached)
		out[i] = reached
	}
	return out
}

var atPath = regexp.MustCompile(`(?:at path "|for path \.?)([^",: ]+)`)

func (c *compiled) describe(err error, resource int) rejection {
	out := rejection{text: err.Error(), resource: resource}
	if m := atPath.FindStringSubmatch(out.text); m != nil {
		out.path = m[1]
	}
	cycle, ok := errors.AsType[*dag.CycleError[string]](err)
	if !ok || len(cycle.Cycle) < 2 {
		return out
	}
	ids := c.fromFirst(cycle.Cycle)
	out.text = strings.Replace(out.text, cycle.Error(), (&dag.CycleError[string]{Cycle: ids}).Error(), 1)
	out.resource = c.indexOf(ids[0])
	return out
}

// fromFirst turns a closed cycle so that it begins and ends with the resource that is written first.
func (c *compiled) fromFirst(cycle []string) []string {
	open := cycle[:len(cycle)-1]
	if cycle[0] != cycle[len(cycle)-1] {
		return cycle
	}
	start := 0
	for i, id := range open {
		if c.indexOf(id) < c.indexOf(open[start]) {
			start = i
		}
	}
	turned := slices.Concat(open[start:], open[:start])
	return append(turned, turned[0])
}

func (c *compiled) indexOf(id string) int {
	return slices.IndexFunc(c.definition.rgd.Spec.Resources, func(r *v1alpha1.Resource) bool { return r != nil && r.ID == id })
}

// place is the path in the definition's document that a rejection is about.
func (r rejection) place() string {
	switch {
	case r.resource < 0:
		return "spec.schema"
	case r.path != "":
		return fmt.Sprintf("spec.resources[%d].template.%s", r.resource, r.path)
	default:
		return fmt.Sprintf("spec.resources[%d].id", r.resource)
	}
}
