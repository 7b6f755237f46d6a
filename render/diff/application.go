package diff

import (
	"cmp"
	"slices"
)

// Says is what an Argo CD Application says beside the objects that it deploys: from where they come, and what is done with them.
type Says struct {
	Project   string
	Namespace string // of the destination
	Sources   []Source
	Automated bool // Argo CD syncs by itself
	Prune     bool // and deletes what is not there any more
	SelfHeal  bool // and undoes what others change
	Options   []string
}

// Source is where an Application takes manifests from.
type Source struct{ Repository, Path, Chart, Revision string }

// name is the chart or folder of a source.
func (s Source) name() string {
	if s.Chart != "" {
		return "chart " + s.Chart
	}
	return cmp.Or(s.Path, ".")
}

// words names a source without its revision.
func (s Source) words() string { return s.name() + " of " + s.Repository }

// says tells what an Application says at head and did not at base, and reports whether there is anything. One that comes or goes
// says nothing new.
func (c *collector) says(app App) bool {
	told := len(c.facts)
	if appKind(app) == Changed {
		c.restated(app.BaseSays, app.HeadSays)
	}
	return len(c.facts) > told
}

func (c *collector) restated(base, head Says) {
	c.replaced("project ", base.Project, head.Project)
	c.replaced("namespace ", base.Namespace, head.Namespace)
	c.sources(base.Sources, head.Sources)
	switch {
	case base.Automated && !head.Automated:
		c.danger(FactApplication, sentence("is not synced automatically any more: what is merged is deployed when somebody syncs it"))
	case !base.Automated && head.Automated:
		c.add(FactApplication, sentence("is synced automatically from now on"))
	}
	switch {
	case base.Prune && !head.Prune && head.Automated:
		c.add(FactApplication, sentence("does not prune any more: what it does not deploy any more stays"))
	case !base.Prune && head.Prune:
		c.danger(FactApplication, sentence("prunes from now on: what it does not deploy any more is deleted"))
	}
	switch {
	case base.SelfHeal && !head.SelfHeal && head.Automated:
		c.add(FactApplication, sentence("does not heal itself any more: what others change in the cluster stays"))
	case !base.SelfHeal && head.SelfHeal:
		c.add(FactApplication, sentence("heals itself from now on: what others change in the cluster is undone"))
	}
	for _, option := range base.Options {
		if !slices.Contains(head.Options, option) {
			c.add(FactApplication, sentence("sync option ", Mask(option), " is gone"))
		}
	}
	for _, option := range head.Options {
		if !slices.Contains(base.Options, option) {
			c.add(FactApplication, sentence("sync option ", Mask(option), " is new"))
		}
	}
}

func (c *collector) replaced(what, before, after string) {
	if before != after {
		c.add(FactApplication, sentence(what, Mask(cmp.Or(before, "none")), " → ", Mask(cmp.Or(after, "none"))))
	}
}

// revision tells that a source is taken at another one.
func (c *collector) revision(s Source, before string) {
	if before, after := cmp.Or(before, "HEAD"), cmp.Or(s.Revision, "HEAD"); before != after {
		c.add(FactApplication, sentence("revision of ", Mask(s.name()), ": ", Mask(before), " → ", Mask(after)))
	}
}

// sources tells of revisions where what they are of stays, else of the sources that come and go.
func (c *collector) sources(base, head []Source) {
	same := len(base) == len(head)
	for i := range base {
		same = same && base[i].words() == head[i].words()
	}
	if same {
		for i, s := range head {
			c.revision(s, base[i].Revision)
		}
		return
	}
	for _, s := range base {
		if !slices.Contains(head, s) {
			c.add(FactApplication, sentence("does not deploy ", Mask(s.words()), " at ", Mask(cmp.Or(s.Revision, "HEAD")), " any more"))
		}
	}
	for _, s := range head {
		if !slices.Contains(base, s) {
			c.add(FactApplication, sentence("deploys ", Mask(s.words()), " at ", Mask(cmp.Or(s.Revision, "HEAD"))))
		}
	}
}
