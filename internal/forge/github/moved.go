package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// GitHub redirects what asks for a repository by a former name, and goes on finding it in GraphQL. Webhooks name it by the new one, and
// tokens of an App are made for that only.

// renamed returns what the repository is called now, where that is not what is configured.
func (f *Forge) renamed(name string) string {
	if strings.EqualFold(name, f.owner+"/"+f.name) {
		return ""
	}
	return forge.CutBytes(name, forge.MaxMessage)
}

// movedRemedy says what to do about a repository that is called something else now.
func movedRemedy(name string) string {
	return fmt.Sprintf("the repository was renamed or transferred: it is %q now; configure that name, on a server below repositories", name)
}

// moved adds to the refusal of a token what the repository is called now, where it has another name: GitHub knows names of the
// present only, and says just that there is no such repository. A token that may read the names of all repositories of the
// installation is made for it, and forgotten.
func (a *App) moved(ctx context.Context, repository string, installation int64, err error) error {
	failed, ok := errors.AsType[*promote.APIError](err)
	if !ok || failed.Status != http.StatusUnprocessableEntity {
		return err
	}
	var made struct {
		Token secret.Text `json:"token"`
	}
	if _, err := a.send(ctx, request{
		name: "make a token", subject: "that reads names", method: http.MethodPost, path: fmt.Sprintf("app/installations/%d/access_tokens", installation),
		read: true, body: map[string]any{"permissions": map[string]string{"metadata": "read"}},
	}, &made); err != nil || made.Token == "" {
		return failed
	}
	var found struct {
		FullName string `json:"full_name"`
	}
	given := grant{scheme: "Bearer", secret: made.Token, limits: a.limitsOf(installation), holder: fmt.Sprintf("installation %d", installation)}
	_, err = a.sendWith(ctx, request{name: "read repository", method: http.MethodGet, path: "repos/" + repository}, given, &found)
	if err == nil && found.FullName != "" && !strings.EqualFold(found.FullName, repository) {
		failed.Remedy = movedRemedy(forge.CutBytes(found.FullName, forge.MaxMessage))
	}
	return failed
}
