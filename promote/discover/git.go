package discover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	defaultMaxCommits = 5_000
	maxRepositories   = 256
	defaultGitLimit   = 20
)

// GitConfig says how Git repositories are asked.
type GitConfig struct {
	// Open gives access to a repository, with the credentials that belong to its URL, which for an address of SSH is that of
	// [promote.GitOverHTTPS]. It is called once for each spelling of a URL and its answer is kept; it may give a repository
	// that others use too. It is not to ask the network.
	Open func(repoURL string, skipTLSVerify bool) (*git.Repository, error) // required

	// Fresh is how old a reading of a repository's refs may be that another subscription uses too. With 0 only those that
	// wait for the same reading share it. Where it is more, call Git.Refresh when a repository is known to have changed.
	Fresh time.Duration

	MaxCommits int              // commits or tags that are looked at for one that passes the filters; 0: 5,000
	Now        func() time.Time // nil: time.Now
	Logger     *slog.Logger     // nil: silence
}

// Git finds commits by the rules of Git subscriptions. It remembers what it found: as long as the branch, or the tags that
// a subscription asks for, are where they were, asking again costs one reading of the refs and nothing else. Then also an
// expressionFilter is not asked again, even if it looks at the clock. When a branch moved on, only its new commits are
// looked at. It is safe for concurrent use.
type Git struct {
	config GitConfig
	mu     sync.Mutex
	repos  map[gitKey]*gitRepository
}

type gitKey struct {
	url     string
	skipTLS bool
}

// NewGit returns a Git that knows nothing yet.
func NewGit(config GitConfig) *Git {
	if config.MaxCommits <= 0 {
		config.MaxCommits = defaultMaxCommits
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Git{config: config, repos: map[gitKey]*gitRepository{}}
}

// GitExplanation says how the commit of a subscription was found.
type GitExplanation struct {
	RepoURL    string              `json:"repoURL"`              // without credentials
	Branch     string              `json:"branch,omitempty"`     // that was looked at, also where the subscription leaves it open; "" for tags
	Looked     int                 `json:"looked,omitempty"`     // commits, or tags of selected names, that were looked at
	Candidates []promote.GitCommit `json:"candidates,omitempty"` // newest first, at most as many as the discovery limit
	Skipped    []Skipped           `json:"skipped,omitempty"`    // the first 100 that were not taken
	Chosen     string              `json:"chosen,omitempty"`     // label of the first candidate; "" when there is none
	Reused     bool                `json:"reused,omitempty"`     // nothing changed since the last time, so nothing was looked at again
	Problem    string              `json:"problem,omitempty"`    // why nothing was chosen
}

// Skipped is a commit, tag or version that was looked at and not taken, and why.
type Skipped struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

const maxSkipped = 100

// Refresh makes the next Newest read the refs of a repository anew, of all when repoURL is empty. Call it when a repository is
// known to have changed.
func (g *Git) Refresh(repoURL string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, repo := range g.repos {
		if repoURL == "" || promote.SameGitRepository(key.url, repoURL) {
			repo.generation.Add(1)
		}
	}
}

// Newest finds the newest commit that a subscription selects. That there is none is an error, too; its text is for people
// and says what to do. When the context ended the error is the context's.
func (g *Git) Newest(ctx context.Context, sub promote.GitSubscription) (promote.GitCommit, GitExplanation, error) {
	arrival := g.config.Now()
	if sub.Strategy == "" {
		sub.Strategy = promote.SelectNewestFromBranch
	}
	if sub.DiscoveryLimit <= 0 {
		sub.DiscoveryLimit = defaultGitLimit
	}
	explanation := GitExplanation{RepoURL: publicURL(sub.RepoURL)}
	repo, err := g.repository(sub, arrival)
	if err != nil {
		return promote.GitCommit{}, explanation, err
	}
	reading, err := repo.read(ctx, g.config, arrival)
	if err != nil {
		return promote.GitCommit{}, explanation, gitError(ctx, explanation.RepoURL, err)
	}
	search := gitSearch{repo: repo, sub: sub, reading: reading, bound: g.config.MaxCommits}
	found, err := search.run(ctx)
	if err != nil {
		return promote.GitCommit{}, explanation, gitError(ctx, explanation.RepoURL, err)
	}
	commit, err := explanation.fill(found, sub)
	g.config.Logger.DebugContext(ctx, "discovered commit", "repository", explanation.RepoURL, "chosen", explanation.Chosen, "reused", explanation.Reused)
	return commit, explanation, err
}

// fill tells what was found in terms of the subscription, which may differ from the one it was found for in name only.
func (e *GitExplanation) fill(found gitFound, sub promote.GitSubscription) (promote.GitCommit, error) {
	skipped := slices.Concat(found.names, found.skipped)
	e.Branch, e.Looked, e.Skipped, e.Reused = found.branch, found.looked, skipped[:min(len(skipped), maxSkipped)], found.reused
	for _, commit := range found.commits {
		commit.RepoURL, commit.Subscription = sub.RepoURL, sub.Name
		e.Candidates = append(e.Candidates, commit)
	}
	if len(e.Candidates) == 0 {
		return promote.GitCommit{}, errors.New(found.nothing(e.RepoURL, sub))
	}
	e.Chosen = e.Candidates[0].Label()
	return e.Candidates[0], nil
}

// gitError adds the repository to an error that does not name it.
func gitError(ctx context.Context, repoURL string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("look for commits of %s: %w", repoURL, context.Cause(ctx))
	}
	if strings.Contains(err.Error(), strings.TrimSuffix(repoURL, ".git")) {
		return err
	}
	return fmt.Errorf("repository %s: %w", repoURL, err)
}

// repository returns what is known of a subscription's repository.
func (g *Git) repository(sub promote.GitSubscription, now time.Time) (*gitRepository, error) {
	address, err := promote.GitOverHTTPS(sub.RepoURL)
	if err != nil {
		return nil, fmt.Errorf("repoURL %q at %s is an address of SSH, repositories are read over HTTPS, and where that is cannot be told; write https://<host>/<repository>: %w",
			publicURL(sub.RepoURL), sub.Position, err)
	}
	key := gitKey{address, sub.SkipTLSVerify}
	g.mu.Lock()
	defer g.mu.Unlock()
	if repo, ok := g.repos[key]; ok {
		repo.used = now
		return repo, nil
	}
	remote, err := g.config.Open(address, sub.SkipTLSVerify)
	if err != nil {
		return nil, fmt.Errorf("open the repository at %s: %w", sub.Position, err)
	}
	if len(g.repos) >= maxRepositories {
		g.forgetOldest()
	}
	repo := newGitRepository(remote, now)
	g.repos[key] = repo
	return repo, nil
}

func (g *Git) forgetOldest() {
	var oldest gitKey
	var used time.Time
	for key, repo := range g.repos {
		if used.IsZero() || repo.used.Before(used) {
			oldest, used = key, repo.used
		}
	}
	delete(g.repos, oldest)
}

// publicURL is a URL without credentials and query, for messages.
func publicURL(raw string) string {
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" {
		if at := strings.LastIndexByte(raw, '@'); at >= 0 {
			raw = raw[at+1:]
		}
		raw, _, _ = strings.Cut(raw, "?")
		return raw
	}
	parsed.User, parsed.RawQuery, parsed.Fragment = nil, "", ""
	return parsed.String()
}
