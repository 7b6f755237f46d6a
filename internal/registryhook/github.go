package registryhook

import (
	"cmp"
	"errors"
	"strings"
)

// gitHubEvent is what counts of the events registry_package, package and push.
type gitHubEvent struct {
	Action          string         `json:"action"`
	RegistryPackage *gitHubPackage `json:"registry_package"`
	Package         *gitHubPackage `json:"package"`
	Deleted         bool           `json:"deleted"` // push: the branch or tag is gone
	Repository      struct {
		CloneURL string `json:"clone_url"`
	} `json:"repository"`
}

type gitHubPackage struct {
	Name        string `json:"name"`
	Ecosystem   string `json:"ecosystem"`
	PackageType string `json:"package_type"`
	Owner       struct {
		Login string `json:"login"`
	} `json:"owner"`
	PackageVersion struct {
		PackageURL string `json:"package_url"`
	} `json:"package_version"`
}

func parseGitHub(event string, body []byte) ([]string, error) {
	var e gitHubEvent
	switch event {
	case "registry_package", "package", "push":
	default:
		return nil, ignored("event %q says nothing of a repository", clip(event))
	}
	if err := decode(body, &e); err != nil {
		return nil, err
	}
	switch {
	case event == "push" && e.Deleted:
		return nil, ignored("a branch or tag was deleted")
	case event == "push":
		return one(gitURL(e.Repository.CloneURL))
	}
	return one(e.image())
}

// GitHubImage names the image that a body of GitHub's events package and registry_package is about, for who gets them with
// others. An error that wraps ErrIgnored is one about something else.
func GitHubImage(body []byte) (string, error) {
	var e gitHubEvent
	if err := decode(body, &e); err != nil {
		return "", err
	}
	return e.image()
}

func (e gitHubEvent) image() (string, error) {
	if e.Action != "published" && e.Action != "updated" {
		return "", ignored("action %q", clip(e.Action))
	}
	pkg := cmp.Or(e.RegistryPackage, e.Package)
	if pkg == nil {
		return "", errors.New("the package is missing")
	}
	return pkg.image()
}

// image names the package's image. Names at ghcr.io are in lower case, whatever the account's are.
func (p gitHubPackage) image() (string, error) {
	if !isContainer(p.PackageType) && !isContainer(p.Ecosystem) {
		return "", ignored("a package of type %q is no image", clip(p.PackageType))
	}
	if p.PackageVersion.PackageURL != "" {
		return image(strings.ToLower(p.PackageVersion.PackageURL))
	}
	if p.Owner.Login == "" || p.Name == "" {
		return "", errors.New("the package has neither URL nor owner and name")
	}
	return image(strings.ToLower("ghcr.io/" + p.Owner.Login + "/" + p.Name))
}

func isContainer(kind string) bool {
	return strings.EqualFold(kind, "container") || strings.EqualFold(kind, "docker")
}
