package kargo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// graphCheck checks that the requests of one project's stages can be answered.
type graphCheck struct {
	*loader
	project    string
	stages     map[string]promote.Stage
	stageNames []string
	warehouses map[string]bool
	names      []string // of the warehouses
}

// checkGraph checks every request and that no stages wait for each other.
func (l *loader) checkGraph(p *project, pipeline promote.Pipeline) {
	c := graphCheck{loader: l, project: p.name, stages: map[string]promote.Stage{}, warehouses: map[string]bool{}}
	for _, s := range pipeline.Stages {
		c.stages[s.Name] = s
		c.stageNames = append(c.stageNames, s.Name)
	}
	for _, w := range pipeline.Warehouses {
		c.warehouses[w.Name] = true
		c.names = append(c.names, w.Name)
	}
	for i, s := range pipeline.Stages {
		for j, r := range s.Requests {
			c.request(p.stages[i].object, fmt.Sprintf("spec.requestedFreight[%d]", j), r)
		}
	}
	c.cycles(p, pipeline)
}

func (c graphCheck) request(o object, path string, r promote.FreightRequest) {
	if r.Warehouse != "" && !c.warehouses[r.Warehouse] {
		c.fail(o, path+".origin.name", "unknown-warehouse", fmt.Sprintf("Warehouse %q does not exist in project %q", r.Warehouse, c.project),
			c.near(r.Warehouse, c.names, "warehouses of the project"))
	}
	for i, name := range r.Stages {
		at := fmt.Sprintf("%s.sources.stages[%d]", path, i)
		switch upstream, ok := c.stages[name]; {
		case !ok:
			others := slices.DeleteFunc(slices.Clone(c.stageNames), func(other string) bool { return other == o.name })
			c.fail(o, at, "unknown-stage", fmt.Sprintf("upstream Stage %q does not exist in project %q", name, c.project),
				c.near(name, others, "other stages of the project"))
		case c.warehouses[r.Warehouse] && !requests(upstream, r.Warehouse):
			c.fail(o, at, "unreachable-freight",
				fmt.Sprintf("upstream Stage %q does not request freight of warehouse %q, so none will ever come from there", name, r.Warehouse),
				fmt.Sprintf("request warehouse %q in stage %q, or take the freight from elsewhere", r.Warehouse, name))
		}
	}
	c.match(o, path, r)
}

// match reports a request that follows a stage without steps, in which nothing ever runs.
func (c graphCheck) match(o object, path string, r promote.FreightRequest) {
	if !r.MatchUpstream || len(r.Stages) != 1 {
		return
	}
	if upstream, ok := c.stages[r.Stages[0]]; ok && len(upstream.Steps) == 0 {
		c.fail(o, path+".sources.autoPromotionOptions.selectionPolicy", "unreachable-freight",
			fmt.Sprintf("nothing ever runs in upstream Stage %q, which has no steps, so there is nothing to match", upstream.Name),
			"write NewestFreight, or take the freight from a stage with steps")
	}
}

// cycles reports each cycle to every stage on it.
func (c graphCheck) cycles(p *project, pipeline promote.Pipeline) {
	graph := upstreams(pipeline)
	on := map[string][]string{} // the cycle that was found for a stage
	for i, s := range pipeline.Stages {
		cycle := on[s.Name]
		if cycle == nil {
			ring := cycleFrom(graph, s.Name)
			for j, name := range ring {
				for k := range min(len(ring)+1, maxCycle) {
					on[name] = append(on[name], ring[(j+k)%len(ring)])
				}
			}
			cycle = on[s.Name]
		}
		if cycle != nil {
			c.fail(p.stages[i].object, "spec.requestedFreight", "stage-cycle",
				"the stages wait for each other: "+strings.Join(cycle, " takes freight from "), "remove one of these sources")
		}
	}
}

// maxCycle bounds how many stages of a cycle are named.
const maxCycle = 20

func requests(s promote.Stage, warehouse string) bool {
	return slices.ContainsFunc(s.Requests, func(r promote.FreightRequest) bool { return r.Warehouse == warehouse })
}

// upstreams lists the sources of every stage that may be on a cycle: stages without a source are taken away until none is left.
func upstreams(pipeline promote.Pipeline) map[string][]string {
	graph := make(map[string][]string, len(pipeline.Stages))
	for _, s := range pipeline.Stages {
		for _, r := range s.Requests {
			graph[s.Name] = append(graph[s.Name], r.Stages...)
		}
	}
	for again := true; again; {
		again = false
		for _, s := range pipeline.Stages {
			sources, left := graph[s.Name]
			if left && !slices.ContainsFunc(sources, func(name string) bool { _, ok := graph[name]; return ok }) {
				delete(graph, s.Name)
				again = true
			}
		}
	}
	return graph
}

// cycleFrom returns the stages on the shortest way from a stage over its sources back to itself; nil when there is none.
func cycleFrom(graph map[string][]string, start string) []string {
	from := map[string]string{}
	for queue := []string{start}; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		for _, upstream := range graph[name] {
			if upstream == start {
				return way(from, start, name)
			}
			if _, visited := from[upstream]; !visited {
				from[upstream] = name
				queue = append(queue, upstream)
			}
		}
	}
	return nil
}

// way walks back from the last stage of a cycle to its start.
func way(from map[string]string, start, last string) []string {
	path := []string{last}
	for last != start {
		last = from[last]
		path = append(path, last)
	}
	slices.Reverse(path)
	return path
}
