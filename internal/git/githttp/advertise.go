package githttp

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// The bounds of what is remembered of a handler's repositories.
const (
	maxRemembered     = 64
	maxRememberedSize = 1 << 20
)

// memory holds what git advertised of repositories: the answer to the first request of every fetch, and the only one of most
// of them. While the refs and the configuration are the same, so is the answer, and git is not asked again.
type memory struct {
	mu    sync.Mutex
	known map[string]advertisement // by repository and protocol
}

// advertisement is an answer, and the state of the repository before and after it was given.
type advertisement struct {
	state  string
	answer recorder
}

// advertise answers a request for what can be fetched. ask has git answer it.
func (m *memory) advertise(w http.ResponseWriter, req *http.Request, dir string, ask func(http.ResponseWriter)) {
	key, before := dir+"\x00"+req.Header.Get("Git-Protocol"), stateOf(dir)
	m.mu.Lock()
	known, ok := m.known[key]
	m.mu.Unlock()
	if ok && before != "" && known.state == before {
		known.answer.copyTo(w)
		return
	}
	answer := recorder{header: http.Header{}, status: http.StatusOK}
	ask(&answer)
	if before != "" && stateOf(dir) == before && answer.status == http.StatusOK && answer.body.Len() <= maxRememberedSize {
		m.remember(key, advertisement{before, answer})
	}
	answer.copyTo(w)
}

func (m *memory) remember(key string, a advertisement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxRemembered {
		m.known = map[string]advertisement{}
	}
	m.known[key] = a
}

// stateOf is everything that an advertisement of what can be fetched depends on, "" when that is not known.
func stateOf(dir string) string {
	refs, err := Refs(dir)
	if err != nil {
		return ""
	}
	var state strings.Builder
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(&state, "%s %s\n", name, refs[name])
	}
	for _, name := range []string{"config", "shallow"} {
		text, err := optional(filepath.Join(dir, name))
		if err != nil {
			return ""
		}
		state.WriteString("\x00" + text)
	}
	return state.String()
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements [http.ResponseWriter].
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func (r *recorder) copyTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes()) // who does not listen any more needs no answer
}
