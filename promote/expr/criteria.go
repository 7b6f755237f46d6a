package expr

import (
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// foundImage is what imageFrom gives in freightCreationCriteria.
type foundImage struct {
	Tag         string            `json:"tag"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations,omitempty"`
	CreatedAt   any               `json:"createdAt"` // a time.Time; nil where the registry was not asked
}

// foundCommit is what commitFrom gives in freightCreationCriteria.
type foundCommit struct {
	ID        string `json:"id"`
	Branch    string `json:"branch,omitempty"`
	Tag       string `json:"tag,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Author    string `json:"author,omitempty"`
	Committer string `json:"committer,omitempty"`

	CreatorDate time.Time `json:"creatorDate,omitzero"`
}

var (
	foundImageFields  = []string{"Tag", "Digest", "Annotations", "CreatedAt"}
	foundCommitFields = []string{"ID", "Branch", "Tag", "Subject", "Author", "Committer", "CreatorDate"}
)

// criteriaFields are the members of what functions give in freightCreationCriteria.
var criteriaFields = map[string][]string{
	"imageFrom":    foundImageFields,
	"commitFrom":   foundCommitFields,
	"chartFrom":    chartFields,
	"artifactFrom": artifactFields,
	"semverParse":  versionMethods,
}

// Criteria evaluates the freightCreationCriteria of a warehouse: whether freight is made of these artifacts. It sees the
// functions imageFrom, commitFrom, chartFrom and artifactFrom, which here take no warehouse and compare URLs without regard to
// spelling. A text or number that reads as a boolean counts as one; anything else is an error.
func Criteria(expression string, found promote.Artifacts) (bool, error) {
	return criteriaEvaluation(found).decide(expression)
}

func criteriaEvaluation(found promote.Artifacts) *evaluation {
	e := rawEvaluation(map[string]any{})
	f := freight{artifacts: heldOf(found)}
	e.define(append(
		utilities(),
		function{"imageFrom", func(args ...any) (any, error) { return f.result(imageSought(args), &e.trail) }, []any{new(func(string) *foundImage)}},
		function{"commitFrom", func(args ...any) (any, error) { return f.result(commitSought(args), &e.trail) }, []any{new(func(string) *foundCommit)}},
		function{"chartFrom", func(args ...any) (any, error) { return f.result(chartSought(args), &e.trail) }, []any{
			new(func(string) *Chart), new(func(string, string) *Chart),
		}},
		function{"artifactFrom", func(args ...any) (any, error) { return f.artifact(artifactSought(args), &e.trail) }, []any{new(func(string) *Artifact)}},
	))
	e.names.fields = criteriaFields
	return e
}

// heldOf lists artifacts that were found, of one warehouse.
func heldOf(found promote.Artifacts) []held {
	var env Env
	env.AddFreight("", found)
	all := env.held()
	for i, image := range found.Images {
		all[i].result = &foundImage{Tag: image.Tag, Digest: image.Digest, Annotations: image.Annotations, CreatedAt: timeOrNil(image.CreatedAt)}
	}
	for i, commit := range found.Commits {
		all[len(found.Images)+i].result = &foundCommit{
			ID: string(commit.ID), Branch: commit.Branch, Tag: commit.Tag, Subject: commit.Message, Author: commit.Author, Committer: commit.Committer,
			CreatorDate: commit.CreatedAt,
		}
	}
	return all
}

// timeOrNil gives null for a time that is not known.
func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
