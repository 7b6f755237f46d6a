package registryhook

import (
	"errors"
	"strings"
)

// genericPush is what anybody can send.
type genericPush struct {
	Image      string `json:"image"`      // repository of an image, with or without its tag
	Repository string `json:"repository"` // URL of a Git or chart repository, or the repository of an image
}

func parseGeneric(body []byte) ([]string, error) {
	var push genericPush
	if err := decode(body, &push); err != nil {
		return nil, err
	}
	switch {
	case push.Image != "" && push.Repository != "":
		return nil, errors.New("it has both image and repository: send one of them")
	case push.Image != "":
		return one(image(push.Image))
	case strings.HasPrefix(push.Repository, "oci://"):
		return one(image(strings.TrimPrefix(push.Repository, "oci://")))
	case strings.Contains(push.Repository, "://"):
		return one(gitURL(push.Repository))
	case push.Repository != "":
		return one(image(push.Repository))
	}
	return nil, errors.New(`it names nothing: send {"image": "registry/name"} or {"repository": "https://…"}`)
}
