package discover

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lockkeeper/lockkeeper/promote"
)

// MaxChartArchive is how many bytes an archive may have, packed.
const MaxChartArchive = 15 << 20 // less than maxBody

// ErrNoChart says that the repository answered and has no such chart or version.
var ErrNoChart = errors.New("there is no such chart")

// missingChartError is [ErrNoChart] with what is not there.
type missingChartError struct{ text string }

func noSuchChart(format string, args ...any) error {
	return &missingChartError{fmt.Sprintf(format, args...)}
}

// Error says what is not there.
func (e *missingChartError) Error() string { return e.text }

// Is makes it ErrNoChart.
func (e *missingChartError) Is(target error) bool { return target == ErrNoChart }

// ChartRequest names what is wanted.
type ChartRequest struct {
	RepoURL string // required; of an HTTP repository, or oci://registry/folder
	Chart   string // "" is an artifact of an OCI registry, whose whole name RepoURL is
	Version string // exactly, else the newest that this range takes; "" is the newest. Of artifacts also a tag or a digest.
}

// fixed reports whether the version always names the same archive: it is a whole one, or a digest.
func (r ChartRequest) fixed() bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(r.Version, "v"))
	return err == nil || strings.HasPrefix(r.Version, "sha256:")
}

// key names the version in a folder; it holds no credentials.
func (r ChartRequest) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", strings.TrimRight(publicURL(r.RepoURL), "/"), r.Chart, r.Version))
	return hex.EncodeToString(sum[:])
}

// ChartArchive is one version of a chart as its repository keeps it.
type ChartArchive struct {
	Version string
	Digest  string // of Data, "sha256:…"
	Data    []byte `json:"-"` // a tar archive, mostly zipped
	Wrapped bool   // one folder in the archive is around all files, as Helm packs charts
}

// storedArchive is an archive in the folder.
type storedArchive struct{ Data []byte }

// Pull reads a chart's archive. It is at most [MaxChartArchive] long and has the digest that the repository says it has. The
// error is [ErrNoChart] when the repository has none, and a [promote.APIError] when it does not answer as it should.
//
// What is in the folder is not read again, and a whole version that is in it is not even asked for: it is taken not to change.
// Only requests without credentials in their URL share it.
func (c *Charts) Pull(ctx context.Context, want ChartRequest) (ChartArchive, error) {
	keeps := c.pulled != nil && want.fixed() && publicURL(want.RepoURL) == want.RepoURL
	if keeps {
		var out ChartArchive
		if c.pulled.load(want.key(), &out) {
			if data, ok := c.known(out.Digest); ok {
				out.Data = data
				return out, nil
			}
		}
	}
	out, err := c.pull(ctx, want)
	if err != nil {
		return ChartArchive{}, err
	}
	if hexDigest.MatchString(out.Digest) {
		c.archives.save(ctx, strings.TrimPrefix(out.Digest, "sha256:"), storedArchive{out.Data})
	}
	if keeps {
		c.pulled.save(ctx, want.key(), out)
	}
	return out, nil
}

// known returns an archive of the folder, if it is still what its name says.
func (c *Charts) known(digest string) ([]byte, bool) {
	var stored storedArchive
	if !hexDigest.MatchString(digest) || !c.archives.load(strings.TrimPrefix(digest, "sha256:"), &stored) {
		return nil, false
	}
	sum := sha256.Sum256(stored.Data)
	return stored.Data, "sha256:"+hex.EncodeToString(sum[:]) == digest
}

var hexDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (c *Charts) pull(ctx context.Context, want ChartRequest) (ChartArchive, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, fmt.Errorf("no complete answer within %s", c.config.Timeout))
	defer cancel()
	if repository, ok := strings.CutPrefix(want.RepoURL, "oci://"); ok {
		if want.Chart != "" {
			repository = strings.TrimRight(repository, "/") + "/" + want.Chart
		}
		return c.pullArtifact(ctx, repository, want)
	}
	repo, err := url.Parse(want.RepoURL)
	if err != nil || repo.Host == "" || repo.Scheme != "http" && repo.Scheme != "https" || want.Chart == "" {
		return ChartArchive{}, fmt.Errorf("%q is not a chart repository; write https://… with the chart's name, or oci://<registry>/<folder>", publicURL(want.RepoURL))
	}
	index, err := c.index(ctx, repo, false)
	if err != nil {
		return ChartArchive{}, err
	}
	versions, ok := index[want.Chart]
	if !ok {
		return ChartArchive{}, noSuchChart("chart %q is not in the index of %s%s", want.Chart, publicURL(want.RepoURL), otherCharts(want.Chart, index))
	}
	version, err := wantedVersion(versions, want)
	if err != nil {
		return ChartArchive{}, err
	}
	return c.pullListed(ctx, repo, version, want)
}

