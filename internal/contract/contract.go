// Package contract checks HTTP exchanges against the official description of an API.
//
// It owns loading a description (OpenAPI 3 or Swagger 2), tightening it so that a misspelt request field is an error, finding
// the operation of a request, and a middleware that reports every request or answer that the description does not allow. The same
// for queries of a GraphQL schema.
// It does not own the descriptions: they are other people's work and live beside the checkout, see [Dir].
//
// Only tests import it. A server written by hand, such as the in-process forge, lies first where nobody looks: in its error
// answers and in the fields it never sends. Every exchange between an adapter and such a server goes through [Contract.Handler].
package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// ErrUnknownRoute marks a violation whose request has no operation in the description.
var ErrUnknownRoute = errors.New("the description has no such operation")

// A Contract is one loaded description. It may be used by many goroutines at once.
type Contract struct {
	name       string
	prefix     string
	operations int
	exact      routers.Router // one segment per parameter, as the description says
	greedy     routers.Router // parameters that may hold slashes take several segments; asked second
}

// Load reads the OpenAPI 3 or Swagger 2 document (JSON) at path. It takes up to a second for a large document: load once per
// test binary.
func Load(path string) (*Contract, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("API description: %w", err)
	}
	return Parse(filepath.Base(path), data)
}

// Parse is Load for a document already in memory; name stands for it in messages.
func Parse(name string, data []byte) (*Contract, error) {
	exact, err := parseDocument(data)
	if err != nil {
		return nil, fmt.Errorf("API description %q: %w", name, err)
	}
	amendGitHub(exact)
	amendGitLab(exact)
	c := &Contract{name: name, operations: tightenRequests(exact)}
	if c.exact, err = router(exact); err != nil {
		return nil, fmt.Errorf("API description %q: %w", name, err)
	}
	if c.greedy, err = router(greedyCopy(exact)); err != nil {
		return nil, fmt.Errorf("API description %q: %w", name, err)
	}
	return c, nil
}

// Operations says how many operations the description has.
func (c *Contract) Operations() int { return c.operations }

// Under returns the same contract for a server that serves the API below prefix, such as "/api/v3" for GitHub Enterprise. A
// request outside of prefix is a violation.
func (c *Contract) Under(prefix string) *Contract {
	moved := *c
	moved.prefix = strings.TrimSuffix(prefix, "/")
	return &moved
}

func parseDocument(data []byte) (*openapi3.T, error) {
	var version struct {
		Swagger string `json:"swagger"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, err
	}
	if version.Swagger == "" {
		return openapi3.NewLoader().LoadFromData(data)
	}
	var old openapi2.T
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, err
	}
	return openapi2conv.ToV3(&old)
}

// router matches paths on any host: the server under test listens on loopback, wherever the description says the API lives.
func router(doc *openapi3.T) (routers.Router, error) {
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
		for _, operation := range item.Operations() {
			operation.Servers = nil
		}
	}
	return gorillamux.NewRouter(doc)
}

// slashed are the parameters whose value may hold unescaped slashes. GitLab wants them escaped, always.
var slashed = []string{"path", "ref", "basehead", "branch", "subresource"}

func greedyCopy(doc *openapi3.T) *openapi3.T {
	widened := *doc
	widened.Paths = openapi3.NewPaths()
	for path, item := range doc.Paths.Map() {
		widened.Paths.Set(greedyPath(path), item)
	}
	return &widened
}

func greedyPath(path string) string {
	if strings.HasPrefix(path, "/api/v4/") {
		return path
	}
	for _, name := range slashed {
		path = strings.ReplaceAll(path, "{"+name+"}", "{"+name+":.+}")
	}
	return path
}

// byName turns /repositories/1/… into /repos/{owner}/{repo}/…: GitHub's links and redirects name a repository by its number, which
// its description leaves out.
func byName(path string) string {
	rest, ok := strings.CutPrefix(path, "/repositories/")
	id, rest, _ := strings.Cut(rest, "/")
	if !ok || strings.Trim(id, "0123456789") != "" {
		return path
	}
	return strings.TrimSuffix("/repos/owner/repository/"+rest, "/")
}

type route struct {
	*routers.Route
	params map[string]string
}

// find looks the operation of r up. It routes on the escaped path, so that "group%2Fproject" is one segment.
func (c *Contract) find(ctx context.Context, r *http.Request) (route, error) {
	asked := r.Clone(ctx)
	if c.prefix != "" {
		if !strings.HasPrefix(r.URL.Path, c.prefix+"/") {
			return route{}, fmt.Errorf("%w: it is outside of %s", ErrUnknownRoute, c.prefix)
		}
		asked.URL.Path = strings.TrimPrefix(r.URL.Path, c.prefix)
		asked.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, c.prefix)
	}
	asked.URL.Path, asked.URL.RawPath = byName(asked.URL.Path), byName(asked.URL.RawPath)
	found, params, err := c.exact.FindRoute(asked)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		found, params, err = c.greedy.FindRoute(asked)
	}
	if err != nil {
		return route{}, fmt.Errorf("%w in %s: %w", ErrUnknownRoute, c.name, err)
	}
	return route{Route: found, params: params}, nil
}
