package promote

import (
	"slices"
	"strings"
)

// HoldsCredentials reports whether the URL of a repository, or the name of an image or chart with or without a scheme, has a
// password or a token written in it. A user alone is none, unless it looks like a token; nor is what an expression gives.
func HoldsCredentials(raw string) bool {
	user, ok := userOf(raw)
	if !ok {
		return false
	}
	name, password, _ := strings.Cut(user, ":")
	return strings.Trim(password, given) != "" || slices.ContainsFunc(tokenPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// WithoutUser leaves out of such a URL or name what may be a secret, for messages.
func WithoutUser(raw string) string {
	before, rest := cutScheme(raw)
	if before == "" && !HoldsCredentials(raw) {
		return raw // git@host:path
	}
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		end = len(rest)
	}
	return before + rest[strings.LastIndexByte(rest[:end], '@')+1:]
}

// given stands for what an expression gives.
const given = "\x00"

// tokenPrefixes begin the tokens of GitLab, GitHub and Docker Hub, which some write where a user belongs.
var tokenPrefixes = []string{
	"glpat-", "gldt-", "glcbt-", "glptt-", "gloas-", "glagent-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "dckr_pat_",
}

// cutScheme cuts behind "://", where what stands before it is a scheme.
func cutScheme(raw string) (before, rest string) {
	before, rest, found := strings.Cut(raw, "://")
	if !found || strings.ContainsFunc(strings.TrimSpace(before), notInScheme) {
		return "", raw
	}
	return before + "://", rest
}

func notInScheme(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+.-", r)
}

// withoutTemplates puts given in the place of expressions.
func withoutTemplates(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${{")
		_, after, closed := strings.Cut(rest, "}}")
		b.WriteString(before)
		if !found || !closed {
			b.WriteString(rest)
			return b.String()
		}
		b.WriteString(given)
		text = after
	}
}

// userOf is what stands before the host, where it may be a user and a password.
func userOf(raw string) (string, bool) {
	before, rest := cutScheme(withoutTemplates(raw))
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if before == "" { // in git@host:path the path may hold one too
		at = strings.IndexByte(rest, '@')
	}
	if at < 0 || strings.ContainsAny(rest[:at], " \t\r\n") {
		return "", false
	}
	return rest[:at], true
}
