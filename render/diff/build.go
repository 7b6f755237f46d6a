package diff

import (
	"net/url"
	"regexp"
	"strings"
)

// Build is what an image says about how it was made (OCI: the annotations org.opencontainers.image.source and .revision).
type Build struct {
	Source   string // the URL of the repository
	Revision string // the commit
}

// commits tells which commits lie between two images, with a link where the forge is known.
func (opts Options) commits(repo, before, after string) []Part {
	if opts.Image == nil || repo == "" || before == "" {
		return nil
	}
	old, known := opts.Image(before)
	now, alsoKnown := opts.Image(after)
	if !known || !alsoKnown || old.Source != now.Source || old.Revision == now.Revision || !isRevision(old.Revision) || !isRevision(now.Revision) {
		return nil
	}
	span := Part{Text: short(old.Revision) + ".." + short(now.Revision), Code: true, Link: compareLink(now.Source, old.Revision, now.Revision)}
	return []Part{{Text: ", commits "}, span}
}

// revision is a commit of Git, or a tag that needs no escaping.
var revision = regexp.MustCompile(`^(?:[0-9a-f]{7,64}|v?[0-9]+(?:\.[0-9]+){1,3})$`)

func isRevision(text string) bool { return revision.MatchString(text) }

func short(rev string) string {
	if len(rev) >= 40 {
		return rev[:8]
	}
	return rev
}

// repositoryPath is a path that needs no escaping anywhere.
var repositoryPath = regexp.MustCompile(`^(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){2,10}$`)

// compareLink returns the page of a forge that compares two commits, "" when it is not known to be one: only https addresses
// without credentials, of hosts that say by their name which forge they are.
func compareLink(source, before, after string) string {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(source, "/"), ".git"))
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !repositoryPath.MatchString(u.Path) {
		return ""
	}
	host := strings.ToLower(u.Host)
	if !hostName.MatchString(host) {
		return ""
	}
	name, _, _ := strings.Cut(host, ":")
	between := before + "..." + after
	for label := range strings.SplitSeq(name, ".") {
		switch label {
		case "gitlab":
			return "https://" + host + u.Path + "/-/compare/" + between
		case "github", "gitea", "forgejo", "codeberg":
			return "https://" + host + u.Path + "/compare/" + between
		}
	}
	return ""
}

var hostName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?$`)
