package doctor

import "fmt"

// ArgoCD is the server that deploys.
type ArgoCD struct {
	URL     string // empty: none is configured
	Version string
	User    string
	Err     error // the version could not be had
	UserErr error
}

// Findings says whether Argo CD answers, and whom it takes us for.
func (a ArgoCD) Findings() []Finding {
	switch {
	case a.URL == "":
		return []Finding{{
			Verdict: Skipped, Check: "argo cd", Text: "no server is configured: promotions wait after their merge",
			Remedy: "set argocd.url and LOCKKEEPER_ARGOCD_TOKEN, unless no pipeline syncs applications",
		}}
	case a.Err != nil:
		return []Finding{{Verdict: Failure, Check: "argo cd", Text: a.Err.Error(), Remedy: "check argocd.url, and that this machine reaches it: curl " + a.URL + "/api/version"}}
	}
	found := []Finding{{Verdict: OK, Check: "argo cd", Text: fmt.Sprintf("%s answers at %s", a.Version, a.URL)}}
	if a.UserErr != nil {
		return append(found, Finding{
			Verdict: Failure, Check: "argo cd token", Text: a.UserErr.Error(),
			Remedy: "make one with argocd proj role create-token PROJECT lockkeeper, and set LOCKKEEPER_ARGOCD_TOKEN",
		})
	}
	return append(found, Finding{Verdict: OK, Check: "argo cd token", Text: fmt.Sprintf("it is that of %q", a.User)})
}

// Application is one that a stage may touch.
type Application struct {
	Name     string
	Project  string
	Get      bool
	Sync     bool
	AutoSync bool // Argo CD syncs it by itself
	Err      error
}

// shownApplications bounds a report; a fleet has thousands.
const shownApplications = 20

// Applications says whether the token may get and sync what the pipelines deliver to.
func Applications(apps []Application) []Finding {
	var found []Finding
	fine, left := 0, 0
	for _, app := range apps {
		f, ok := app.finding()
		switch {
		case ok:
			fine++
		case len(found) == shownApplications:
			left++
		default:
			found = append(found, f)
		}
	}
	if left > 0 {
		found = append(found, Finding{Verdict: Failure, Check: "applications", Text: fmt.Sprintf("%d more have such problems", left)})
	}
	if fine > 0 {
		found = append(found, Finding{Verdict: OK, Check: "applications", Text: fmt.Sprintf("the token may get and sync %d of %d", fine, len(apps))})
	}
	return found
}

func (a Application) finding() (f Finding, fine bool) {
	policy := func(action string) string {
		return fmt.Sprintf("add to the role's policies: p, proj:%[1]s:lockkeeper, applications, %[2]s, %[1]s/*, allow", a.Project, action)
	}
	switch {
	case a.Err != nil:
		return Finding{Verdict: Failure, Check: "applications", Text: a.Err.Error()}, false
	case !a.Get:
		return Finding{Verdict: Failure, Check: "applications", Text: fmt.Sprintf("the token may not get application %q of project %q", a.Name, a.Project), Remedy: policy("get")}, false
	case !a.Sync && !a.AutoSync:
		return Finding{Verdict: Failure, Check: "applications", Text: fmt.Sprintf("the token may not sync application %q of project %q", a.Name, a.Project), Remedy: policy("sync")}, false
	}
	return Finding{}, true
}

// Source is where a warehouse looks: an image or chart repository.
type Source struct {
	Repository string
	Kind       string // image, chart
	Tags       int    // that were found on the first page
	Err        error
	Denied     bool // the outbound policy forbids its address: that is Err
}

// Sources says whether the registries answer, with credentials where those are needed.
func Sources(sources []Source) []Finding {
	var found []Finding
	for _, s := range sources {
		check := "registry"
		switch {
		case s.Denied:
			found = append(found, Finding{
				Verdict: Failure, Check: check, Text: s.Err.Error(),
				Remedy: "if it is yours, allow its host with outbound.allow in the server's configuration, or LOCKKEEPER_OUTBOUND_ALLOW",
			})
		case s.Err != nil:
			found = append(found, Finding{
				Verdict: Failure, Check: check, Text: s.Err.Error(),
				Remedy: fmt.Sprintf("give Lockkeeper credentials that may read %s: docker login on this machine, or a config.json at DOCKER_CONFIG", s.Repository),
			})
		case s.Tags == 0:
			found = append(found, Finding{Verdict: Warning, Check: check, Text: fmt.Sprintf("%s %s has no versions", s.Kind, s.Repository), Remedy: "push the first one"})
		default:
			found = append(found, Finding{Verdict: OK, Check: check, Text: fmt.Sprintf("%s %s can be listed", s.Kind, s.Repository)})
		}
	}
	return found
}
