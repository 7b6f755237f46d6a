package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// GitLab redirects what reads a project that was renamed or moved to another group, and refuses what writes to it.

// renamed returns what the project is called now, where that is not what is configured: by its path, and not by its number.
func (f *Forge) renamed(path string) string {
	if _, err := strconv.Atoi(f.project); err == nil || strings.EqualFold(path, f.project) {
		return ""
	}
	return path
}

// movedRemedy says what to do about a project that is called something else now; empty when it is not known what.
func movedRemedy(path string) string {
	if path == "" {
		return "the project was renamed or moved: configure its new path"
	}
	return fmt.Sprintf("the project was renamed or moved: it is %q now; configure that path, on a server below repositories", path)
}

// moved adds to the refusal of a write because of the project's name what it is called now. Only such a refusal is worth the request,
// which is a read, so that it is asked once whatever answers.
func (f *Forge) moved(ctx context.Context, sent request, err error) error {
	failed, ok := errors.AsType[*promote.APIError](err)
	if !ok || sent.method == http.MethodGet || failed.Status != http.StatusMethodNotAllowed || !strings.Contains(failed.Message, textMovedProject) {
		return err
	}
	var project struct {
		Path string `json:"path_with_namespace"`
	}
	if _, err := f.send(ctx, request{name: "read project", method: http.MethodGet, path: f.base}, &project); err == nil {
		failed.Remedy = movedRemedy(forge.CutBytes(f.renamed(project.Path), forge.MaxMessage))
	}
	return failed
}
