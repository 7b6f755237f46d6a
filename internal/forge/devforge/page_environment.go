package devforge

import (
	"slices"
	"time"
)

// environmentView is what runs in one environment, or is about to.
type environmentView struct {
	Name, State, SHA, URL, By string
	At                        time.Time
}

// viewEnvironments shows the last deployment of each environment, in the order in which the environments came.
func (s *site) viewEnvironments(p *project) []environmentView {
	var views []environmentView
	set := func(view environmentView) {
		i := slices.IndexFunc(views, func(known environmentView) bool { return known.Name == view.Name })
		if i < 0 {
			views = append(views, view)
			return
		}
		views[i] = view
	}
	for _, d := range p.GitHub.Deployments {
		view := environmentView{Name: d.Environment, State: "pending", SHA: d.SHA, By: s.name(d.Creator), At: d.UpdatedAt}
		if len(d.Statuses) > 0 {
			last := d.Statuses[len(d.Statuses)-1]
			if last.State == "inactive" {
				continue // superseded
			}
			view.State, view.URL = viewState(last.State), last.LogURL
		}
		set(view)
	}
	for _, d := range p.Deployments {
		if e := p.environment(d.Environment); e != nil {
			set(environmentView{Name: e.Name, State: d.Status, SHA: d.SHA, URL: e.URL, By: s.name(d.User), At: d.UpdatedAt})
		}
	}
	return views
}
