package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// imageRef is an image reference in its parts.
type imageRef struct{ repo, tag, digest string }

func parseImage(s string) imageRef {
	var ref imageRef
	ref.repo, ref.digest, _ = strings.Cut(s, "@")
	if i := strings.LastIndexByte(ref.repo, ':'); i > strings.LastIndexByte(ref.repo, '/') {
		ref.repo, ref.tag = ref.repo[:i], ref.repo[i+1:]
	}
	return ref
}

// loose reports whether the reference may name another image tomorrow.
func (r imageRef) loose() bool { return r.digest == "" && (r.tag == "" || r.tag == "latest") }

// version is the part after the repository; the digest is cut to what people compare.
func (r imageRef) version() string {
	digest := r.digest
	if algorithm, sum, ok := strings.Cut(digest, ":"); ok && len(sum) > 12 {
		digest = algorithm + ":" + sum[:12] + "…"
	}
	switch {
	case digest == "":
		if r.tag == "" {
			return "(no tag)"
		}
		return r.tag
	case r.tag == "":
		return digest
	default:
		return r.tag + "@" + digest
	}
}

// ImageChange is a container that gets another version of its image.
type ImageChange struct {
	App           string
	ID            object.ID
	Repository    string // such as ghcr.io/acme/web
	Before, After string // its tags; "" when there is none
}

// Images returns the containers that get another version of the image that they run, in the order of the report. Those that
// come, go or get another image are not among them.
func (r Report) Images() []ImageChange {
	var images []ImageChange
	for _, app := range r.Apps {
		for _, o := range app.Objects {
			for _, f := range o.Fields {
				before, were := f.Before.(string)
				after, are := f.After.(string)
				inContainer := !f.inside && f.steps[len(f.steps)-1].field() == "image" && containerList(f.steps[:len(f.steps)-1])
				base, head := parseImage(before), parseImage(after)
				if were && are && inContainer && base.repo == head.repo {
					images = append(images, ImageChange{App: app.Name, ID: o.ID, Repository: head.repo, Before: base.tag, After: head.tag})
				}
			}
		}
	}
	return images
}

// image collects what a changed field says about images.
func (c *collector) image(o ObjectChange, f FieldChange) {
	last := f.steps[len(f.steps)-1]
	switch before, after := f.Before, f.After; {
	case last.field() == "image":
		c.imageChange(o, f)
	case o.custom() && (last.field() == "tag" || last.field() == "imageTag"):
		c.tagChange(o, f)
	case last.named && containerList(f.steps):
		_, item, _ := strings.Cut(last.item, "=")
		if after == nil {
			c.add(FactContainer, sentence("container ", item, " removed from ", name(o.ID)))
		} else if before == nil {
			c.add(FactContainer, sentence("new container ", item, " in ", name(o.ID)))
		}
		c.loose(after, o.ID)
	default:
		c.loose(after, o.ID)
	}
}

// goesBack reports whether one version is lower than another. Tags that are no versions have no order.
func goesBack(before, after string) bool {
	b, errB := semver.NewVersion(before)
	a, errA := semver.NewVersion(after)
	return errB == nil && errA == nil && a.LessThan(b)
}

func containerList(steps []step) bool {
	if len(steps) < 2 {
		return false
	}
	list := steps[len(steps)-2].field()
	return list == "containers" || list == "initContainers"
}

func (o ObjectChange) custom() bool { return isCustom(o.ID.Group) }

func (c *collector) imageChange(o ObjectChange, f FieldChange) {
	after, ok := f.After.(string)
	if !ok {
		return
	}
	weak := o.custom() && (len(f.steps) < 3 || !containerList(f.steps[:len(f.steps)-1]))
	if strings.Contains(after, object.UnknownPrefix) {
		c.told = append(c.told, told{kind: FactImage, words: "image ", before: orUnset(f.Before), after: after, where: name(o.ID), weak: weak})
		return
	}
	head := parseImage(after)
	if head.loose() && !weak {
		c.looseImage(head, o.ID)
	}
	before, ok := f.Before.(string)
	if !ok {
		return
	}
	base := parseImage(before)
	t := told{kind: FactImage, words: "image ", what: head.repo, before: base.version(), after: head.version(), where: name(o.ID), weak: weak}
	if base.repo != head.repo {
		t.words, t.what, t.before, t.after = "image from another repository: ", "", before, after
	}
	if t.before == t.after {
		t.before, t.after = before, after
	}
	if t.from, t.to = before, after; base.repo == head.repo && goesBack(base.tag, head.tag) {
		t.words, t.danger = "image goes back: ", true
	}
	c.told = append(c.told, t)
}

// tagChange is about a tag that stands beside the name of the image, as in the values of a kro instance.
func (c *collector) tagChange(o ObjectChange, f FieldChange) {
	if isComposite(f.Before) || isComposite(f.After) || f.Before == nil || f.After == nil {
		return
	}
	siblings, _ := lookup(o.Head.Fields, f.steps[:len(f.steps)-1]).(map[string]any)
	var repo string
	for _, key := range []string{"image", "repository", "imageName"} {
		if repo, _ = siblings[key].(string); repo != "" {
			break
		}
	}
	if registry, _ := siblings["registry"].(string); registry != "" && repo != "" {
		repo = registry + "/" + repo
	}
	if repo == "" {
		return
	}
	c.told = append(c.told, told{
		kind: FactImage, words: "image ", what: repo, before: fmt.Sprint(f.Before), after: fmt.Sprint(f.After), where: name(o.ID), weak: true,
	})
}

// lookup follows map keys; it finds nothing below a list.
func lookup(v any, steps []step) any {
	for _, s := range steps {
		m, ok := v.(map[string]any)
		if !ok || s.item != "" {
			return nil
		}
		v = m[s.key]
	}
	return v
}

