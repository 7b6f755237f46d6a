package kargo

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

func (r subscriptionReader) git(path string, s gitSubscription) promote.GitSubscription {
	out := promote.GitSubscription{
		RepoURL: s.RepoURL, Branch: s.Branch, Constraint: s.SemverConstraint, StrictSemvers: s.StrictSemvers == nil || *s.StrictSemvers,
		Filter: strings.TrimSpace(s.ExpressionFilter), Include: s.IncludePaths, Exclude: s.ExcludePaths,
		SkipTLSVerify: s.InsecureSkipTLSVerify, Position: r.o.at(path),
		DiscoveryLimit: r.discoveryLimit(path, s.DiscoveryLimit),
		Strategy: r.strategy(path+".commitSelectionStrategy", s.CommitSelectionStrategy,
			promote.SelectNewestFromBranch, promote.SelectSemVer, promote.SelectLexical, promote.SelectNewestTag),
	}
	r.gitURL(path, s.RepoURL)
	out.Allow, out.Ignore = r.tagPatterns(path, s.tagSelection)
	r.constraint(path+".semverConstraint", s.SemverConstraint)
	filter := expr.FilterTag
	if out.Strategy == promote.SelectNewestFromBranch {
		filter = expr.FilterBranch
	}
	r.checkFilter(r.o, path+".expressionFilter", out.Filter, filter)
	r.pathPatterns(path+".includePaths", s.IncludePaths)
	r.pathPatterns(path+".excludePaths", s.ExcludePaths)
	if s.Since != "" {
		out.Since = r.since(path+".since", s.Since)
	}
	r.unusedGitKeys(path, s, out.Strategy)
	return out
}

// unusedGitKeys warns of what the strategy does not look at.
func (r subscriptionReader) unusedGitKeys(path string, s gitSubscription, strategy promote.Strategy) {
	when := "with commitSelectionStrategy " + string(strategy)
	if strategy == promote.SelectNewestFromBranch {
		r.unusedTagKeys(path, s.tagSelection, when)
	} else {
		r.unused(r.o, path+".branch", s.Branch != "", when+": tags of all branches are looked at")
		r.unused(r.o, path+".since", s.Since != "", when)
	}
	if strategy != promote.SelectSemVer {
		r.unused(r.o, path+".semverConstraint", s.SemverConstraint != "", when)
		r.unused(r.o, path+".strictSemvers", s.StrictSemvers != nil, when)
	}
}

func (r subscriptionReader) since(path, text string) time.Time {
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.fail(r.o, path, "invalid-value", fmt.Sprintf("since %q is not a time", bounded(text)), "write date and time, such as 2026-01-31T00:00:00Z")
	}
	return parsed
}

func (r subscriptionReader) gitURL(path, text string) {
	if text == "" {
		r.fail(r.o, path, "missing-key", "the git subscription has no repoURL", "add repoURL: https://<host>/<repository>")
		return
	}
	at := path + ".repoURL"
	shown := promote.WithoutUser(text)
	if r.password(at, text, gitToken) || isWebURL(text) {
		return
	}
	https, err := promote.GitOverHTTPS(text)
	switch {
	case err != nil:
		r.fail(r.o, at, "invalid-repo-url", fmt.Sprintf("repoURL %q is an address of SSH, repositories are read over HTTPS, and where that is cannot be told: %s",
			bounded(shown), strings.TrimSuffix(err.Error(), ": "+promote.ErrInvalid.Error())), "write https://<host>/<repository>")
		return
	case https != text:
		r.warn(r.o, at, "deprecated-url", fmt.Sprintf("repoURL %q asks for SSH, which Kargo drops in 1.13; it is read as %s", bounded(shown), bounded(https)), "write that")
		return
	}
	r.fail(r.o, at, "invalid-repo-url", fmt.Sprintf("repoURL %q is not the URL of a Git repository", bounded(shown)), "write https://<host>/<repository>")
}

// password reports a URL that holds a secret, without showing it.
func (r subscriptionReader) password(path, text, remedy string) bool {
	if !promote.HoldsCredentials(text) {
		return false
	}
	r.fail(r.o, path, codePassword, "repoURL"+knownToAll, remedy)
	return true
}

// isWebURL reports whether a URL names something on a web server.
func isWebURL(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && strings.Trim(parsed.Path, "/") != ""
}
