package devargo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

const maxBody = 1 << 20

// find looks an application up as Argo CD does. Without a project, who may not know whether it exists learns nothing: missing
// and forbidden look alike. With one, a missing application, and one of another project, is not found.
func (s *Server) find(ctx context.Context, ref argocd.Ref, action string) error {
	s.mu.Lock()
	known := s.apps[s.key(ref)]
	var met *fault
	project, forbidden := "", false
	if known != nil {
		met, project, forbidden = known.use(), known.app.Project, known.forbidden(action)
	}
	s.mu.Unlock()
	if met != nil {
		return met.meet(ctx)
	}
	switch {
	case ref.Project == "" && (known == nil || forbidden):
		return permissionDenied("permission denied")
	case known == nil || ref.Project != "" && project != ref.Project:
		return notFound(ref.Name)
	case forbidden:
		return permissionDenied(fmt.Sprintf("permission denied: applications, %s, %s/%s, sub: lockkeeper, iat: 2026-01-01T00:00:00Z", action, project, ref.Name))
	default:
		return nil
	}
}

func queryRef(r *http.Request) argocd.Ref {
	query := r.URL.Query()
	return argocd.Ref{
		Name:      r.PathValue("name"),
		Namespace: query.Get("appNamespace"),
		Project:   query.Get("project"),
	}
}

// get observes an application. With refresh it answers when the controller has compared it, and not before.
func (s *Server) get(r *http.Request) (any, error) {
	ref := queryRef(r)
	if err := s.find(r.Context(), ref, "get"); err != nil {
		return nil, err
	}
	switch refresh := r.URL.Query().Get("refresh"); refresh {
	case "":
	case "normal", "hard":
		if err := s.askRefresh(r.Context(), ref, refresh); err != nil {
			return nil, err
		}
	default:
		return nil, invalidArgument("invalid refresh type " + refresh)
	}
	s.observe(r.Context(), ref)
	return s.render(ref)
}

