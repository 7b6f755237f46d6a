package devforge

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// FaultKind is one thing that goes wrong. Make one with Answer, Hang, LoseAnswer, CutAnswer, BadGateway, or one of the hook faults.
type FaultKind struct {
	request func(w http.ResponseWriter, r *http.Request, next http.Handler)
	hook    hookFault
}

type hookFault int

const (
	hookPlain hookFault = iota
	hookTwice
	hookLate
	hookLost
)

// Answer refuses with a status instead of acting. A retryAfter above zero is sent as Retry-After, in seconds. 429 has GitLab's
// plain text body, others a JSON message.
func Answer(status int, retryAfter time.Duration) FaultKind {
	return FaultKind{request: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((retryAfter+time.Second-1)/time.Second)))
		}
		body := `{"message":"` + strconv.Itoa(status) + " " + http.StatusText(status) + `"}`
		w.Header().Set("Content-Type", "application/json")
		if status == http.StatusTooManyRequests {
			body = "Retry later\n"
			w.Header().Set("Content-Type", "text/plain")
		}
		w.WriteHeader(status)
		writeAll(w, []byte(body))
	}}
}

// Hang neither acts nor answers until the client gives up.
func Hang() FaultKind {
	return FaultKind{request: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

// LoseAnswer acts and then breaks the connection: the client cannot know that it happened.
func LoseAnswer() FaultKind {
	return FaultKind{request: func(_ http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(newBuffered(), r)
		panic(http.ErrAbortHandler)
	}}
}

// CutAnswer acts, sends half of the answer and breaks the connection.
func CutAnswer() FaultKind {
	return FaultKind{request: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := newBuffered()
		next.ServeHTTP(whole, r)
		body := whole.body.Bytes()
		whole.header.Set("Content-Length", strconv.Itoa(len(body)))
		whole.body = *bytes.NewBuffer(body[:len(body)/2])
		whole.copyTo(w)
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler)
	}}
}

// BadGateway is a proxy's 502 page instead of an answer.
func BadGateway() FaultKind {
	return FaultKind{request: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusBadGateway)
		writeAll(w, []byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"))
	}}
}

// DuplicateHook delivers a webhook twice, with the same Idempotency-Key.
func DuplicateHook() FaultKind { return FaultKind{hook: hookTwice} }

// LateHook holds a webhook back until after the next one, or until Flush.
func LateHook() FaultKind { return FaultKind{hook: hookLate} }

// LoseHook never delivers a webhook.
func LoseHook() FaultKind { return FaultKind{hook: hookLost} }

type plannedFault struct {
	match func(*http.Request) bool
	kinds []FaultKind
}

// Fault makes things go wrong: each kind happens once, in order, to the next request that matches; then all is well again. The
// hook faults happen to webhooks, for which match sees the request that the receiver would see; the others to requests that the
// forge receives, whether for the API, Git or a page. match must not call the forge.
func (f *Forge) Fault(match func(*http.Request) bool, kinds ...FaultKind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &plannedFault{match, kinds})
}

// takeFault returns the next fault for r that is wanted, or the zero one.
func (f *Forge) takeFault(r *http.Request, wanted func(FaultKind) bool) FaultKind {
	for _, planned := range f.faults {
		if len(planned.kinds) > 0 && wanted(planned.kinds[0]) && planned.match(r) {
			kind := planned.kinds[0]
			planned.kinds = planned.kinds[1:]
			return kind
		}
	}
	return FaultKind{}
}

func (f *Forge) hookFault(p parcel) FaultKind {
	r, err := http.NewRequest(http.MethodPost, p.URL, bytes.NewReader(p.Body)) //nolint:noctx // only looked at, never sent
	if err != nil {
		return FaultKind{}
	}
	r.Header = p.Header.Clone()
	return f.takeFault(r, func(kind FaultKind) bool { return kind.request == nil })
}

// withFaults puts the planned faults before next.
func (f *Forge) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		kind := f.takeFault(r, func(kind FaultKind) bool { return kind.request != nil })
		f.mu.Unlock()
		if kind.request == nil {
			next.ServeHTTP(w, r)
			return
		}
		kind.request(w, r, next)
	})
}

// buffered holds an answer back.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newBuffered() *buffered { return &buffered{header: http.Header{}, status: http.StatusOK} }

func (b *buffered) Header() http.Header { return b.header }

func (b *buffered) WriteHeader(status int) { b.status = status }

func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }

func (b *buffered) copyTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), b.header)
	w.WriteHeader(b.status)
	writeAll(w, b.body.Bytes())
}

// writeAll ignores a client that left: there is nobody to tell.
func writeAll(w http.ResponseWriter, body []byte) {
	_, _ = w.Write(body)
}
