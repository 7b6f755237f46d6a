package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// Refs is what one reading of the remote's refs gave.
type Refs struct {
	Default string            // branch that HEAD names, short; "" in an empty repository
	Commits map[string]string // full ref name → commit id; an annotated tag is given by the commit it names
	Objects map[string]string // full ref name of an annotated tag → id of the tag object; nil when there is none
}

// Branch returns the commit of a branch, by its short name.
func (r Refs) Branch(name string) (string, bool) {
	id, ok := r.Commits[headPrefix+name]
	return id, ok
}

// Revision returns the commit of the newest version among the tags that a range takes, of a branch or of a tag, in this order. ""
// and HEAD are the default branch. It is how Argo CD finds a targetRevision (util/git: LsRemote; util/versions: MaxVersion).
func (r Refs) Revision(name string) (string, bool) {
	if name == "" || name == "HEAD" {
		name = r.Default
	}
	if commit, ok := r.newest(name); ok {
		return commit, true
	}
	for _, ref := range []string{name, headPrefix + name, tagPrefix + name} {
		if id, ok := r.Commits[ref]; ok && strings.HasPrefix(ref, "refs/") {
			return id, true
		}
	}
	return "", false
}

// newest returns the commit of the newest version that a range takes. A version, such as v1.0, is no range.
func (r Refs) newest(within string) (commit string, found bool) {
	if _, err := semver.NewVersion(within); err == nil {
		return "", false
	}
	constraint, err := semver.NewConstraint(within)
	if err != nil {
		return "", false
	}
	var newest *semver.Version
	for _, tag := range r.Tags() {
		version, err := semver.NewVersion(tag.Name)
		if err == nil && constraint.Check(version) && (newest == nil || version.GreaterThan(newest)) {
			newest, commit = version, tag.Commit
		}
	}
	return commit, newest != nil
}

// shortCommit is what Argo CD takes for the beginning of a commit id when no branch or tag is called so.
var shortCommit = regexp.MustCompile(`^[0-9A-Fa-f]{7,39}$`)

// Revision makes the commit of a branch, a tag, a range of tags or a full commit id readable and returns it. One that is not
// there is ErrNotFound. Of a commit id that is not written in full this cannot be told: servers are not asked by one.
func (r *Repository) Revision(ctx context.Context, name string) (string, error) {
	commit := name
	if _, err := parseIDs([]string{name}); err != nil {
		refs, err := r.Refs(ctx)
		if err != nil {
			return "", err
		}
		var ok bool
		commit, ok = refs.Revision(name)
		switch {
		case !ok && shortCommit.MatchString(name):
			return "", fmt.Errorf("%q is the beginning of a commit id, by which %s cannot be asked: write all of it", name, r.URL())
		case !ok:
			return "", fmt.Errorf("branch or tag %q in %s: %w", name, r.URL(), ErrNotFound)
		}
	}
	return commit, r.Ensure(ctx, commit)
}

// Refs reads all refs in one request. An empty repository has none, which is not an error.
func (r *Repository) Refs(ctx context.Context) (Refs, error) {
	adv, err := r.advertise(ctx, uploadPack)
	if err != nil {
		return Refs{}, err
	}
	out := Refs{Commits: make(map[string]string, len(adv.refs))}
	for name, id := range adv.refs {
		if name != "HEAD" {
			out.Commits[name] = id.String()
		}
	}
	if len(adv.tags) > 0 {
		out.Objects = make(map[string]string, len(adv.tags))
	}
	for name, id := range adv.tags {
		out.Objects[name] = id.String()
	}
	out.Default = adv.defaultBranch()
	return out, nil
}

// capabilities is what a service of the server can do.
type capabilities map[string]string

func (c capabilities) has(name string) bool { _, ok := c[name]; return ok }

// partial reports whether commits may be fetched without blobs and any object asked for by its id.
func (c capabilities) partial() bool {
	return c.has("filter") && (c.has("allow-reachable-sha1-in-want") || c.has("allow-any-sha1-in-want"))
}

type advertisement struct {
	caps   capabilities
	refs   map[string]oid // with "HEAD"; tags peeled
	tags   map[string]oid // the tag objects of those that were peeled
	symref string         // full name HEAD points to, when the server says
}

