package promote

// merges reports whether a request asks for the merge of a promotion as it stands: at the head that it was given for, or made again
// since by ourselves with the same to see. What is not known to show the same does not.
func (r Request) merges(p Promotion) bool {
	return r.Merge != "" && r.Merge == p.ID && (r.Head == p.Head || r.Shown != "" && r.Shown == p.Shown)
}

// pin binds what people asked for of the open promotion of a stage, and of those that share its change, to the very heads that they
// asked for it at. Somebody had second thoughts since: what is made again after that has to be asked for again.
func (d *decision) pin(ref StageRef) {
	active, ok := d.index.active(ref)
	if !ok {
		return
	}
	for _, p := range append(d.index.crewOf(active.Branch), active) {
		for i, r := range d.index.requests[p.Stage] {
			if r.Merge != p.ID || r.Shown == "" {
				continue
			}
			pinned := *r
			pinned.Shown = ""
			d.index.requests[p.Stage][i] = &pinned
			d.do(PinRequest{pinned})
		}
	}
}
