package discover

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	maxTakenBytes  = 64 << 20 // of the records of images that were taken, in memory; one has some hundred
	maxPassedBytes = 16 << 20 // of those of others
	maxPartsBytes  = 64 << 10 // of annotations of the images of one index
	maxParts       = 64       // images of an index
	maxDated       = 16       // images of an index whose configuration is read

	maxAnnotations      = 64
	maxAnnotationKey    = 256
	maxAnnotationValue  = 1024
	maxAnnotationsBytes = 16 << 10
)

// record is what is known of an image by its digest. What it says never changes; more may become known.
type record struct {
	Digest      string            `json:"digest"`
	Index       bool              `json:"index,omitempty"`       // for several platforms
	Config      string            `json:"config,omitempty"`      // digest of the configuration of an image that is no index
	Platform    string            `json:"platform,omitempty"`    // of an image that is no index, once Whole
	Parts       []part            `json:"parts,omitempty"`       // the images of an index that can run
	Annotations map[string]string `json:"annotations,omitempty"` // of the manifest or index
	Created     time.Time         `json:"created,omitzero"`      // zero: not known, or it has no time of its own
	Whole       bool              `json:"whole,omitempty"`       // everything that can be read was read

	// gaps: something was not there to read. Such a record is not kept on disk, since it may be there one day.
	gaps   bool
	stored bool // on disk
	alien  bool // its digest is not its own, so nothing is said by it of what that digest names
}

// part is one image of an index.
type part struct {
	Digest      string            `json:"digest"`
	Platform    string            `json:"platform,omitempty"` // "": the index does not say
	Annotations map[string]string `json:"annotations,omitempty"`
}

// want says what has to be known of an image.
type want struct{ created, platform bool }

// covers reports whether a record says what is wanted, or cannot say more.
func (r record) covers(w want) bool {
	return r.Whole || (!w.created || !r.Created.IsZero()) && (!w.platform || r.Index)
}

// sound reports whether a record that was read back can be one that was written.
func (r record) sound() bool {
	return (r.Config == "" || isDigest(r.Config)) &&
		len(r.Parts) <= maxParts && !slices.ContainsFunc(r.Parts, func(p part) bool { return !isDigest(p.Digest) })
}

func isDigest(text string) bool {
	_, err := v1.NewHash(text)
	return err == nil
}

// platforms lists what the image is for.
func (r record) platforms() []string {
	if !r.Index {
		return slices.DeleteFunc([]string{r.Platform}, func(p string) bool { return p == "" })
	}
	var out []string
	for _, p := range r.Parts {
		if p.Platform != "" {
			out = append(out, p.Platform)
		}
	}
	return out
}