// defaultBranch falls back to the usual names where HEAD's target is not advertised, as old servers do.
func (a *advertisement) defaultBranch() string {
	if short, ok := strings.CutPrefix(a.symref, headPrefix); ok {
		return short
	}
	head, ok := a.refs["HEAD"]
	if !ok {
		return ""
	}
	for _, name := range []string{"main", "master"} {
		if a.refs[headPrefix+name] == head {
			return name
		}
	}
	return ""
}

// advertise reads the refs and capabilities of a service and remembers the latter.
func (r *Repository) advertise(ctx context.Context, service string) (*advertisement, error) {
	var adv *advertisement
	c := call{operation: "read refs", service: service}
	err := r.remote.do(ctx, c, func(body io.Reader) (err error) {
		adv, err = readAdvertisement(io.LimitReader(body, maxAdvertisement), service)
		return err
	})
	if err != nil {
		return nil, err
	}
	if service == uploadPack {
		r.caps.Store(&adv.caps)
	} else {
		r.rcaps.Store(&adv.caps)
	}
	return adv, nil
}

// capabilities returns those of an earlier request, or asks.
func (r *Repository) capabilities(ctx context.Context, service string) (capabilities, error) {
	known := r.caps.Load()
	if service == receivePack {
		known = r.rcaps.Load()
	}
	if known != nil {
		return *known, nil
	}
	adv, err := r.advertise(ctx, service)
	if err != nil {
		return nil, err
	}
	return adv.caps, nil
}

func readAdvertisement(body io.Reader, service string) (*advertisement, error) {
	adv := &advertisement{caps: capabilities{}, refs: map[string]oid{}, tags: map[string]oid{}}
	lines := pktline.NewScanner(body)
	if !lines.Scan() || string(bytes.TrimSpace(lines.Bytes())) != "# service="+service {
		if err := lines.Err(); err != nil {
			return nil, serverError(err)
		}
		return nil, fmt.Errorf("answer is not an advertisement of %s", service)
	}
	first, flushes := true, 0
	for flushes < 2 && lines.Scan() {
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\n"))
		if len(line) == 0 {
			flushes++
			continue
		}
		if first {
			line = adv.takeCapabilities(line)
			first = false
		}
		if err := adv.addRef(string(line)); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, serverError(err)
	}
	if flushes == 0 || flushes < 2 && !first {
		return nil, io.ErrUnexpectedEOF
	}
	return adv, adv.check(service)
}

func (a *advertisement) takeCapabilities(line []byte) []byte {
	ref, caps, _ := bytes.Cut(line, []byte{0})
	for word := range strings.FieldsSeq(string(caps)) {
		name, value, _ := strings.Cut(word, "=")
		if name == "symref" {
			if target, ok := strings.CutPrefix(value, "HEAD:"); ok {
				a.symref = target
			}
			continue
		}
		a.caps[name] = value
	}
	return ref
}

func (a *advertisement) addRef(line string) error {
	if strings.HasPrefix(line, "shallow ") {
		return nil
	}
	hex, name, ok := strings.Cut(line, " ")
	if ok && len(hex) == 64 {
		return errors.New("repository uses SHA-256 object names, which are not supported")
	}
	id, err := parseID(hex)
	if !ok || err != nil {
		return fmt.Errorf("advertised ref %q: expected an object id and a name", oneLine(line, 80))
	}
	if id.IsZero() {
		return nil
	}
	short, peeled := strings.CutSuffix(name, "^{}")
	if object, known := a.refs[short]; peeled && known {
		a.tags[short] = object
	}
	a.refs[short] = id
	return nil
}

// check refuses servers that lack what every Git server of the last decade has.
func (a *advertisement) check(service string) error {
	if len(a.caps) == 0 && len(a.refs) == 0 {
		return nil
	}
	need := []string{"side-band-64k", "shallow"}
	if service == receivePack {
		need = []string{"report-status"}
	}
	for _, name := range need {
		if !a.caps.has(name) {
			return fmt.Errorf("server does not offer %q for %s", name, service)
		}
	}
	return nil
}
