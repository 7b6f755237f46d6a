package ci

// Environment is what a CI system says about the job's repository. Empty fields were not said.
type Environment struct {
	System  string // "gitlab"; "" outside a CI system that is known
	Server  string // base URL of the forge
	Project string // path of the project
	Branch  string // its default branch
}

// Detect reads the environment of the CI system that runs the job.
func Detect(getenv func(string) string) Environment {
	if getenv("GITLAB_CI") != "true" {
		return Environment{}
	}
	return Environment{
		System: "gitlab", Server: getenv("CI_SERVER_URL"), Project: getenv("CI_PROJECT_PATH"), Branch: getenv("CI_DEFAULT_BRANCH"),
	}
}
