package contract

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// EnvDir names the environment variable that overrides where [Dir] looks.
const EnvDir = "LOCKKEEPER_CONTRACTS"

// The descriptions, as paths below [Dir].
const (
	GitHub = "github-openapi/github-openapi-subset.json"
	GitLab = "gitlab-openapi/gitlab-openapi-v3-subset.amended.json"
	ArgoCD = "argocd/argocd-swagger-applications-subset.json"

	GitHubGraphQL = "github-graphql/schema.stripped.graphql" // see LoadSchema
)

// Dir finds the directory of descriptions and recorded payloads: $LOCKKEEPER_CONTRACTS, or shared/contracts beside the
// checkout that the working directory is in. Its licences forbid some of its files to be part of the repository. The error
// wraps [fs.ErrNotExist] when there is none, which is the usual case outside of the workshop.
func Dir() (string, error) {
	if dir := os.Getenv(EnvDir); dir != "" {
		return dir, checkDir(dir)
	}
	checkout, err := checkoutDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(filepath.Dir(checkout), "shared", "contracts")
	return dir, checkDir(dir)
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("API descriptions: %w; set %s to the directory that holds them", err, EnvDir)
	}
	if !info.IsDir() {
		return fmt.Errorf("API descriptions: %q is not a directory; %s names it", dir, EnvDir)
	}
	return nil
}

// checkoutDir is the nearest directory above the working directory that holds go.mod.
func checkoutDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory: %w", err)
		}
		dir = parent
	}
}
