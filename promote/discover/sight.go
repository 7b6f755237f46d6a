package discover

import (
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unique"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxSightPlatforms bounds the text of the platforms of one image in a sight.
const maxSightPlatforms = 512

// What a sight says of the image, beside the platforms that it is for.
const (
	kindUnread   = ""  // the image was not read
	kindAnything = "?" // its platform was not read
	kindUnsaid   = "-" // it does not say its platform
	kindNothing  = "!" // an index without an image that can run
)

// sight is what a tag pointed to when it was looked at and, once its image was read, so much of its [record] as ranks it
// among builds. There may be a million: each is about a hundred bytes, with its tag.
type sight struct {
	digest string // raw: its length tells the algorithm; "": none
	built  int64  // microseconds since 1970; 0: not known
	kind   unique.Handle[string]
}

var (
	kindOfUnread = unique.Make(kindUnread)

	plainPlatform = regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+$`)
)

// seenAt is the sight of a tag of which nothing but the digest is known.
func seenAt(digest string) sight {
	raw := ""
	if hash, err := v1.NewHash(digest); err == nil {
		decoded, _ := hex.DecodeString(hash.Hex)
		raw = string(decoded)
	}
	return sight{digest: raw, kind: kindOfUnread}
}

// sight is the short form of a record. Platforms that no subscription can name, and more than are reasonable, are left out.
func (r record) sight() sight {
	s := seenAt(r.Digest)
	if !r.Created.IsZero() {
		s.built = r.Created.UnixMicro()
	}
	platforms := strings.Builder{}
	for _, p := range r.platforms() {
		if plainPlatform.MatchString(p) && platforms.Len()+len(p) < maxSightPlatforms {
			platforms.WriteString(p + ",")
		}
	}
	kind := strings.TrimSuffix(platforms.String(), ",")
	switch {
	case r.Index && len(r.Parts) == 0:
		kind = kindNothing
	case !r.Index && !r.Whole:
		kind = kindAnything
	case kind == "":
		kind = kindUnsaid
	}
	s.kind = unique.Make(kind)
	return s
}

// name is the digest as people write it, "" when there is none.
func (s sight) name() string {
	switch algorithm := len(s.digest); algorithm {
	case 32:
		return "sha256:" + hex.EncodeToString([]byte(s.digest))
	case 64:
		return "sha512:" + hex.EncodeToString([]byte(s.digest))
	}
	return ""
}

// read reports whether the image was read.
func (s sight) read() bool { return s.kind != kindOfUnread && s.kind != unique.Handle[string]{} }

// covers reports whether a sight says what is wanted, or cannot say more.
func (s sight) covers(w want) bool {
	return s.read() && (!w.platform || s.kind.Value() != kindAnything)
}

func (s sight) platforms() []string {
	if !s.read() {
		return nil
	}
	switch kind := s.kind.Value(); kind {
	case kindAnything, kindUnsaid, kindNothing:
		return nil
	default:
		return strings.Split(kind, ",")
	}
}

// misfit is [misfit] of the image.
func (s sight) misfit(platform string) string {
	if nothing := s.read() && s.kind.Value() == kindNothing; nothing || platform != "" {
		return misfit(nothing, s.platforms(), platform)
	}
	return ""
}

// MarshalText writes the digest and, of an image that was read, when it was built and its kind, with spaces between.
func (s sight) MarshalText() ([]byte, error) {
	text := s.name()
	if s.read() {
		built := "-"
		if s.built != 0 {
			built = time.UnixMicro(s.built).UTC().Format(time.RFC3339Nano)
		}
		text += " " + built + " " + s.kind.Value()
	}
	return []byte(text), nil
}

// errSight: a text that no sight was written as.
var errSight = errors.New("is not a digest, or a digest, a time and platforms")

// UnmarshalText reads what MarshalText writes.
func (s *sight) UnmarshalText(text []byte) error {
	words := strings.Split(string(text), " ")
	*s = seenAt(words[0])
	if s.digest == "" || len(words) != 1 && len(words) != 3 {
		return errSight
	}
	if len(words) == 1 {
		return nil
	}
	built, kind := words[1], words[2]
	if built != "-" {
		at := readTime(built)
		if s.built = at.UnixMicro(); at.IsZero() {
			return errSight
		}
	}
	special := kind == kindAnything || kind == kindUnsaid || kind == kindNothing
	if !special && (len(kind) > maxSightPlatforms ||
		slices.ContainsFunc(strings.Split(kind, ","), func(p string) bool { return !plainPlatform.MatchString(p) })) {
		return errSight
	}
	s.kind = unique.Make(kind)
	return nil
}
