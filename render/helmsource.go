package render

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/helm"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// chartSource renders a chart as Argo CD does (reposerver/repository helmTemplate).
type chartSource struct {
	*sourcing
	ctx  context.Context //nolint:containedctx // lives for one call
	tree *reading        // that holds the chart
	s    argocd.Source
	at   place  // of the chart
	dir  string // of the chart in tree

	lent map[string]*reading // trees that other sources lend, by their ref

	beside map[string]string // folders of charts that dependencies name as file://, by where Helm has them
}

func (s *sourcing) helm(ctx context.Context, tree *reading, source argocd.Source, at place) sourceOutput {
	r := &chartSource{sourcing: s, ctx: ctx, tree: tree, s: source, at: at, dir: at.dir, lent: map[string]*reading{}}
	req, err := r.request()
	if err != nil {
		return unrendered("invalid-source", err)
	}
	out := twice(func() sourceOutput { return r.template(req) })
	out.transient = out.transient || r.floating
	for _, lent := range r.lent {
		out.inputs = append(out.inputs, lent.files()...)
		out.transient = out.transient || lent.isBroken()
	}
	return out
}

func (r *chartSource) template(req helm.Request) sourceOutput {
	made, err := helm.Template(r.ctx, req)
	if err != nil {
		return unrendered("helm-error", r.located(err))
	}
	out := sourceOutput{random: made.NonDeterministic}
	for _, m := range made.Manifests {
		file := r.file(m.Path)
		objects, err := directory.Parse(file, []byte(m.Data))
		if err != nil {
			return unrendered("helm-error", err)
		}
		for _, o := range objects {
			o.Source = object.Source{File: file, Via: "Helm"}
			out.objects = append(out.objects, o)
		}
	}
	return out
}

// request is what the Application asks of Helm.
func (r *chartSource) request() (helm.Request, error) {
	options, err := r.s.HelmOptions()
	if err != nil {
		return helm.Request{}, err
	}
	req := helm.Request{
		ReleaseName: cmp.Or(options.ReleaseName, r.app.Name), Namespace: cmp.Or(options.Namespace, r.app.Destination.Namespace),
		IncludeCRDs: !options.SkipCRDs, SkipTests: options.SkipTests, SkipSchema: options.SkipSchemaValidation,
	}
	req.KubeVersion, req.APIVersions = r.cluster.or(options.KubeVersion, options.APIVersions)
	if err := prefetchFolder(r.ctx, r.tree, r.dir); err != nil {
		return req, err
	}
	if req.Chart, err = fs.Sub(r.tree, r.dir); err != nil {
		return req, err
	}
	req.Local, req.Fetch = r.local, r.dependency(r.ctx)
	if req.Values, err = r.allValueFiles(options); err != nil {
		return req, err
	}
	switch {
	case len(options.ValuesObject) > 0 && string(options.ValuesObject) != "null":
		req.Values = append(req.Values, helm.ValuesFile{Name: inValuesObject, Data: options.ValuesObject})
	case options.Values != "":
		req.Values = append(req.Values, helm.ValuesFile{Name: inValues, Data: []byte(options.Values)})
	}
	variables := r.app.Variables(r.s)
	for _, text := range []bool{false, true} { // as Argo CD orders --set and --set-string
		for _, p := range options.Parameters {
			if p.ForceString == text {
				req.Set = append(req.Set, helm.SetValue{Key: p.Name, Value: escaped(os.Expand(p.Value, variables)), Text: text})
			}
		}
	}
	for _, p := range options.FileParameters {
		data, err := r.read(os.Expand(refless(p.Path), variables))
		if err != nil {
			return req, err
		}
		req.Set = append(req.Set, helm.SetValue{Key: p.Name, Value: string(data.Data), File: true})
	}
	return req, nil
}

// local finds a chart that another one depends on as file://path.
func (r *chartSource) local(of, where string) (chart fs.FS, at string, err error) {
	if of == "" {
		of = r.dir
	}
	at = path.Join(of, where)
	if path.IsAbs(where) || !fs.ValidPath(at) {
		return nil, "", &manifest.Error{File: path.Join(of, "Chart.yaml"), Problem: fmt.Sprintf("the dependency file://%s lies outside of the repository", where), Remedy: "write a path that stays in it"}
	}
	if _, err := fs.Stat(r.tree, path.Join(at, "Chart.yaml")); errors.Is(err, fs.ErrNotExist) {
		return nil, "", &manifest.Error{File: path.Join(of, "Chart.yaml"), Problem: fmt.Sprintf("there is no chart at %q, which the dependency file://%s names", at, where), Remedy: "correct the path"}
	}
	if err := prefetchFolder(r.ctx, r.tree, at); err != nil {
		return nil, "", err
	}
	if r.beside == nil {
		r.beside = map[string]string{}
	}
	r.beside[path.Join(r.within(of), "charts", path.Base(at))] = at
	chart, err = fs.Sub(r.tree, at)
	return chart, at, err
}

