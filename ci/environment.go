package ci

import "strconv"

// Environment is what a CI system says about the job's repository. Empty fields were not said.
type Environment struct {
	System  string // "gitlab"; "" outside a CI system that is known
	Server  string // base URL of the forge
	Project string // path of the project
	Branch  string // its default branch
	User    string // who started the job
	UserID  int    // of the forge; 0 is not known
	Run     int    // the same for all jobs that are one run, and for those that are started again; 0 is not known
}

// Detect reads the environment of the CI system that runs the job.
func Detect(getenv func(string) string) Environment {
	if getenv("GITLAB_CI") != "true" {
		return Environment{}
	}
	number := func(name string) int {
		n, err := strconv.Atoi(getenv(name))
		if err != nil {
			return 0
		}
		return n
	}
	return Environment{
		User: getenv("GITLAB_USER_LOGIN"), UserID: number("GITLAB_USER_ID"), Run: number("CI_PIPELINE_ID"),
		System: "gitlab", Server: getenv("CI_SERVER_URL"), Project: getenv("CI_PROJECT_PATH"), Branch: getenv("CI_DEFAULT_BRANCH"),
	}
}