// wantedVersion is the version that is written exactly so, else the newest that the range takes, as Helm chooses.
func wantedVersion(versions []chartVersion, want ChartRequest) (chartVersion, error) {
	for _, v := range versions {
		if v.text == want.Version {
			return v, nil
		}
	}
	sub := promote.ChartSubscription{RepoURL: want.RepoURL, Constraint: want.Version}
	if want.Version == "" {
		sub.Constraint = "*"
	}
	shown := ChartExplanation{RepoURL: publicURL(want.RepoURL), Chart: want.Chart}.shown()
	selected, _, err := selectCharts(sub, versions)
	if err != nil {
		return chartVersion{}, noSuchChart("chart %s has no version %q, which is no range either", shown, want.Version)
	}
	if len(selected) == 0 {
		return chartVersion{}, noSuchChart("chart %s has no version %q%s", shown, want.Version, newestOf(sub, versions))
	}
	return selected[0], nil
}

// newestOf names the newest version of all, for a message.
func newestOf(sub promote.ChartSubscription, versions []chartVersion) string {
	sub.Constraint = ""
	if all, _, err := selectCharts(sub, versions); err == nil && len(all) > 0 {
		return fmt.Sprintf("; its newest is %s", all[0].text)
	}
	return ""
}

// pullListed reads the archive that an index names.
func (c *Charts) pullListed(ctx context.Context, repo *url.URL, version chartVersion, want ChartRequest) (ChartArchive, error) {
	out := ChartArchive{Version: version.text, Wrapped: true}
	if version.sum != "" {
		out.Digest = "sha256:" + hex.EncodeToString([]byte(version.sum))
		if data, ok := c.known(out.Digest); ok {
			out.Data = data
			return out, nil
		}
	}
	if reference, ok := strings.CutPrefix(version.at, "oci://"); ok {
		repository, tag, _ := cutTag(reference)
		tag = cmp.Or(strings.ReplaceAll(tag, "_", "+"), version.text)
		return c.pullArtifact(ctx, repository, ChartRequest{RepoURL: "oci://" + repository, Version: tag})
	}
	base := *repo
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/")+"/", ""
	at, err := base.Parse(version.at)
	if err != nil || version.at == "" || at.Scheme != "http" && at.Scheme != "https" || at.Scheme == "http" && repo.Scheme == "https" {
		return out, fmt.Errorf("the index of %s has no address of %s %s that can be asked", publicURL(want.RepoURL), want.Chart, version.text)
	}
	out.Data, err = c.download(ctx, repo, at)
	if err != nil {
		return out, err
	}
	sum := sha256.Sum256(out.Data)
	if version.sum != "" && string(sum[:]) != version.sum {
		return out, fmt.Errorf("%s is not what the index of %s says it is: its digest is another one", publicURL(at.String()), publicURL(want.RepoURL))
	}
	out.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return out, nil
}

// cutTag splits "registry:5000/charts/web:1.2.3" at the tag.
func cutTag(reference string) (repository, tag string, found bool) {
	i := strings.LastIndexByte(reference, ':')
	if i < 0 || strings.Contains(reference[i:], "/") {
		return reference, "", false
	}
	return reference[:i], reference[i+1:], true
}

// download reads an archive. Credentials go to the repository's own host only.
func (c *Charts) download(ctx context.Context, repo, at *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("read %q: the address cannot be asked", publicURL(at.String()))
	}
	req.Header.Set("User-Agent", c.config.UserAgent)
	if at.Host == repo.Host {
		if err := c.authorize(ctx, req, repo); err != nil {
			return nil, err
		}
	}
	res, err := c.client(false).Do(req)
	if err != nil {
		return nil, chartSilence(ctx, at, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, chartRefusal(at, res)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxChartArchive+1))
	switch {
	case err != nil:
		return nil, chartSilence(ctx, at, err)
	case len(data) > MaxChartArchive:
		return nil, tooLargeArchive(publicURL(at.String()))
	}
	return data, nil
}

func tooLargeArchive(of string) error {
	return fmt.Errorf("%s has more than %d MiB, which is the most that is read", of, MaxChartArchive>>20)
}

// helmContent is the layer of a chart in an OCI registry.
const helmContent = types.MediaType("application/vnd.cncf.helm.chart.content.v1.tar+gzip")

