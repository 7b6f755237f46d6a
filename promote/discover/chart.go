package discover

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// ChartConfig says how chart repositories are asked. The zero value asks anonymously.
type ChartConfig struct {
	Registry   *Registry         // lists the tags of charts in OCI registries; nil: one without credentials
	Keychain   authn.Keychain    // users and passwords of HTTP repositories, by host; nil: none
	Transport  http.RoundTripper // of HTTP repositories; nil: http.DefaultTransport
	Unverified http.RoundTripper // for insecureSkipTLSVerify; nil: Transport without verification of certificates, where that can be had
	Timeout    time.Duration     // for an index; 0: 60 s
	MaxIndex   int64             // bytes of an index; 0: 64 MiB
	Fresh      time.Duration     // how old an index may be that another subscription uses too; 0: only those that wait for it share it
	Now        func() time.Time  // nil: time.Now
	Logger     *slog.Logger      // nil: silence
	UserAgent  string            // "": lockkeeper
	CacheDir   string            // folder that keeps archives over restarts; "": none are kept
}

// Charts finds versions of Helm charts. Of an HTTP repository it keeps the names and versions in its index, for all
// subscriptions together, and asks only whether there is a newer one. It is safe for concurrent use.
type Charts struct {
	config   ChartConfig
	indexes  *chartIndexes
	archives *folder // by digest; nil: none are kept
	pulled   *folder // which archive a version is
}

// NewCharts returns a Charts that knows nothing yet.
func NewCharts(config ChartConfig) *Charts {
	if config.Registry == nil {
		config.Registry = New(Config{})
	}
	if config.Keychain == nil {
		config.Keychain = authn.NewMultiKeychain()
	}
	if config.Transport == nil {
		config.Transport = http.DefaultTransport
	}
	if config.Unverified == nil {
		config.Unverified = unverified(config.Transport)
	}
	config.Timeout = cmp.Or(max(config.Timeout, 0), time.Minute)
	config.MaxIndex = cmp.Or(max(config.MaxIndex, 0), 64<<20)
	config.UserAgent = cmp.Or(config.UserAgent, "lockkeeper")
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Charts{config: config, indexes: newChartIndexes()}
	if config.CacheDir != "" {
		c.archives = newFolder(filepath.Join(config.CacheDir, "charts"), content{files: 5_000, bytes: 1 << 30}, config.Now, config.Logger)
		c.pulled = newFolder(filepath.Join(config.CacheDir, "chart-versions"), content{files: 50_000, bytes: 64 << 20}, config.Now, config.Logger)
	}
	return c
}

// ChartExplanation says how the version of a chart was found.
type ChartExplanation struct {
	RepoURL    string    `json:"repoURL"` // without credentials
	Chart      string    `json:"chart,omitempty"`
	Versions   int       `json:"versions,omitempty"`   // how many the repository has of the chart
	Candidates []string  `json:"candidates,omitempty"` // newest first, at most as many as the discovery limit
	Skipped    []Skipped `json:"skipped,omitempty"`    // the first 100 that were not taken
	Chosen     string    `json:"chosen,omitempty"`     // "" when there is none
	Deprecated bool      `json:"deprecated,omitempty"` // the repository says that the chosen version is not to be used any more
	Problem    string    `json:"problem,omitempty"`    // why nothing was chosen
}

// Newest finds the newest version that a subscription selects. That there is none is an error, too; its text is for people
// and says what to do. When the context ended the error is the context's.
func (c *Charts) Newest(ctx context.Context, sub promote.ChartSubscription) (promote.Chart, ChartExplanation, error) {
	explanation := ChartExplanation{RepoURL: publicURL(sub.RepoURL), Chart: sub.Chart}
	versions, err := c.versions(ctx, sub)
	if ctx.Err() != nil {
		return promote.Chart{}, explanation, fmt.Errorf("look for versions of %s: %w", explanation.shown(), context.Cause(ctx))
	}
	if err != nil {
		return promote.Chart{}, explanation, err
	}
	explanation.Versions = len(versions)
	selected, skipped, err := selectCharts(sub, versions)
	if err != nil {
		return promote.Chart{}, explanation, fmt.Errorf("chart %s: %w; correct it at %s", explanation.shown(), err, sub.Position)
	}
	explanation.Skipped = skipped[:min(len(skipped), maxSkipped)]
	if len(selected) == 0 {
		return promote.Chart{}, explanation, noChart(explanation, sub)
	}
	limit := sub.DiscoveryLimit
	if limit <= 0 {
		limit = len(selected)
	}
	for _, version := range selected[:min(len(selected), limit)] {
		explanation.Candidates = append(explanation.Candidates, version.text)
	}
	explanation.Chosen, explanation.Deprecated = selected[0].text, selected[0].deprecated
	c.config.Logger.DebugContext(ctx, "discovered chart", "repository", explanation.RepoURL, "chart", sub.Chart, "chosen", explanation.Chosen)
	return promote.Chart{RepoURL: sub.RepoURL, Name: sub.Chart, Version: selected[0].text, Subscription: sub.Name}, explanation, nil
}

// shown names the chart for people.
func (e ChartExplanation) shown() string {
	if e.Chart == "" {
		return e.RepoURL
	}
	return fmt.Sprintf("%q of %s", e.Chart, e.RepoURL)
}

