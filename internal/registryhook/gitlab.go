package registryhook

import "strings"

// gitLabPush is what counts of GitLab's events push and tag_push.
type gitLabPush struct {
	ObjectKind string `json:"object_kind"`
	After      string `json:"after"`
	Project    struct {
		GitHTTPURL string `json:"git_http_url"`
	} `json:"project"`
}

func parseGitLab(body []byte) ([]string, error) {
	var push gitLabPush
	if err := decode(body, &push); err != nil {
		return nil, err
	}
	switch {
	case push.ObjectKind != "push" && push.ObjectKind != "tag_push":
		return nil, ignored("event %q is not a push", clip(push.ObjectKind))
	case push.After != "" && strings.Trim(push.After, "0") == "":
		return nil, ignored("a branch or tag was deleted")
	}
	return one(gitURL(push.Project.GitHTTPURL))
}