// escaped keeps the commas of a parameter together, unless it is a list in braces (Argo CD: util/helm cleanSetParameters).
func escaped(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var b strings.Builder
	for i, c := range value {
		if c == ',' && (i == 0 || value[i-1] != '\\') {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// allValueFiles reads the files of valueFiles. Each counts once: where it is named by itself, else where the first pattern
// takes it.
func (r *chartSource) allValueFiles(options argocd.Helm) ([]helm.ValuesFile, error) {
	var all []helm.ValuesFile
	entries := make([][]helm.ValuesFile, len(options.ValueFiles))
	byName := map[string]int{} // the entry that a file belongs to
	for _, patterns := range []bool{false, true} {
		for i, name := range options.ValueFiles {
			if isPattern(name) != patterns {
				continue
			}
			files, err := r.valueFiles(name, options)
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				if _, taken := byName[file.Name]; !taken {
					byName[file.Name] = i
					entries[i] = append(entries[i], file)
				}
			}
		}
	}
	for _, files := range entries {
		all = append(all, files...)
	}
	return all, nil
}

func isPattern(name string) bool {
	return strings.ContainsAny(name, "*?[") && !strings.Contains(name, "://")
}

// valueFiles reads the files that an entry of valueFiles names: one, or those that a pattern matches, in their order.
func (r *chartSource) valueFiles(name string, options argocd.Helm) ([]helm.ValuesFile, error) {
	name = os.Expand(refless(name), r.app.Variables(r.s))
	if isPattern(name) {
		files, err := r.matching(name)
		if err == nil && len(files) == 0 && !options.IgnoreMissingValueFiles {
			err = &manifest.Error{
				Problem: fmt.Sprintf("valueFiles has the pattern %q, which matches no file", strings.Replace(name, refMark, "$", 1)),
				Remedy:  "correct it, or set helm.ignoreMissingValueFiles",
			}
		}
		return files, err
	}
	file, err := r.read(name)
	if errors.Is(err, fs.ErrNotExist) && options.IgnoreMissingValueFiles {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []helm.ValuesFile{file}, nil
}

func (r *chartSource) matching(pattern string) ([]helm.ValuesFile, error) {
	in, err := r.locate(pattern)
	if err != nil {
		return nil, err
	}
	names, err := doublestar.Glob(in.tree, in.name, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
	if err != nil {
		return nil, &manifest.Error{Problem: fmt.Sprintf("valueFiles has the pattern %q: %v", in.name, err), Remedy: "correct it", Cause: err}
	}
	slices.Sort(names)
	var files []helm.ValuesFile
	for _, name := range names {
		file, err := in.read(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// refMark stands for the dollar sign of a $ref, which is no variable.
const refMark = "\x00"

var refStart = regexp.MustCompile(`^\$([a-zA-Z0-9_-]+)/`)

// refless keeps the $ref at the beginning of a path from being taken for a variable, unless it is one of Argo CD's.
func refless(name string) string {
	if match := refStart.FindStringSubmatch(name); match != nil && !strings.HasPrefix(match[1], "ARGOCD_") {
		return refMark + name[1:]
	}
	return name
}

// valuePlace is a file that an Application names, in the tree that has it.
type valuePlace struct {
	tree  *reading
	label string // of the tree, as place.label
	name  string // the path of a file, or a pattern
}

// locate finds a path of the Application: below the chart, from the root on with a slash in front, or from the root of the
// source that a $ref names.
func (r *chartSource) locate(name string) (valuePlace, error) {
	at := valuePlace{tree: r.tree, label: r.at.label}
	rest, isRef := strings.CutPrefix(name, refMark)
	switch {
	case isRef:
		ref, inside, _ := strings.Cut(rest, "/")
		lent, label, err := r.lender(ref)
		if err != nil {
			return at, err
		}
		at.tree, at.label, name = lent, label, inside
	case strings.Contains(name, "://"):
		return at, &manifest.Error{Problem: fmt.Sprintf("the values of %q would have to be fetched", name), Remedy: "copy them into the repository", Cause: manifest.ErrElsewhere}
	case strings.HasPrefix(name, "/"):
		name = name[1:]
	default:
		name = path.Join(r.dir, name)
	}
	if at.name = path.Clean(name); !fs.ValidPath(at.name) {
		return at, &manifest.Error{Problem: fmt.Sprintf("the file %q lies outside of the repository", at.name), Remedy: "write a path that stays in it"}
	}
	return at, nil
}

// lender finds the tree that a source lends to others by its ref.
func (r *chartSource) lender(ref string) (tree *reading, label string, err error) {
	i := slices.IndexFunc(r.app.Sources, func(s argocd.Source) bool { return s.Ref == ref })
	if i < 0 {
		return nil, "", &manifest.Error{Problem: fmt.Sprintf("no source has the ref %q that valueFiles names", ref), Remedy: fmt.Sprintf("add ref: %s to the source that holds the files", ref)}
	}
	s, at := r.app.Sources[i], r.places[i]
	switch {
	case s.Chart != "":
		return nil, "", &manifest.Error{Problem: fmt.Sprintf("the source %q is a chart, which lends no files", ref), Remedy: "take the values from a repository of Git"}
	case at.err != nil:
		problem := &manifest.Error{Problem: fmt.Sprintf("the values of $%s are in %s at %q, which is not looked at", ref, argocd.ShownURL(s.RepoURL), s.TargetRevision), Cause: at.err}
		if told, ok := errors.AsType[*manifest.Error](at.err); ok {
			problem.Remedy = told.Remedy
		}
		return nil, "", problem
	}
	known, ok := r.lent[ref]
	if !ok {
		known = &reading{FS: at.tree}
		if at.label == "" {
			r.lent[ref] = known
		}
	}
	return known, at.label, nil
}

func (r *chartSource) read(name string) (helm.ValuesFile, error) {
	at, err := r.locate(name)
	if err != nil {
		return helm.ValuesFile{}, err
	}
	return at.read(at.name)
}

// read reads a file of the tree.
func (p valuePlace) read(file string) (helm.ValuesFile, error) {
	shown := place{label: p.label}.name(file)
	info, err := fs.Lstat(p.tree, file)
	if err == nil && !info.Mode().IsRegular() {
		return helm.ValuesFile{}, &manifest.Error{File: shown, Problem: "is not a regular file, and links are not followed", Remedy: "put the file itself here"}
	}
	data, err := manifest.ReadFile(p.tree, file)
	if errors.Is(err, fs.ErrNotExist) {
		return helm.ValuesFile{}, &manifest.Error{
			Problem: fmt.Sprintf("the file %q does not exist at this commit", shown),
			Remedy:  "correct the path, or set helm.ignoreMissingValueFiles", Cause: fs.ErrNotExist,
		}
	}
	return helm.ValuesFile{Name: shown, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}, err
}

// file is the path in the repository of what Helm names with the chart's name in front.
func (r *chartSource) file(name string) string {
	_, inside, found := strings.Cut(name, "/")
	if !found {
		return path.Join(r.dir, "Chart.yaml")
	}
	for dir := path.Dir(inside); dir != "."; dir = path.Dir(dir) {
		if at, ok := r.beside[dir]; ok {
			return path.Join(at, strings.TrimPrefix(inside, dir+"/"))
		}
	}
	return path.Join(r.dir, inside)
}

// within is where Helm has a chart: "" for the one that is rendered.
func (r *chartSource) within(at string) string {
	for dir, there := range r.beside {
		if there == at {
			return dir
		}
	}
	return ""
}

// Values that stand in the Application itself.
const (
	inValues       = "values of the Application"
	inValuesObject = "valuesObject of the Application"
)

// located gives a problem its path in the repository. Values are named by theirs already.
func (r *chartSource) located(err error) error {
	problem, ok := errors.AsType[*manifest.Error](err)
	if !ok || problem.File == "" || slices.Contains(r.tree.files(), problem.File) {
		return err
	}
	placed := *problem
	inChart := path.Join(r.dir, problem.File)
	_, missing := fs.Lstat(r.tree, inChart)
	switch {
	case problem.File == inValues || problem.File == inValuesObject:
		placed.File, placed.Line, placed.Column = "", 0, 0
		placed.Problem = problem.File + ": " + problem.Problem
	case missing == nil:
		placed.File = inChart
	default:
		placed.File = r.file(problem.File)
	}
	return &placed
}

// unrendered is the output of a source that could not be rendered. What would have to be fetched, and what is beyond a bound
// of ours, Argo CD may well render: what it deploys is unknown. For all else Argo CD fails as well.
func unrendered(code string, err error) sourceOutput {
	if errors.Is(err, manifest.ErrElsewhere) || errors.Is(err, manifest.ErrBound) {
		out := sourceOutput{partial: true}
		for _, f := range finding.FromError("not-rendered-offline", err) {
			f.Severity = finding.Warning
			f.Message += ": what it deploys is not shown"
			out.findings = append(out.findings, f)
		}
		return out
	}
	return sourceOutput{findings: finding.FromError(code, err), failed: true}
}

// prefetchFolder gets the files of a folder in one request.
func prefetchFolder(ctx context.Context, tree fs.FS, dir string) error {
	prefetcher, ok := tree.(manifest.Prefetcher)
	if !ok || !fs.ValidPath(dir) {
		return nil
	}
	if err := prefetcher.Prefetch(ctx, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("prefetch %q: %w", dir, err)
	}
	return nil
}