// loose looks in v for containers whose image has no fixed tag. One that has its tag beside it is not the whole reference.
func (c *collector) loose(v any, id object.ID) {
	switch v := v.(type) {
	case map[string]any:
		if image, ok := v["image"].(string); ok && v["name"] != nil && !strings.Contains(image, object.UnknownPrefix) {
			if ref := parseImage(image); ref.loose() && v["tag"] == nil && v["imageTag"] == nil && v["version"] == nil && v["digest"] == nil {
				c.looseImage(ref, id)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.loose(v[key], id)
		}
	case []any:
		for _, item := range v {
			c.loose(item, id)
		}
	}
}

func (c *collector) looseImage(ref imageRef, id object.ID) {
	tag := "has no tag"
	if ref.tag != "" {
		tag = "has the tag " + ref.tag
	}
	c.danger(FactImage, sentence("image ", ref.repo, " "+tag+", so the version that runs is not fixed, in ", name(id)))
}

// replicas collects a changed number of replicas.
func (c *collector) replicas(o ObjectChange, f FieldChange) {
	if f.steps[len(f.steps)-1].field() != "replicas" || isComposite(f.Before) || isComposite(f.After) {
		return
	}
	zero, _ := number(f.After)
	c.told = append(c.told, told{
		kind: FactReplicas, words: "replicas ", before: orUnset(f.Before), after: orUnset(f.After), where: name(o.ID),
		weak: o.custom(), danger: zero == "0",
	})
}

func orUnset(v any) string {
	if v == nil {
		return "unset"
	}
	return scalarText(v)
}

// resources collects changed requests and limits.
func (c *collector) resources(o ObjectChange, f FieldChange) {
	n := len(f.steps)
	if n < 3 || f.steps[n-3].field() != "resources" {
		return
	}
	group := f.steps[n-2].field()
	if group != "requests" && group != "limits" || isComposite(f.Before) || isComposite(f.After) {
		return
	}
	parts := sentence(strings.TrimSuffix(group, "s")+" ", f.steps[n-1].key, " ", orUnset(f.Before), " → ", orUnset(f.After))
	if n > 4 && f.steps[n-4].named {
		_, container, _ := strings.Cut(f.steps[n-4].item, "=")
		parts = append(parts, sentence(" for container ", container)...)
	}
	c.add(FactResources, append(parts, sentence(" in ", name(o.ID))...))
}

// config collects the keys of a ConfigMap or Secret that come, go or change.
func (c *collector) config(o ObjectChange) {
	if o.ID.Group != "" || o.ID.Kind != "ConfigMap" && o.ID.Kind != "Secret" {
		return
	}
	keys := map[Kind][]string{}
	known := map[string]bool{}
	for _, f := range o.Fields {
		if len(f.steps) < 2 || f.steps[0].key != "data" && f.steps[0].key != "binaryData" {
			continue
		}
		kind, key := f.Kind, f.steps[1].key
		if len(f.steps) > 2 {
			kind = Changed
		}
		if at := string(kind) + " " + key; !known[at] {
			known[at] = true
			keys[kind] = append(keys[kind], key)
		}
	}
	parts := sentence("", name(o.ID))
	for _, kind := range []Kind{Added, Removed, Changed} {
		for i, key := range keys[kind] {
			if i == 5 {
				parts = append(parts, Part{Text: fmt.Sprintf(" and %d more", len(keys[kind])-i)})
				break
			}
			words := ", "
			if i == 0 && len(parts) == 1 {
				words = ": " + string(kind) + " key "
			} else if i == 0 {
				words = "; " + string(kind) + " key "
			}
			parts = append(parts, sentence(words, key)...)
		}
	}
	if len(parts) > 1 {
		c.add(FactConfig, parts)
	}
}

// ports collects changed ports of a Service.
func (c *collector) ports(o ObjectChange) {
	if o.ID.Group != "" || o.ID.Kind != "Service" {
		return
	}
	base, head := servicePorts(o.Base.Fields), servicePorts(o.Head.Fields)
	gone := slices.DeleteFunc(slices.Clone(base), func(p string) bool { return slices.Contains(head, p) })
	come := slices.DeleteFunc(slices.Clone(head), func(p string) bool { return slices.Contains(base, p) })
	switch {
	case len(gone) == 1 && len(come) == 1:
		c.add(FactPort, sentence("", name(o.ID), " port ", gone[0], " → ", come[0]))
	case len(gone)+len(come) > 0:
		var changes []string
		if len(come) > 0 {
			changes = append(changes, "+"+strings.Join(come, " +"))
		}
		if len(gone) > 0 {
			changes = append(changes, "-"+strings.Join(gone, " -"))
		}
		c.add(FactPort, sentence("", name(o.ID), " ports ", strings.Join(changes, " ")))
	}
}

// servicePorts lists the ports of a Service as people write them: port[:targetPort][/protocol].
func servicePorts(fields map[string]any) []string {
	ports, _ := lookup(fields, []step{{key: "spec"}, {key: "ports"}}).([]any)
	out := make([]string, 0, len(ports))
	for _, p := range ports {
		m, ok := p.(map[string]any)
		if !ok || isComposite(m["port"]) || isComposite(m["targetPort"]) || isComposite(m["protocol"]) {
			continue
		}
		text := fmt.Sprint(m["port"])
		if target := m["targetPort"]; target != nil && fmt.Sprint(target) != text {
			text += ":" + fmt.Sprint(target)
		}
		if protocol := m["protocol"]; protocol != nil && protocol != "TCP" {
			text += "/" + fmt.Sprint(protocol)
		}
		out = append(out, text)
	}
	return out
}
