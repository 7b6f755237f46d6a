package helm

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// maxNesting is how many archives may be packed into each other.
const maxNesting = 10

// load reads the chart and the subcharts that are vendored in it.
func load(ctx context.Context, req Request, limits Limits) (*chart.Chart, error) {
	tree := req.Chart
	if _, err := fs.Stat(tree, "Chart.yaml"); errors.Is(err, fs.ErrNotExist) {
		return nil, &manifest.Error{Problem: "there is no Chart.yaml, so this is not a Helm chart", Remedy: "give the path of the folder that holds it", Cause: err}
	}
	r := &reader{ctx: ctx, tree: tree, limits: limits}
	if err := r.folder(""); err != nil {
		return nil, err
	}
	if err := r.local(req.Local, "", "", 0); err != nil {
		return nil, err
	}
	if err := r.fetched(req.Fetch); err != nil {
		return nil, err
	}
	c, err := loader.LoadFiles(r.files)
	if err != nil {
		return nil, &manifest.Error{File: "Chart.yaml", Problem: "the chart cannot be loaded: " + excerpt(err.Error())}
	}
	if c.Metadata.Type == "library" {
		return nil, &manifest.Error{File: "Chart.yaml", Problem: fmt.Sprintf("%q is a library chart, which deploys nothing itself", c.Name()), Remedy: "render a chart that depends on it"}
	}
	order(c)
	if instances(c) > maxInstances {
		return nil, &manifest.Error{File: "Chart.yaml", Problem: fmt.Sprintf("with its dependencies and their aliases the chart is more than %d charts", maxInstances), Remedy: "depend on fewer charts", Cause: manifest.ErrBound}
	}
	return c, vendored(c)
}

// reader collects the files of a chart.
type reader struct {
	ctx    context.Context //nolint:containedctx // of one call
	tree   fs.FS
	limits Limits
	size   int
	files  []*archive.BufferedFile
}

// localCharts is Request.Local.
type localCharts func(of, path string) (chart fs.FS, at string, err error)

// local adds the charts beside a chart that it depends on as file://path, as helm dependency build would put them into
// charts/. prefix is the folder of the chart among the files, at its path for local.
func (r *reader) local(charts localCharts, prefix, at string, nesting int) error {
	if charts == nil {
		return nil
	}
	written := r.dependencies(prefix+"Chart.yaml", prefix+"requirements.yaml")
	for _, d := range written {
		where, isLocal := strings.CutPrefix(d.Repository, "file://")
		folder := prefix + "charts/" + d.Name
		if !isLocal || r.vendors(folder) {
			continue
		}
		if nesting == maxNesting {
			return &manifest.Error{File: prefix + "Chart.yaml", Problem: fmt.Sprintf("charts depend on each other by file:// more than %d deep", maxNesting), Remedy: "look for a chart that depends on itself", Cause: manifest.ErrBound}
		}
		tree, there, err := charts(at, where)
		if err != nil {
			return err
		}
		below := &reader{ctx: r.ctx, tree: tree, limits: r.limits, size: r.size, files: r.files}
		if err := below.folder(folder + "/"); err != nil {
			return err
		}
		r.size, r.files = below.size, below.files
		if err := r.local(charts, folder+"/", there, nesting+1); err != nil {
			return err
		}
	}
	return nil
}

// Dependency is what Chart.yaml and Chart.lock say of one.
type Dependency struct {
	Name       string `json:"name"`
	Version    string `json:"version"` // which may be a range
	Repository string `json:"repository"`
}

// dependencies reads those that files name: charts of apiVersion v1 have them in requirements.yaml. What is wrong with a file
// the loader says.
func (r *reader) dependencies(files ...string) []Dependency {
	var all []Dependency
	for _, f := range r.files {
		var written struct {
			Dependencies []Dependency `json:"dependencies"`
		}
		if slices.Contains(files, f.Name) && yaml.Unmarshal(f.Data, &written) == nil {
			all = append(all, written.Dependencies...)
		}
	}
	return all
}

// vendors reports whether a subchart's folder or archive is among the files.
func (r *reader) vendors(folder string) bool {
	return slices.ContainsFunc(r.files, func(f *archive.BufferedFile) bool {
		version, archived := strings.CutPrefix(f.Name, folder+"-")
		return strings.HasPrefix(f.Name, folder+"/") || archived && strings.Contains(version, ".tgz") && version[0] >= '0' && version[0] <= '9'
	})
}

