package devargo

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

type faultKind int

const (
	failSync faultKind = iota
	degraded
	suspended
	stuck
	comparisonError
	controllerDown
	noAutoSync
	syncWindow
	forbid
	hang
	answer
)

// A Fault is something that goes wrong with an application until [Server.Heal].
type Fault struct {
	kind   faultKind
	text   string
	status int
	times  int
}

// A fault is a Fault in effect, with what is left of its times.
type fault struct {
	Fault
	left int
}

// FailSync makes operations end as Failed with message.
func FailSync(message string) Fault { return Fault{kind: failSync, text: message} }

// Degraded makes rollouts end as Degraded with message.
func Degraded(message string) Fault { return Fault{kind: degraded, text: message} }

// Suspended makes rollouts end as Suspended, as a paused one does.
func Suspended() Fault { return Fault{kind: suspended} }

// Stuck makes rollouts stay Progressing.
func Stuck() Fault { return Fault{kind: stuck} }

// ComparisonError makes comparisons fail with message, from the next one on.
func ComparisonError(message string) Fault { return Fault{kind: comparisonError, text: message} }

// ControllerDown stops the controller: refreshes stay pending and their requests hang, operations do not advance.
func ControllerDown() Fault { return Fault{kind: controllerDown} }

// NoAutoSync keeps automated sync from beginning.
func NoAutoSync() Fault { return Fault{kind: noAutoSync} }

// SyncWindow denies every sync, as a window of the project does.
func SyncWindow() Fault { return Fault{kind: syncWindow} }

// Forbid takes the token's permission for an action, "get" or "sync", away.
func Forbid(action string) Fault { return Fault{kind: forbid, text: action} }

// Hang keeps every request about the application waiting until its client leaves.
func Hang() Fault { return Fault{kind: hang} }

// Status answers every request about the application with an HTTP status: 502 to 504 as a proxy in front does, in HTML,
// others as Argo CD does.
func Status(code int) Fault { return Fault{kind: answer, status: code} }

// Times limits a fault of requests (Hang, Status) to the next n of them.
func (f Fault) Times(n int) Fault {
	f.times = n
	return f
}

// Fail puts a fault on an application. Faults add up. An unknown application is an error.
func (s *Server) Fail(ref argocd.Ref, with Fault) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.apps[s.key(ref)]
	if known == nil {
		return fmt.Errorf("devargo: no application %s to fail", ref)
	}
	known.faults = append(known.faults, &fault{Fault: with, left: with.times})
	return nil
}

// Heal takes all faults off an application. What they have done stays until it is synced or compared again.
func (s *Server) Heal(ref argocd.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.apps[s.key(ref)]; known != nil {
		known.faults = nil
	}
}

func (st *state) fault(kind faultKind) *fault {
	for _, each := range st.faults {
		if each.kind == kind {
			return each
		}
	}
	return nil
}

func (st *state) has(kind faultKind) bool { return st.fault(kind) != nil }

func (st *state) forbidden(action string) bool {
	return slices.ContainsFunc(st.faults, func(each *fault) bool { return each.kind == forbid && each.text == action })
}

// use counts one request and says which fault of requests meets it, if any.
func (st *state) use() *fault {
	for i, each := range st.faults {
		if each.kind != hang && each.kind != answer {
			continue
		}
		if each.times > 0 {
			if each.left--; each.left == 0 {
				st.faults = slices.Delete(st.faults, i, i+1)
			}
		}
		return each
	}
	return nil
}

// meet is what a fault of requests does to one.
func (f *fault) meet(ctx context.Context) error {
	if f.kind == hang {
		<-ctx.Done()
		return ctx.Err()
	}
	text := http.StatusText(f.status)
	switch f.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &apiError{status: f.status, text: text, html: true}
	case http.StatusUnauthorized:
		return unauthenticated("invalid session: token is expired")
	case http.StatusForbidden:
		return permissionDenied("permission denied")
	default:
		return &apiError{status: f.status, code: 13, text: text}
	}
}
