package registryhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// Kind says who sends.
type Kind string

// The kinds; see the package comment.
const (
	DockerHub    Kind = "dockerhub"
	Quay         Kind = "quay"
	GitHub       Kind = "github"
	GitLab       Kind = "gitlab"
	Harbor       Kind = "harbor"
	Distribution Kind = "distribution"
	Generic      Kind = "generic"
)

// Kinds lists the kinds.
func Kinds() []Kind {
	return []Kind{DockerHub, Quay, GitHub, GitLab, Harbor, Distribution, Generic}
}

var (
	// ErrIgnored marks a delivery that is understood and says nothing about a repository.
	ErrIgnored = errors.New("ignored")
	// ErrUnauthorized marks a delivery that does not prove who sent it.
	ErrUnauthorized = errors.New("unauthorized")
)

// Credentials prove who sends. Several of a sort are all accepted, so that one can be replaced.
type Credentials struct {
	Keys   []secret.Text // that sign the body: github, generic
	Tokens []secret.Text // that are sent along: all but github
}

// Hook understands the deliveries of one kind. The zero value accepts none.
type Hook struct {
	kind   Kind
	keys   [][]byte
	tokens [][sha256.Size]byte
}

// minSecret is what cannot be guessed, whoever chose it.
const minSecret = 16

var pathToken = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// New checks the credentials for a kind. An error says what is wrong with them and never shows one.
func New(kind Kind, c Credentials) (Hook, error) {
	h := Hook{kind: kind}
	switch {
	case !slices.Contains(Kinds(), kind):
		return h, fmt.Errorf("kind %q is not known: expected one of %v", kind, Kinds())
	case !h.signs() && len(c.Keys) > 0:
		return h, fmt.Errorf("%s does not sign: give it a token", kind)
	case kind == GitHub && len(c.Tokens) > 0:
		return h, fmt.Errorf("%s sends no token: give it a secret to sign with", kind)
	case len(c.Keys)+len(c.Tokens) == 0:
		return h, fmt.Errorf("%s has no credential, and without one nothing is accepted", kind)
	}
	for i, text := range slices.Concat(c.Keys, c.Tokens) {
		switch {
		case len(text.Reveal()) < minSecret:
			return h, fmt.Errorf("a credential of %s has fewer than %d characters: make one with openssl rand -hex 32", kind, minSecret)
		case h.TokenInPath() && !pathToken.MatchString(text.Reveal()):
			return h, fmt.Errorf("the token of %s is part of a URL: use letters, digits and dashes", kind)
		case i < len(c.Keys):
			h.keys = append(h.keys, []byte(text.Reveal()))
		default:
			h.tokens = append(h.tokens, sha256.Sum256([]byte(text.Reveal())))
		}
	}
	return h, nil
}

// TokenInPath reports whether the last part of the endpoint's path is the token.
func (h Hook) TokenInPath() bool { return h.kind == DockerHub || h.kind == Quay }

func (h Hook) signs() bool { return h.kind == GitHub || h.kind == Generic }

// Verify says whether a delivery is authentic, without telling by its duration how wrong a secret is. token is the last part
// of the path where [Hook.TokenInPath]. The error wraps ErrUnauthorized.
func (h Hook) Verify(header http.Header, token string, body []byte) error {
	if signature := header.Get("X-Hub-Signature-256"); len(h.keys) > 0 && (signature != "" || len(h.tokens) == 0) {
		return h.verifySignature(signature, body)
	}
	switch h.kind {
	case DockerHub, Quay:
	case GitLab:
		token = header.Get("X-Gitlab-Token")
	default:
		token = bearer(header.Get("Authorization"))
	}
	sum, match := sha256.Sum256([]byte(token)), 0
	for _, known := range h.tokens {
		match |= subtle.ConstantTimeCompare(known[:], sum[:])
	}
	if match == 0 {
		return fmt.Errorf("%s: the token is missing or wrong: %w", h.kind, ErrUnauthorized)
	}
	return nil
}