// fetched adds the dependencies that are not vendored, as helm dependency build would get them.
func (r *reader) fetched(fetch func(repository, name, version string) (fs.FS, error)) error {
	if fetch == nil {
		return nil
	}
	for _, d := range r.missing() {
		tree, err := fetch(d.Repository, d.Name, d.Version)
		if problem, ok := errors.AsType[*manifest.Error](err); ok {
			return &manifest.Error{
				File: "Chart.yaml", Problem: "a dependency that is not in charts/: " + problem.Problem,
				Remedy: strings.TrimPrefix(problem.Remedy+", or run helm dependency build and commit charts/", ", or "), Cause: err,
			}
		}
		if err != nil {
			return err
		}
		below := &reader{ctx: r.ctx, tree: tree, limits: r.limits, size: r.size, files: r.files}
		if err := below.folder("charts/" + d.Name + "/"); err != nil {
			return err
		}
		r.size, r.files = below.size, below.files
	}
	return nil
}

// missing lists the dependencies that are in a repository and not vendored.
func (r *reader) missing() []Dependency {
	var out []Dependency
	locked := r.dependencies("Chart.lock", "requirements.lock")
	for _, d := range r.dependencies("Chart.yaml", "requirements.yaml") {
		if !strings.HasPrefix(d.Repository, "https://") && !strings.HasPrefix(d.Repository, "http://") && !strings.HasPrefix(d.Repository, "oci://") || r.vendors("charts/"+d.Name) {
			continue
		}
		if i := slices.IndexFunc(locked, func(l Dependency) bool { return l.Name == d.Name && l.Repository == d.Repository }); i >= 0 {
			d.Version = locked[i].Version
		}
		out = append(out, d)
	}
	return out
}

// Missing lists the dependencies of a chart that [Request].Fetch would be asked for. tree holds its Chart.yaml at the root; what is
// wrong with its files Template says.
func Missing(tree fs.FS) []Dependency {
	r := &reader{}
	for _, name := range []string{"Chart.yaml", "requirements.yaml", "Chart.lock", "requirements.lock"} {
		if data, err := manifest.ReadFile(tree, name); err == nil {
			r.files = append(r.files, &archive.BufferedFile{Name: name, Data: data})
		}
	}
	vendored, _ := fs.ReadDir(tree, "charts") // without one nothing is vendored
	for _, entry := range vendored {
		name := "charts/" + entry.Name()
		if entry.IsDir() {
			name += "/"
		}
		r.files = append(r.files, &archive.BufferedFile{Name: name})
	}
	return r.missing()
}