func (s *Server) askRefresh(ctx context.Context, ref argocd.Ref, refresh string) error {
	s.mu.Lock()
	known := s.apps[s.key(ref)]
	if known == nil {
		s.mu.Unlock()
		return notFound(ref.Name)
	}
	known.refresh = refresh
	known.version++
	down := known.has(controllerDown)
	s.mu.Unlock()
	if down {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (s *Server) render(ref argocd.Ref) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	if known == nil {
		return nil, notFound(ref.Name)
	}
	return known.wire(), nil
}

// list leaves out what the token may not get. An unreadable selector is an error.
func (s *Server) list(r *http.Request) (any, error) {
	query := r.URL.Query()
	chosen, err := parseSelector(query.Get("selector"))
	if err != nil {
		return nil, err
	}
	projects := slices.Concat(query["projects"], query["project"])
	names := query["names"]
	if name := query.Get("name"); name != "" {
		names = append(names, name)
	}
	list := wireList{Items: []wireApplication{}}
	for _, ref := range s.refs() {
		s.observe(r.Context(), ref)
		s.mu.Lock()
		known := s.apps[s.key(ref)]
		if known != nil && !known.forbidden("get") &&
			(len(projects) == 0 || slices.Contains(projects, known.app.Project)) &&
			(len(names) == 0 || slices.Contains(names, known.app.Name)) &&
			cmp.Or(query.Get("appNamespace"), known.app.Namespace) == known.app.Namespace &&
			known.app.from(query.Get("repo")) && chosen.matches(known.app.Labels) {
			list.Items = append(list.Items, known.wire())
		}
		s.mu.Unlock()
	}
	list.Metadata.ResourceVersion = "1"
	if mask := query.Get("fields"); mask != "" {
		return maskList(list, mask)
	}
	return list, nil
}

func (a App) from(repoURL string) bool {
	return repoURL == "" || slices.ContainsFunc(a.Sources, func(source Source) bool { return source.RepoURL == repoURL })
}

func (s *Server) resourceTree(r *http.Request) (any, error) {
	ref := queryRef(r)
	if err := s.find(r.Context(), ref, "get"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	if known == nil {
		return nil, notFound(ref.Name)
	}
	return known.tree(), nil
}

func (s *Server) canI(r *http.Request) (any, error) {
	project, name, _ := strings.Cut(r.PathValue("subresource"), "/")
	ref := argocd.Ref{Name: name, Project: project}
	if namespace, inner, ok := strings.Cut(name, "/"); ok {
		ref.Namespace, ref.Name = namespace, inner
	}
	answer := struct {
		Value string `json:"value"`
	}{"yes"}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	if r.PathValue("resource") != "applications" || known != nil && known.forbidden(r.PathValue("action")) {
		answer.Value = "no"
	}
	return answer, nil
}

type syncRequest struct {
	AppNamespace    string     `json:"appNamespace"`
	Project         string     `json:"project"`
	Revision        string     `json:"revision"`
	Revisions       []string   `json:"revisions"`
	SourcePositions []string   `json:"sourcePositions"`
	Prune           bool       `json:"prune"`
	DryRun          bool       `json:"dryRun"`
	Infos           []wireInfo `json:"infos"`
}

func (s *Server) sync(r *http.Request) (any, error) {
	var request syncRequest
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&request); err != nil {
		return nil, invalidArgument(err.Error())
	}
	ref := argocd.Ref{Name: r.PathValue("name"), Namespace: request.AppNamespace, Project: request.Project}
	if err := s.find(r.Context(), ref, "get"); err != nil {
		return nil, err
	}
	s.observe(r.Context(), ref)
	sources, asked, err := s.mayBegin(ref, request)
	if err != nil {
		return nil, err
	}
	found, err := s.resolve(r.Context(), sources, asked)
	if err != nil {
		return nil, failedPrecondition(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	if known == nil {
		return nil, notFound(ref.Name)
	}
	if known.busy() {
		return nil, failedPrecondition("another operation is already in progress")
	}
	known.request(&operation{
		infos:     request.Infos,
		by:        "lockkeeper",
		prune:     request.Prune,
		dryRun:    request.DryRun,
		asked:     found.revisions,
		revisions: found.revisions,
		contents:  found.contents,
	})
	return known.wire(), nil
}

// mayBegin checks what does not take the repository, in Argo CD's order.
func (s *Server) mayBegin(ref argocd.Ref, request syncRequest) (sources []Source, asked []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	switch {
	case known == nil:
		return nil, nil, notFound(ref.Name)
	case known.has(syncWindow):
		return nil, nil, permissionDenied("cannot sync: blocked by sync window")
	case known.forbidden("sync"):
		return nil, nil, permissionDenied(fmt.Sprintf("permission denied: applications, sync, %s/%s, sub: lockkeeper, iat: 2026-01-01T00:00:00Z", known.app.Project, ref.Name))
	}
	asked, err = request.asked(known.app)
	if err != nil {
		return nil, nil, err
	}
	for i, revision := range asked {
		tracked := cmp.Or(known.app.Sources[i].TargetRevision, "HEAD")
		if known.app.AutoSync && !request.DryRun && revision != "" && revision != tracked {
			return nil, nil, failedPrecondition(fmt.Sprintf("Cannot sync to %s: auto-sync currently set to %s", revision, tracked))
		}
	}
	if known.busy() {
		return nil, nil, failedPrecondition("another operation is already in progress")
	}
	return slices.Clone(known.app.Sources), asked, nil
}

// asked are the revisions of a request by source.
func (request syncRequest) asked(app App) ([]string, error) {
	asked := make([]string, len(app.Sources))
	if len(request.Revisions) != len(request.SourcePositions) {
		return nil, invalidArgument("source positions and revisions must have the same length")
	}
	if !app.MultiSource {
		if len(request.Revisions) > 0 {
			return nil, invalidArgument("revisions are for applications with several sources")
		}
		asked[0] = request.Revision
		return asked, nil
	}
	for i, position := range request.SourcePositions {
		var at int
		if _, err := fmt.Sscanf(position, "%d", &at); err != nil || at < 1 || at > len(asked) {
			return nil, invalidArgument("source position " + position + " is out of range")
		}
		asked[at-1] = request.Revisions[i]
	}
	return asked, nil
}

func (s *Server) terminate(r *http.Request) (any, error) {
	ref := queryRef(r)
	if err := s.find(r.Context(), ref, "sync"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	if known == nil {
		return nil, notFound(ref.Name)
	}
	if !known.busy() {
		return nil, invalidArgument("Unable to terminate operation. No operation is in progress")
	}
	now := s.config.Now()
	known.op = known.requested
	if known.op.started.IsZero() {
		known.op.started = now
	}
	known.op.phase, known.op.message, known.op.finished = argocd.PhaseFailed, "Operation terminated", now
	known.requested = nil
	known.version++
	return struct{}{}, nil
}
