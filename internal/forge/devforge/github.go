package devforge

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Dialect says which forge is spoken. The tables and repositories are the same; a merge request is called a pull request.
type Dialect int

// The dialects.
const (
	GitLab Dialect = iota
	GitHub         // as GitHub Enterprise Server has it: REST below /api/v3, GraphQL at /api/graphql
)

// keptRefs is where the heads of merge requests are fetched from.
func (d Dialect) keptRefs() string {
	if d == GitHub {
		return "refs/pull/"
	}
	return "refs/merge-requests/"
}

func (d Dialect) hookEvents() []HookEvent {
	if d == GitHub {
		return gitHubEvents
	}
	return hookEvents
}

// object is what GitHub's API shows. The same objects go out in answers and in webhooks, so they have the fields that both
// descriptions name (github-openapi, octokit/webhooks); fields without a meaning here carry GitHub's default.
type object map[string]any

// with adds fields to a copy.
func (o object) with(more object) object {
	whole := make(object, len(o)+len(more))
	maps.Copy(whole, o)
	maps.Copy(whole, more)
	return whole
}

// stamp is a time in the API's format; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// nodeID is the global ID of GraphQL: opaque to clients, a kind and a number here.
func nodeID(kind string, id int) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(id)))
}

// nodeNumber is the reverse of nodeID; false when text is no ID of that kind.
func nodeNumber(kind, text string) (int, bool) {
	encoded, ok := strings.CutPrefix(text, kind+"_")
	plain, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return 0, false
	}
	id, err := strconv.Atoi(string(plain))
	return id, err == nil
}

func (f *Forge) apiURL(format string, args ...any) string {
	return f.url + gitHubPrefix + fmt.Sprintf(format, args...)
}

func (f *Forge) repoURL(p *project, format string, args ...any) string {
	return f.url + gitHubPrefix + "/repos/" + p.Path + fmt.Sprintf(format, args...)
}