// folder adds the files of a chart's folder, with a prefix before their names.
func (r *reader) folder(prefix string) error {
	rules, err := r.rules()
	if err != nil {
		return err
	}
	var names []string
	err = fs.WalkDir(r.tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("list chart: %w", err)
		}
		if name == "." {
			return nil
		}
		info, err := entry.Info()
		switch {
		case err != nil:
			return fmt.Errorf("list chart: %w", err)
		case rules.Ignore(name, info) && entry.IsDir():
			return fs.SkipDir
		case rules.Ignore(name, info) || entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return &manifest.Error{File: name, Problem: "is not a regular file, and links in a chart are not followed", Remedy: "put the file itself here, or add it to .helmignore"}
		}
		names = append(names, name)
		return r.counted(name, len(names))
	})
	if err != nil {
		return err
	}
	if tree, ok := r.tree.(manifest.Prefetcher); ok && len(names) > 1 {
		if err := tree.Prefetch(r.ctx, names...); err != nil {
			return fmt.Errorf("prefetch chart: %w", err)
		}
	}
	for _, name := range names {
		data, err := manifest.ReadFile(r.tree, name)
		if err != nil {
			return err
		}
		if err := r.add(prefix+name, data, 0); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) rules() (*ignore.Rules, error) {
	rules := ignore.Empty()
	if info, err := fs.Lstat(r.tree, ignore.HelmIgnore); err == nil && !info.Mode().IsRegular() {
		return nil, &manifest.Error{File: ignore.HelmIgnore, Problem: "is not a regular file, and links in a chart are not followed", Remedy: "put the file itself here"}
	}
	data, err := manifest.ReadFile(r.tree, ignore.HelmIgnore)
	switch {
	case err == nil:
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, &manifest.Error{File: ignore.HelmIgnore, Problem: "cannot be read: " + err.Error(), Cause: err}
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	rules.AddDefaults()
	return rules, nil
}

// add keeps one file, or what is in it when it is the archive of a subchart.
func (r *reader) add(name string, data []byte, nesting int) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.size += len(data); r.size > r.limits.ChartBytes {
		return tooLarge(name, r.limits.ChartBytes)
	}
	dir, base := path.Split(name)
	if path.Ext(base) == ".tgz" && path.Base(dir) == "charts" && strings.IndexAny(base, "._") != 0 {
		if nesting == maxNesting {
			return &manifest.Error{File: name, Problem: fmt.Sprintf("more than %d archives are packed into each other", maxNesting), Cause: manifest.ErrBound}
		}
		// The folder's name is nowhere seen; it only has to differ from every folder beside the archive.
		return r.unpack(name, name+".unpacked", data, nesting+1)
	}
	if err := r.counted(name, len(r.files)+1); err != nil {
		return err
	}
	r.files = append(r.files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
	return nil
}

func (r *reader) counted(name string, files int) error {
	if files > r.limits.Files {
		return &manifest.Error{File: name, Problem: fmt.Sprintf("with this file the chart has more than %d files", r.limits.Files), Remedy: "list in .helmignore what does not belong to the chart", Cause: manifest.ErrBound}
	}
	return nil
}

func tooLarge(name string, limit int) error {
	return &manifest.Error{File: name, Problem: fmt.Sprintf("with this file the chart has more than %d bytes", limit), Remedy: "list in .helmignore what does not belong to the chart", Cause: manifest.ErrBound}
}

// unpack adds the files of an archive below dir, without the folder that every chart archive has around them.
func (r *reader) unpack(name, dir string, data []byte, nesting int) error {
	broken := func(problem string, err error) error {
		return &manifest.Error{File: name, Problem: "is not a chart archive: " + problem, Remedy: "vendor the chart again with helm dependency build", Cause: err}
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return broken(err.Error(), err)
	}
	defer unzipped.Close() //nolint:errcheck // nothing was written
	// An archive of nothing but headers has to end as well.
	tarball := tar.NewReader(io.LimitReader(unzipped, int64(r.limits.ChartBytes)*2))
	for {
		header, err := tarball.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err.Error(), err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		_, inside, found := strings.Cut(strings.ReplaceAll(header.Name, `\`, "/"), "/")
		if !found || !fs.ValidPath(inside) || inside == "." {
			return broken(fmt.Sprintf("it holds %q, which is not inside a folder", excerpt(header.Name)), nil)
		}
		left := r.limits.ChartBytes - r.size
		content, err := io.ReadAll(io.LimitReader(tarball, int64(left)+1))
		if err != nil {
			return broken(err.Error(), err)
		}
		if len(content) > left {
			return tooLarge(name, r.limits.ChartBytes)
		}
		if err := r.add(path.Join(dir, inside), content, nesting); err != nil {
			return err
		}
	}
}

// order makes the order of subcharts, which the loader leaves to chance, the same every time.
func order(c *chart.Chart) {
	subcharts := slices.Clone(c.Dependencies())
	slices.SortStableFunc(subcharts, func(a, b *chart.Chart) int {
		return cmp.Or(strings.Compare(a.Name(), b.Name()), strings.Compare(a.Metadata.Version, b.Metadata.Version))
	})
	c.SetDependencies(subcharts...)
	for _, subchart := range subcharts {
		order(subchart)
	}
}

// maxInstances is how many charts a chart may be with all of its dependencies. Every alias of one counts, and multiplies
// the dependencies below it.
const maxInstances = 2000

// instances counts them, up to a little more than the bound.
func instances(c *chart.Chart) int {
	total := 1
	for _, subchart := range c.Dependencies() {
		times := 0
		for _, dependency := range c.Metadata.Dependencies {
			if dependency != nil && dependency.Name == subchart.Name() {
				times++
			}
		}
		if total += min(max(times, 1), maxInstances) * instances(subchart); total > maxInstances {
			return maxInstances + 1
		}
	}
	return total
}

// vendored makes sure that what Chart.yaml depends on is in charts/: nothing is fetched here.
func vendored(c *chart.Chart) error {
	var missing []string
	for _, dependency := range c.Metadata.Dependencies {
		if dependency == nil {
			continue
		}
		there := slices.ContainsFunc(c.Dependencies(), func(s *chart.Chart) bool { return s.Name() == dependency.Name })
		if !there {
			missing = append(missing, fmt.Sprintf("%s %s of %s", dependency.Name, dependency.Version, dependency.Repository))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &manifest.Error{
		File:    "Chart.yaml",
		Problem: "names dependencies that are not in charts/: " + strings.Join(missing, ", "),
		Remedy:  "run helm dependency build and commit charts/: nothing is fetched here",
		Cause:   manifest.ErrElsewhere,
	}
}