// archiveLayers are the layers that are archives, as Argo CD takes them (util/oci: "allowedMediaTypes").
var archiveLayers = map[types.MediaType]bool{
	helmContent: true, types.OCILayer: true, types.OCIUncompressedLayer: true, types.DockerLayer: true,
}

// pullArtifact reads the archive in an OCI registry.
func (c *Charts) pullArtifact(ctx context.Context, repository string, want ChartRequest) (ChartArchive, error) {
	src, err := sourceOf(repository, false)
	if err != nil {
		return ChartArchive{}, fmt.Errorf("%q is no repository of an OCI registry; write oci://<registry>/<folder> without tag and digest", publicURL(want.RepoURL))
	}
	reference, version, err := c.reference(ctx, src, want)
	if err != nil {
		return ChartArchive{}, err
	}
	out := ChartArchive{Version: version}
	err = c.config.Registry.ask(ctx, request{src, "pull " + reference.String()}, func(puller *remote.Puller) error {
		layer, kind, err := archiveLayer(ctx, puller, reference)
		if err != nil {
			return err
		}
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		out.Digest, out.Wrapped = digest.String(), kind == helmContent
		if data, ok := c.known(out.Digest); ok {
			out.Data = data
			return nil
		}
		out.Data, err = readLayer(layer, reference)
		return err
	})
	if refused, ok := errors.AsType[*promote.APIError](err); ok && refused.Status == http.StatusNotFound {
		return out, noSuchChart("%v", err)
	}
	return out, err
}

// reference is the tag or the digest that is wanted. Tags are listed only for a range.
func (c *Charts) reference(ctx context.Context, src source, want ChartRequest) (ref name.Reference, version string, err error) {
	if strings.HasPrefix(want.Version, "sha256:") {
		digest, err := v1.NewHash(want.Version)
		if err != nil {
			return nil, "", noSuchChart("%q is no digest", want.Version)
		}
		return src.repo.Digest(digest.String()), want.Version, nil
	}
	_, notRange := semver.NewConstraint(want.Version)
	if want.Version != "" && (want.fixed() || notRange != nil) {
		tag := strings.ReplaceAll(want.Version, "+", "_")
		if !tagPattern.MatchString(tag) {
			return nil, "", noSuchChart("%q is neither a tag nor a range", want.Version)
		}
		return src.repo.Tag(tag), want.Version, nil
	}
	tags, err := c.config.Registry.tags(ctx, src)
	if err != nil {
		return nil, "", err
	}
	var versions []chartVersion
	for _, tag := range tags {
		versions = append(versions, chartVersion{text: strings.ReplaceAll(tag, "_", "+")})
	}
	chosen, err := wantedVersion(versions, ChartRequest{RepoURL: "oci://" + shown(src.repo), Version: want.Version})
	if err != nil {
		return nil, "", err
	}
	return src.repo.Tag(strings.ReplaceAll(chosen.text, "+", "_")), chosen.text, nil
}

// archiveLayer finds the layer that is the archive: Helm's, else the only one.
func archiveLayer(ctx context.Context, puller *remote.Puller, reference name.Reference) (v1.Layer, types.MediaType, error) {
	found, err := puller.Get(ctx, reference)
	if err != nil {
		return nil, "", err
	}
	image, err := found.Image()
	if err != nil {
		return nil, "", err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, "", err
	}
	var archives []v1.Descriptor
	for _, layer := range manifest.Layers {
		if layer.MediaType == helmContent {
			archives = []v1.Descriptor{layer}
			break
		}
		if archiveLayers[layer.MediaType] {
			archives = append(archives, layer)
		}
	}
	if len(archives) != 1 {
		return nil, "", noSuchChart("%s has %d layers that are archives, expected the one of a chart or of manifests", reference, len(archives))
	}
	if archives[0].Size > MaxChartArchive {
		return nil, "", tooLargeArchive(reference.String())
	}
	layer, err := image.LayerByDigest(archives[0].Digest)
	return layer, archives[0].MediaType, err
}

// readLayer reads a layer as it is stored; that it has its digest is checked on the way.
func readLayer(layer v1.Layer, reference name.Reference) ([]byte, error) {
	stored, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer
	_, err = io.Copy(&data, io.LimitReader(stored, MaxChartArchive+1))
	if closeErr := stored.Close(); err == nil {
		err = closeErr
	}
	if err == nil && data.Len() > MaxChartArchive {
		err = tooLargeArchive(reference.String())
	}
	return data.Bytes(), err
}
