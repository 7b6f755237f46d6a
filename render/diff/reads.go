package diff

import (
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// read is what the pods of a workload take from a ConfigMap or a Secret.
type read struct {
	workload, config object.ID
	key              string // "" when it takes the whole object
	once             bool   // only when a container starts: an environment variable, or a file mounted by subPath
}

// lack is a read that will find nothing.
type lack struct {
	workload, config object.ID
	key              string // that is missing
	removed          bool   // the object itself goes
}

// lacks returns the reads of an application that will find nothing at head and did find something, or were not there, at base.
// Objects that the application does not deploy may come from elsewhere, and so may the keys of one that it deploys empty.
func lacks(app App) []lack {
	if app.HeadMissing || app.Partial {
		return nil
	}
	base, head := configs(slices.Concat(app.BaseHooks, app.Base)), configs(slices.Concat(app.HeadHooks, app.Head))
	before := map[read]bool{}
	for _, r := range reads(slices.Concat(app.Base, app.BaseHooks)) {
		before[r] = true
	}
	var out []lack
	said := map[lack]bool{} // it may be read in several ways
	for _, r := range reads(slices.Concat(app.Head, app.HeadHooks)) {
		config, deployed := head[r.config]
		_, was := base[r.config]
		found := lack{workload: r.workload, config: r.config}
		switch {
		case !deployed && was:
			found.removed = true
		case !deployed || r.key == "" || config == nil || config[r.key]:
			continue
		case before[r] && base[r.config] != nil && !base[r.config][r.key]:
			continue // it was missing before
		default:
			found.key = r.key
		}
		if !said[found] {
			said[found] = true
			out = append(out, found)
		}
	}
	return out
}

// configs returns the keys of every ConfigMap and Secret; nil where they are not known.
func configs(objects []object.Object) map[object.ID]map[string]bool {
	out := map[object.ID]map[string]bool{}
	for _, o := range objects {
		id := o.ID()
		if id.Group != "" || id.Kind != "ConfigMap" && id.Kind != "Secret" {
			continue
		}
		var keys map[string]bool
		for _, field := range []string{"data", "binaryData", "stringData"} {
			values, _ := o.Fields[field].(map[string]any)
			for key := range values {
				if keys == nil {
					keys = map[string]bool{}
				}
				keys[key] = true
			}
		}
		if slices.ContainsFunc(o.Unknown, func(path string) bool { return path == "data" || path == "stringData" || path == "binaryData" }) {
			keys = nil
		}
		out[id] = keys
	}
	return out
}

// podSpecs are where the kinds of Kubernetes have the specification of their pods.
var podSpecs = map[groupKind]string{
	{"", "Pod"}:                   "spec",
	{"", "ReplicationController"}: "spec.template.spec",
	{"apps", "Deployment"}:        "spec.template.spec",
	{"apps", "StatefulSet"}:       "spec.template.spec",
	{"apps", "DaemonSet"}:         "spec.template.spec",
	{"apps", "ReplicaSet"}:        "spec.template.spec",
	{"batch", "Job"}:              "spec.template.spec",
	{"batch", "CronJob"}:          "spec.jobTemplate.spec.template.spec",
}

// reads returns what the workloads among the objects cannot start without.
func reads(objects []object.Object) []read {
	var out []read
	for _, o := range objects {
		id := o.ID()
		at, ok := podSpecs[groupKind{id.Group, id.Kind}]
		if !ok {
			continue
		}
		var spec any = o.Fields
		for key := range strings.SplitSeq(at, ".") {
			spec = child(spec, key)
		}
		c := reader{workload: id, reloads: reloads(o)}
		c.pod(spec)
		out = append(out, c.found...)
	}
	return out
}

// reader collects the reads of one workload.
type reader struct {
	workload object.ID
	reloads  bool // something restarts it when what it reads changes
	found    []read
}

// reloads reports whether Reloader watches over a workload (stakater/Reloader: its annotations).
func reloads(o object.Object) bool {
	annotations, _ := child(o.Fields["metadata"], "annotations").(map[string]any)
	for key := range annotations {
		if strings.Contains(key, "reloader.stakater.com/") {
			return true
		}
	}
	return false
}

func (c *reader) pod(spec any) {
	once := map[string]bool{} // volumes that are mounted by subPath
	for _, list := range []string{"initContainers", "containers"} {
		for _, container := range items(spec, list) {
			for _, env := range items(container, "env") {
				from := child(env, "valueFrom")
				c.take("ConfigMap", child(from, "configMapKeyRef"), "name", true)
				c.take("Secret", child(from, "secretKeyRef"), "name", true)
			}
			for _, from := range items(container, "envFrom") {
				c.take("ConfigMap", child(from, "configMapRef"), "name", true)
				c.take("Secret", child(from, "secretRef"), "name", true)
			}
			for _, mount := range items(container, "volumeMounts") {
				if volume, _ := child(mount, "name").(string); child(mount, "subPath") != nil {
					once[volume] = true
				}
			}
		}
	}
	for _, volume := range items(spec, "volumes") {
		at, _ := child(volume, "name").(string)
		c.take("ConfigMap", child(volume, "configMap"), "name", once[at])
		c.take("Secret", child(volume, "secret"), "secretName", once[at])
		for _, source := range items(child(volume, "projected"), "sources") {
			c.take("ConfigMap", child(source, "configMap"), "name", once[at])
			c.take("Secret", child(source, "secret"), "name", once[at])
		}
	}
}

// take notes one reference. Optional ones may find nothing.
func (c *reader) take(kind string, ref any, nameField string, once bool) {
	name, _ := child(ref, nameField).(string)
	if name == "" || child(ref, "optional") == true || strings.Contains(name, object.UnknownPrefix) {
		return
	}
	r := read{workload: c.workload, config: object.ID{Kind: kind, Namespace: c.workload.Namespace, Name: name}, once: once && !c.reloads}
	if key, ok := child(ref, "key").(string); ok {
		r.key = key
	}
	chosen := items(ref, "items")
	for _, item := range chosen {
		r.key, _ = child(item, "key").(string)
		c.found = append(c.found, r)
	}
	if len(chosen) == 0 {
		c.found = append(c.found, r)
	}
}

// child returns a value of a map, nil when there is none.
func child(v any, key string) any {
	m, _ := v.(map[string]any)
	return m[key]
}

// items returns a list in a map, nil when there is none.
func items(v any, key string) []any {
	list, _ := child(v, key).([]any)
	return list
}

// lacking tells of pods that will not start.
func (c *collector) lacking(all []lack) {
	for _, l := range all {
		if l.removed {
			c.danger(FactConfig, sentence("", name(l.workload), " reads ", name(l.config), ", which is removed: its pods do not start without it"))
		} else {
			c.danger(FactConfig, sentence("", name(l.workload), " reads the key ", Mask(l.key), " of ", name(l.config), ", which does not have it: its pods do not start"))
		}
	}
}

// stale tells of pods that go on with old values: what they read once has changed, and nothing restarts them.
func (c *collector) stale(objects []ObjectChange, all []read) {
	restarts, touched := map[object.ID]bool{}, map[object.ID]touch{}
	for _, o := range objects {
		if o.Kind == Changed {
			restarts[o.ID], touched[o.ID] = o.restarts(), touchOf(o)
		}
	}
	said := map[read]bool{}
	for _, r := range all {
		pair := read{workload: r.workload, config: r.config}
		if !r.once || r.workload.Kind == "Job" || r.workload.Kind == "CronJob" || restarts[r.workload] || !touched[r.config].has(r.key) || said[pair] {
			continue
		}
		said[pair] = true
		c.add(FactConfig, sentence("", name(r.workload), " reads ", name(r.config), " only when it starts: its pods keep the old values until they are restarted"))
	}
}

// restarts reports whether the change replaces the pods of a workload.
func (o ObjectChange) restarts() bool {
	return slices.ContainsFunc(o.Fields, func(f FieldChange) bool { return within(f.Path, "spec.template") })
}

// touch is which keys of a ConfigMap or Secret change; the zero value is none.
type touch struct {
	keys map[string]bool
	all  bool // all of them come or go
}

func touchOf(o ObjectChange) touch {
	var t touch
	for _, f := range o.Fields {
		switch {
		case f.steps[0].key != "data" && f.steps[0].key != "binaryData":
		case len(f.steps) < 2:
			t.all = true
		default:
			if t.keys == nil {
				t.keys = map[string]bool{}
			}
			t.keys[f.steps[1].key] = true
		}
	}
	return t
}

// has reports whether a key changes, or any when key is "".
func (t touch) has(key string) bool { return t.all || t.keys[key] || key == "" && len(t.keys) > 0 }
