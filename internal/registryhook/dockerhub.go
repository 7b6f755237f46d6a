package registryhook

import "errors"

// dockerHubPush is what Docker Hub sends for a push.
type dockerHubPush struct {
	Repository struct {
		RepoName string `json:"repo_name"`
	} `json:"repository"`
}

func parseDockerHub(body []byte) ([]string, error) {
	var push dockerHubPush
	if err := decode(body, &push); err != nil {
		return nil, err
	}
	if push.Repository.RepoName == "" {
		return nil, errors.New("repository.repo_name is missing")
	}
	return one(image("docker.io/" + push.Repository.RepoName))
}
