package reconcile

import "errors"

// ForgeSettings is lockkeeper.yaml's forge.
type ForgeSettings struct {
	// Deployments says whether each promotion is a deployment on the forge's page of environments: on or off. Default: on.
	Deployments Word `json:"deployments"`
	// Review says what changes of people get: comment, which is a comment with what they change in the cluster and the status
	// lockkeeper/gates; status, which is the status alone; or off. Default: comment.
	Review Word `json:"review"`
	// Threads shows each error that a change brings also as a thread at its line, which people can resolve: nothing is decided from
	// one. Default: false.
	Threads bool `json:"threads"`
}

// The words of forge.review.
const (
	reviewComment = "comment"
	reviewStatus  = "status"
	reviewOff     = "off"
)

// deploys reports whether promotions are shown as deployments.
func (s ForgeSettings) deploys() bool { return s.Deployments.text != "off" }

// review is the word for what changes of people get.
func (s ForgeSettings) review() string {
	if s.Review.text == "" {
		return reviewComment
	}
	return s.Review.text
}

// Unseen reports whether changes of people get neither a note nor a status.
func (s Settings) Unseen() bool { return s.Forge.review() == reviewOff }

// checkForge reports what is wrong with forge.
func (s Settings) checkForge() error {
	var problems []error
	switch s.Forge.Deployments.text {
	case "", "on", "off":
	default:
		problems = append(problems, s.unknownWord("forge.deployments", s.Forge.Deployments, "on", "off"))
	}
	switch s.Forge.review() {
	case reviewComment, reviewStatus, reviewOff:
	default:
		problems = append(problems, s.unknownWord("forge.review", s.Forge.Review, reviewComment, reviewStatus, reviewOff))
	}
	return errors.Join(problems...)
}
