package devforge

import (
	"net/http"
	"strings"
)

// newRoutes tells the three kinds of requests apart.
func (f *Forge) newRoutes() http.Handler {
	api, git, pages := f.apiRoutes(), f.gitRoutes(), f.pageRoutes()
	if f.config.Dialect == GitHub {
		api = f.githubRoutes()
	}
	return f.withFaults(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/api/"):
			api.ServeHTTP(w, r)
		case strings.Contains(path, ".git/"):
			git.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	}))
}
