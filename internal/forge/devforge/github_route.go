package devforge

import (
	"net/http"
	"net/url"
	"strings"
)

// githubRouter finds endpoints as GitHub does: a word of the path wins over a parameter ("issues/comments/1" is no issue), and
// the name of a branch or a commit may hold slashes. http.ServeMux refuses such a set of patterns.
type githubRouter struct {
	routes []githubRoute
}

type githubRoute struct {
	method   string
	segments []string
	endpoint githubEndpoint
}

func newGitHubRouter(endpoints []githubEndpoint) *githubRouter {
	router := &githubRouter{}
	for _, e := range endpoints {
		method, path, _ := strings.Cut(e.pattern, " ")
		router.routes = append(router.routes, githubRoute{method, strings.Split(path[1:], "/"), e})
	}
	return router
}

// find returns the endpoint and its path parameters.
func (g *githubRouter) find(r *http.Request) (githubEndpoint, map[string]string, bool) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), gitHubPrefix+"/")
	if !ok {
		return githubEndpoint{}, nil, false
	}
	var best githubEndpoint
	var bestParams map[string]string
	most := -1
	for _, route := range g.routes {
		if route.method != r.Method {
			continue
		}
		params := map[string]string{}
		if words, ok := matchSegments(route.segments, strings.Split(path, "/"), params); ok && words > most {
			best, bestParams, most = route.endpoint, params, words
		}
	}
	return best, bestParams, most >= 0
}

// matchSegments fills params and counts the words that are equal.
func matchSegments(pattern, path []string, params map[string]string) (words int, ok bool) {
	if len(pattern) == 0 || len(path) == 0 {
		return 0, len(pattern) == len(path)
	}
	name, isParameter := strings.CutPrefix(strings.TrimSuffix(pattern[0], "}"), "{")
	if !isParameter {
		if pattern[0] != path[0] {
			return 0, false
		}
		words, ok = matchSegments(pattern[1:], path[1:], params)
		return words + 1, ok
	}
	longest := 1
	if name == "branch" || name == "rest" {
		longest = len(path)
	}
	for n := longest; n > 0; n-- {
		if words, ok = matchSegments(pattern[1:], path[n:], params); !ok {
			continue
		}
		if value, err := url.PathUnescape(strings.Join(path[:n], "/")); err == nil && value != "" {
			params[name] = value
			return words, true
		}
	}
	return 0, false
}
