package contracttest

import (
	"path/filepath"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/contract"
)

// Parsing a description takes a third of a second: each is parsed once in a process that uses it by [GitLab] and [GitHub].
var (
	loadGitLab = sync.OnceValues(func() (*contract.Contract, error) { return openFile(contract.Load, contract.GitLab) })
	loadGitHub = sync.OnceValues(func() (*contract.Contract, error) { return openFile(contract.Load, contract.GitHub) })
	loadSchema = sync.OnceValues(func() (*contract.Schema, error) { return openFile(contract.LoadSchema, contract.GitHubGraphQL) })
)

func openFile[T any](open func(string) (T, error), name string) (T, error) {
	dir, err := contract.Dir()
	if err != nil {
		var none T
		return none, err
	}
	return open(filepath.Join(dir, filepath.FromSlash(name)))
}
