package diff

import (
	"math"
	"math/big"
	"slices"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// workload names what an autoscaler or a budget is about.
type workload struct{ kind, namespace, name string }

// scaled returns the autoscaler of each workload that has one: a HorizontalPodAutoscaler, or KEDA's ScaledObject, which makes one
// for a Deployment when it names no kind.
func scaled(objects []object.Object) map[workload]string {
	out := map[workload]string{}
	for _, o := range objects {
		id := o.ID()
		hpa := id.Group == "autoscaling" && id.Kind == "HorizontalPodAutoscaler"
		if !hpa && (id.Group != "keda.sh" || id.Kind != "ScaledObject") {
			continue
		}
		target := child(o.Fields["spec"], "scaleTargetRef")
		kind, _ := child(target, "kind").(string)
		if kind == "" && !hpa {
			kind = "Deployment"
		}
		name, _ := child(target, "name").(string)
		out[workload{kind, id.Namespace, name}] = id.Kind + " " + id.Name
	}
	return out
}

// autoscaled is about replicas that an autoscaler owns: Argo CD writes the number of the manifest with every sync, and the
// autoscaler its own.
func (c *collector) autoscaled(o ObjectChange) {
	by, are := c.scaled[workload{o.ID.Kind, o.ID.Namespace, o.ID.Name}]
	if !are || !slices.ContainsFunc(o.Fields, func(f FieldChange) bool { return f.Path == "spec.replicas" && f.After != nil }) {
		return
	}
	c.danger(FactReplicas, sentence("the replicas of ", name(o.ID), " belong to ", by, ": every sync sets them back to what the manifest says; leave spec.replicas out"))
}

// restarts tells which pods are replaced, once for the application.
func (c *collector) restarts(objects []ObjectChange) {
	var parts []Part
	for _, o := range objects {
		if o.Kind != Changed || !o.restarts() {
			continue
		}
		what := c.podsOf(o)
		if what == "" {
			continue
		}
		words := ", "
		if len(parts) == 0 {
			words = "restarts "
		}
		parts = append(parts, sentence(words+what+" of ", name(o.ID))...)
		if how := strategy(o.Head.Fields); how != "" {
			parts = append(parts, Part{Text: how})
		}
	}
	if len(parts) > 0 {
		c.add(FactRestart, parts)
	}
}

// podsOf says how many pods a workload runs, "" when none restarts.
func (c *collector) podsOf(o ObjectChange) string {
	if o.ID.Group != "apps" {
		return ""
	}
	spec := o.Head.Fields["spec"]
	replicas, known := fewest(child(o.Base.Fields["spec"], "replicas"), child(spec, "replicas"))
	_, autoscaled := c.scaled[workload{o.ID.Kind, o.ID.Namespace, o.ID.Name}]
	switch {
	case o.ID.Kind != "Deployment" && o.ID.Kind != "StatefulSet" && o.ID.Kind != "DaemonSet":
		return ""
	case child(child(spec, "updateStrategy"), "type") == "OnDelete", child(spec, "paused") == true:
		return ""
	case o.ID.Kind == "DaemonSet":
		return "a pod on each node"
	case autoscaled, !known:
		return "the pods"
	case replicas == 0:
		return ""
	default:
		return count(replicas, "pod")
	}
}

// fewest returns the smaller of two numbers of replicas: so many run before and after. None is one (Kubernetes: the default of
// Deployments and StatefulSets); false for what is no number.
func fewest(base, head any) (int, bool) {
	least := math.MaxInt32
	for _, v := range []any{base, head} {
		switch v := v.(type) {
		case nil:
			least = min(least, 1)
		case int64:
			least = min(least, int(max(v, 0)))
		case float64:
			least = min(least, int(max(v, 0)))
		default:
			return 0, false
		}
	}
	return least, true
}

// strategy says when pods are not replaced one after the other.
func strategy(fields map[string]any) string {
	if child(child(fields["spec"], "strategy"), "type") == "Recreate" {
		return " (all at once: it does not answer meanwhile)"
	}
	return ""
}

// unevictable is about PodDisruptionBudgets that let no pod go: nodes cannot be drained, and upgrades of the cluster stand still.
func (c *collector) unevictable(app App) {
	before := map[object.ID]bool{}
	for _, id := range blocking(app.Base) {
		before[id] = true
	}
	for _, id := range blocking(app.Head) {
		if !before[id] {
			c.danger(FactReplicas, sentence("", name(id), " forbids every eviction: nodes with its pods cannot be drained"))
		}
	}
}

// blocking returns the budgets that allow no disruption at all.
func blocking(objects []object.Object) []object.ID {
	var out []object.ID
	autoscaled := scaled(objects)
	for _, o := range objects {
		id := o.ID()
		if id.Group != "policy" || id.Kind != "PodDisruptionBudget" {
			continue
		}
		spec := o.Fields["spec"]
		least, isNumber := number(child(spec, "minAvailable"))
		most := child(spec, "maxUnavailable")
		switch none, _ := number(most); {
		case most == "0%" || most == "0" || none == "0", child(spec, "minAvailable") == "100%":
			out = append(out, id)
		case isNumber && least != "0" && covers(objects, autoscaled, id.Namespace, child(spec, "selector"), least):
			out = append(out, id)
		}
	}
	return out
}

// covers reports whether the workloads that the selector finds together run no more pods than must be available.
func covers(objects []object.Object, autoscaled map[workload]string, namespace string, selector any, least string) bool {
	wanted, _ := child(selector, "matchLabels").(map[string]any)
	if len(wanted) == 0 || child(selector, "matchExpressions") != nil {
		return false
	}
	pods := new(big.Rat)
	for _, o := range objects {
		id := o.ID()
		labels, _ := child(child(child(o.Fields["spec"], "template"), "metadata"), "labels").(map[string]any)
		if id.Namespace != namespace || !includes(labels, wanted) || id.Group == "batch" {
			continue
		}
		replicas := child(o.Fields["spec"], "replicas")
		if replicas == nil {
			replicas = int64(1)
		}
		runs, ok := quantity(replicas)
		if !ok || id.Group != "apps" || id.Kind != "Deployment" && id.Kind != "StatefulSet" || autoscaled[workload{id.Kind, namespace, id.Name}] != "" {
			return false // how many pods it runs is not known
		}
		pods.Add(pods, runs)
	}
	needed, ok := quantity(least)
	return ok && pods.Sign() > 0 && pods.Cmp(needed) <= 0
}

func includes(labels, wanted map[string]any) bool {
	for key, v := range wanted {
		if isComposite(v) || labels[key] != v {
			return false
		}
	}
	return true
}