func bearer(authorization string) string {
	const scheme = "Bearer "
	if len(authorization) > len(scheme) && strings.EqualFold(authorization[:len(scheme)], scheme) {
		return strings.TrimSpace(authorization[len(scheme):])
	}
	return authorization
}

func (h Hook) verifySignature(signature string, body []byte) error {
	digits, _ := strings.CutPrefix(signature, "sha256=")
	given, err := hex.DecodeString(digits)
	if err != nil || digits == signature {
		return fmt.Errorf("%s: X-Hub-Signature-256 is missing or not sha256=<hex>: %w", h.kind, ErrUnauthorized)
	}
	match := 0
	for _, key := range h.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(body)
		match |= subtle.ConstantTimeCompare(mac.Sum(nil), given)
	}
	if match == 0 {
		return fmt.Errorf("%s: the signature is wrong: %w", h.kind, ErrUnauthorized)
	}
	return nil
}

// Delivery is what a delivery says.
type Delivery struct {
	ID           string   // the sender's own, empty when it gives none
	Repositories []string // that have something new: of images without tag, or URLs of Git without credentials; at least one
}

// maxRepositories bounds what one delivery may name.
const maxRepositories = 100

// Parse reads an authentic delivery. An error that wraps ErrIgnored is a delivery without interest.
func (h Hook) Parse(header http.Header, body []byte) (Delivery, error) {
	var d Delivery
	var err error
	switch h.kind {
	case DockerHub:
		d.Repositories, err = parseDockerHub(body)
	case Quay:
		d.Repositories, err = parseQuay(body)
	case GitHub:
		d.ID = id(header, "X-GitHub-Delivery")
		d.Repositories, err = parseGitHub(header.Get("X-GitHub-Event"), body)
	case GitLab:
		d.ID = id(header, "Webhook-Id", "Idempotency-Key")
		d.Repositories, err = parseGitLab(body)
	case Harbor:
		d.Repositories, err = parseHarbor(body)
	case Distribution:
		d.Repositories, err = parseDistribution(body)
	case Generic:
		d.Repositories, err = parseGeneric(body)
	default:
		err = fmt.Errorf("kind %q is not known", h.kind)
	}
	if err != nil {
		return Delivery{}, fmt.Errorf("%s: %w", h.kind, err)
	}
	slices.Sort(d.Repositories)
	d.Repositories = slices.Compact(d.Repositories)
	if len(d.Repositories) > maxRepositories {
		return Delivery{}, fmt.Errorf("%s: the delivery names %d repositories, more than the %d that are read", h.kind, len(d.Repositories), maxRepositories)
	}
	return d, nil
}

// id is the first header that is there and no longer than an ID is.
func id(header http.Header, names ...string) string {
	for _, name := range names {
		if value := header.Get(name); value != "" && len(value) <= 200 {
			return value
		}
	}
	return ""
}

func ignored(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrIgnored)...)
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// image checks the repository of an image, and takes tag and digest off.
func image(reference string) (string, error) {
	name, _, _ := strings.Cut(reference, "@")
	slash := strings.LastIndexByte(name, '/') + 1
	if tag := strings.IndexByte(name[slash:], ':'); tag >= 0 {
		name = name[:slash+tag]
	}
	if !sound(name) || strings.Contains(name, "://") || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") {
		return "", fmt.Errorf("%q is not the repository of an image", clip(reference))
	}
	return name, nil
}

// gitURL checks the URL of a Git repository, and takes credentials off.
func gitURL(raw string) (string, error) {
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" || !sound(raw) {
		return "", errors.New("the URL of the Git repository is none")
	}
	parsed.User, parsed.RawQuery, parsed.Fragment = nil, "", ""
	return parsed.String(), nil
}

// sound reports whether a text can be a name.
func sound(text string) bool {
	bad := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	return text != "" && len(text) <= 500 && !strings.ContainsFunc(text, bad)
}

func clip(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

func one(name string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return []string{name}, nil
}
