package registryhook

// quayPush is what Quay sends for a push. Its other notifications have no tags.
type quayPush struct {
	DockerURL   string   `json:"docker_url"`
	UpdatedTags []string `json:"updated_tags"`
}

func parseQuay(body []byte) ([]string, error) {
	var push quayPush
	if err := decode(body, &push); err != nil {
		return nil, err
	}
	if len(push.UpdatedTags) == 0 {
		return nil, ignored("no tag was pushed")
	}
	return one(image(push.DockerURL))
}