// chartVersion is one version of a chart as its repository writes it.
type chartVersion struct {
	text       string
	deprecated bool
	at         string // of its archive, as the index has it; "" in OCI registries
	sum        string // SHA-256 of its archive, in bytes; "" when the index does not say
}

// versions lists what a repository has of a chart.
func (c *Charts) versions(ctx context.Context, sub promote.ChartSubscription) ([]chartVersion, error) {
	shown := publicURL(sub.RepoURL)
	if rest, ok := strings.CutPrefix(sub.RepoURL, "oci://"); ok {
		if sub.Chart != "" {
			return nil, fmt.Errorf("repoURL %q names the chart, and so does name; remove name: %s at %s", shown, sub.Chart, sub.Position)
		}
		return c.tagged(ctx, sub, rest)
	}
	parsed, err := url.Parse(sub.RepoURL)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return nil, fmt.Errorf("repoURL %q is not a chart repository; write https://… with the chart's name, or oci://<registry>/<repository> at %s", shown, sub.Position)
	}
	if sub.Chart == "" {
		return nil, fmt.Errorf("repoURL %q is a repository of many charts; set name to one of them at %s", shown, sub.Position)
	}
	index, err := c.index(ctx, parsed, sub.SkipTLSVerify)
	if err != nil {
		return nil, err
	}
	versions, ok := index[sub.Chart]
	if !ok {
		return nil, fmt.Errorf("chart %q is not in the index of %s%s; correct name at %s", sub.Chart, shown, otherCharts(sub.Chart, index), sub.Position)
	}
	return versions, nil
}

// otherCharts names the chart that may be meant, or a few that there are.
func otherCharts(name string, index chartIndex) string {
	names := slices.Sorted(maps.Keys(index))
	if near := nearest.Of(name, names[:min(len(names), 10_000)]); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	const most = 5
	switch {
	case len(names) == 0:
		return ", which has none"
	case len(names) > most:
		return fmt.Sprintf(", which has %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return ", which has " + strings.Join(names, ", ")
}

// tagged lists the versions of a chart in an OCI registry. A tag cannot hold "+", so Helm writes "_" for it.
func (c *Charts) tagged(ctx context.Context, sub promote.ChartSubscription, repository string) ([]chartVersion, error) {
	src, err := sourceOf(repository, sub.SkipTLSVerify)
	if err != nil {
		return nil, fmt.Errorf("repoURL %q is not a chart in an OCI registry; write oci://<registry>/<repository> without tag and digest at %s",
			publicURL(sub.RepoURL), sub.Position)
	}
	tags, err := c.config.Registry.tags(ctx, src)
	if err != nil {
		return nil, err
	}
	var out []chartVersion
	for _, tag := range tags {
		out = append(out, chartVersion{text: strings.ReplaceAll(tag, "_", "+")})
	}
	return out, nil
}

// selectCharts returns the versions that a subscription selects, newest first, and the others. Equal versions are ordered by
// their text, descending. In OCI registries, where any tag may be, a version has to be a whole one; in HTTP repositories
// "1.2" and "v1.2.3" are versions, too.
func selectCharts(sub promote.ChartSubscription, versions []chartVersion) (selected []chartVersion, skipped []Skipped, err error) {
	var constraint *semver.Constraints
	if sub.Constraint != "" {
		if constraint, err = semver.NewConstraint(sub.Constraint); err != nil {
			return nil, nil, fmt.Errorf("semverConstraint %q is not a semantic version range: %w", sub.Constraint, err)
		}
	}
	read, wanted := semver.NewVersion, "not a semantic version"
	if strings.HasPrefix(sub.RepoURL, "oci://") {
		read, wanted = semver.StrictNewVersion, "not a whole semantic version"
	}
	parsed := map[string]*semver.Version{}
	for _, version := range versions {
		if _, twice := parsed[version.text]; twice {
			continue
		}
		v, err := read(version.text)
		parsed[version.text] = v
		switch {
		case err != nil:
			skipped = append(skipped, Skipped{shorten(plainLine(version.text), maxSubject), wanted})
		case constraint != nil && !constraint.Check(v):
			skipped = append(skipped, Skipped{version.text, fmt.Sprintf("outside semverConstraint %q", sub.Constraint)})
		default:
			selected = append(selected, version)
		}
	}
	slices.SortFunc(selected, func(a, b chartVersion) int {
		return cmp.Or(parsed[b.text].Compare(parsed[a.text]), strings.Compare(b.text, a.text))
	})
	return selected, skipped, nil
}

// noChart says why no version was selected and what to do.
func noChart(e ChartExplanation, sub promote.ChartSubscription) error {
	if e.Versions == 0 {
		return fmt.Errorf("chart %s has no versions; push one", e.shown())
	}
	var examples []string
	for _, skipped := range e.Skipped[:min(3, len(e.Skipped))] {
		examples = append(examples, fmt.Sprintf("%s: %s", skipped.Name, skipped.Reason))
	}
	remedy := "push a version such as 1.2.3"
	if sub.Constraint != "" {
		remedy = fmt.Sprintf("widen semverConstraint at %s, or push a version inside it", sub.Position)
	}
	return fmt.Errorf("none of the %d versions of chart %s is selected (%s); %s", e.Versions, e.shown(), strings.Join(examples, "; "), remedy)
}