// annotations returns those of the image, overlaid by what its index says of a platform.
func (r record) annotations(platform string) map[string]string {
	out := maps.Clone(r.Annotations)
	for _, p := range r.Parts {
		if platform == "" || p.Platform != platform || len(p.Annotations) == 0 {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		maps.Copy(out, p.Annotations)
		break
	}
	return out
}

func (r record) cost() int {
	const each = 64 // about what an entry of a map costs
	size := 500 + bytesOf(r.Annotations) + each*len(r.Annotations)
	for _, p := range r.Parts {
		size += 200 + bytesOf(p.Annotations) + each*len(p.Annotations)
	}
	return size
}

// manifest is what is read of a manifest or an index.
type manifest struct {
	MediaType   types.MediaType   `json:"mediaType"`
	Config      *descriptor       `json:"config"`
	Manifests   []descriptor      `json:"manifests"`
	Annotations map[string]string `json:"annotations"`
}

type descriptor struct {
	MediaType   types.MediaType   `json:"mediaType"`
	Digest      v1.Hash           `json:"digest"`
	Platform    *platform         `json:"platform"`
	Annotations map[string]string `json:"annotations"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// String writes os/architecture, and the variant where there is one; "" when nothing is said.
func (p platform) String() string {
	if p.OS == "" && p.Architecture == "" {
		return ""
	}
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return text
}

// parse reads a manifest by its content alone: what a registry calls it need not be true. One that is no manifest known
// today says nothing more than its digest.
func parse(digest string, raw []byte) record {
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return record{Digest: digest, Whole: true}
	}
	out := record{Digest: digest, Annotations: bounded(m.Annotations), Created: stamped(m.Annotations)}
	switch {
	case m.MediaType.IsIndex() || len(m.Manifests) > 0:
		out.Index = true
		out.Parts = parts(m.Manifests)
	case m.Config != nil && m.Config.Digest.Hex != "":
		out.Config = m.Config.Digest.String()
	default:
		out.Whole = true
	}
	return out
}

// parts are the images of an index that can run.
func parts(entries []descriptor) []part {
	var out []part
	size := 0
	for _, d := range entries {
		if !d.runs() || len(out) == maxParts {
			continue
		}
		p := part{Digest: d.Digest.String()}
		if d.Platform != nil {
			p.Platform = d.Platform.String()
		}
		if size < maxPartsBytes {
			p.Annotations = bounded(d.Annotations)
		}
		size += bytesOf(p.Annotations)
		out = append(out, p)
	}
	return out
}

func bytesOf(annotations map[string]string) int {
	size := 0
	for key, value := range annotations {
		size += len(key) + len(value)
	}
	return size
}

// runs reports whether an entry of an index is an image that can run, rather than an attestation of one.
func (d descriptor) runs() bool {
	const unknown = "unknown"
	switch {
	case d.MediaType != "" && !d.MediaType.IsImage() && !d.MediaType.IsIndex(),
		d.Digest.Hex == "",
		d.Platform != nil && (d.Platform.OS == unknown || d.Platform.Architecture == unknown):
		return false
	}
	return d.Annotations["vnd.docker.reference.type"] == ""
}

// created annotations, the first that is there counts.
var stamps = []string{"org.opencontainers.image.created", "org.label-schema.build-date"}

// stamped returns the creation time that annotations or labels tell.
func stamped(annotations map[string]string) time.Time {
	for _, key := range stamps {
		if at := readTime(annotations[key]); !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

// readTime reads a creation time. What reproducible builds write instead of one (year 1, Unix time 0, the first moment of
// ZIP in 1980) is none, and neither is what cannot be written again.
func readTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	at = at.UTC()
	if err != nil || at.Year() <= 1980 || at.Year() > 9999 {
		return time.Time{}
	}
	return at
}

// configuration is what is read of an image's configuration.
type configuration struct {
	platform
	Created string `json:"created"`
	Config  struct {
		Labels map[string]string `json:"Labels"`
	} `json:"config"`
}

// created is the later of the time in the configuration and that of its labels.
func (c configuration) created() time.Time {
	return latest(readTime(c.Created), stamped(c.Config.Labels))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// bounded keeps so many annotations as are reasonable, those of the OCI specification first. A value that is too long is
// left out: half of it would be a lie.
func bounded(annotations map[string]string) map[string]string {
	keys := slices.SortedFunc(maps.Keys(annotations), func(a, b string) int {
		return cmp.Or(foreign(a)-foreign(b), strings.Compare(a, b))
	})
	var out map[string]string
	size := 0
	for _, key := range keys {
		value := annotations[key]
		size += len(key) + len(value)
		switch {
		case len(out) == maxAnnotations:
			return out
		case key == "" || len(key) > maxAnnotationKey || len(value) > maxAnnotationValue || size > maxAnnotationsBytes:
			size -= len(key) + len(value)
			continue
		case out == nil:
			out = map[string]string{}
		}
		out[key] = value
	}
	return out
}

func foreign(key string) int {
	if strings.HasPrefix(key, "org.opencontainers.image.") {
		return 0
	}
	return 1
}

// records keeps what is known by digest: of images that were taken in memory and in a folder, of those that were looked at
// in passing in memory for a while.
type records struct {
	taken  *memory[string, record]
	passed *memory[string, record]
	disk   *folder
}

func (r *records) get(digest string) (record, bool) {
	if digest == "" {
		return record{}, false
	}
	for _, m := range []*memory[string, record]{r.taken, r.passed} {
		if known, ok := m.get(digest); ok {
			return known, true
		}
	}
	var known record
	if !r.disk.load(fileName(digest), &known) || known.Digest != digest || !known.sound() {
		return record{}, false
	}
	known.stored = true
	r.taken.put(digest, known, known.cost())
	return known, true
}

// pass keeps what was read in passing.
func (r *records) pass(known record) {
	if !known.alien {
		r.passed.put(known.Digest, known, known.cost())
	}
}

// take keeps what will be asked for again, and writes it to the folder once.
func (r *records) take(ctx context.Context, known record) {
	if known.alien {
		return
	}
	if !known.gaps && !known.stored {
		r.disk.save(ctx, fileName(known.Digest), known)
		known.stored = true
	}
	r.taken.put(known.Digest, known, known.cost())
}

func fileName(digest string) string { return strings.ReplaceAll(digest, ":", "-") }
