package ci

import (
	"encoding/json"
	"strconv"
)

// Environment is what a CI system says about the job's repository. Empty fields were not said.
type Environment struct {
	System  string // "gitlab" or "github"; "" outside a CI system that is known
	Server  string // base URL of the forge
	Project string // path of the project
	Branch  string // its default branch
	User    string // who started the job
	UserID  int    // of the forge; 0 is not known
	Run     int    // the same for all jobs that are one run, and for those that are started again; 0 is not known
	Change  int    // the change that the job is about; 0 is none, or not known
	Event   string // GitHub's name of what started the job, such as "issue_comment"
	Payload []byte // its description, as a webhook would bring it
}

// Detect reads the environment of the CI system that runs the job. readFile reads the description of GitHub's event.
func Detect(getenv func(string) string, readFile func(name string) ([]byte, error)) Environment {
	number := func(name string) int {
		n, err := strconv.Atoi(getenv(name))
		if err != nil {
			return 0
		}
		return n
	}
	switch {
	case getenv("GITLAB_CI") == "true":
		return Environment{
			User: getenv("GITLAB_USER_LOGIN"), UserID: number("GITLAB_USER_ID"), Run: number("CI_PIPELINE_ID"),
			System: "gitlab", Server: getenv("CI_SERVER_URL"), Project: getenv("CI_PROJECT_PATH"), Branch: getenv("CI_DEFAULT_BRANCH"),
			Change: number("CI_MERGE_REQUEST_IID"),
		}
	case getenv("GITHUB_ACTIONS") == "true":
		payload := readPayload(getenv("GITHUB_EVENT_PATH"), readFile)
		return Environment{
			User: getenv("GITHUB_ACTOR"), UserID: number("GITHUB_ACTOR_ID"), Run: number("GITHUB_RUN_ID"),
			System: "github", Server: getenv("GITHUB_SERVER_URL"), Project: getenv("GITHUB_REPOSITORY"),
			Branch: defaultBranch(payload), Event: getenv("GITHUB_EVENT_NAME"), Payload: payload,
		}
	}
	return Environment{}
}

// readPayload reads the description of GitHub's event; nil when there is none that can be read.
func readPayload(path string, readFile func(string) ([]byte, error)) []byte {
	if path == "" {
		return nil
	}
	data, err := readFile(path)
	if err != nil {
		return nil
	}
	return data
}

// defaultBranch is what GitHub's event says of the repository; it says so in no variable.
func defaultBranch(payload []byte) string {
	var event struct {
		Repository struct {
			DefaultBranch string `json:"default_branch"`
		} `json:"repository"`
	}
	if json.Unmarshal(payload, &event) != nil {
		return ""
	}
	return event.Repository.DefaultBranch
}
