package bot

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxBody is what forges send at most.
	maxBody = 25 << 20
	// smallBody is what nearly every delivery fits in. Only maxLarge larger ones are read at a time, because nothing is
	// known about the sender until all of it was read.
	smallBody = 1 << 20
	maxLarge  = 4
	// bodyTimeout bounds how long a body may take to arrive, whatever the server's own limits are.
	bodyTimeout = 30 * time.Second
)

// errBusy means that too many large bodies are on their way.
var errBusy = errors.New("too many large bodies at once")

// bodies reads the bodies of requests within bounds of size, time and memory.
type bodies struct {
	timeout time.Duration
	large   chan struct{}
}

func newBodies() *bodies {
	return &bodies{timeout: bodyTimeout, large: make(chan struct{}, maxLarge)}
}

// read returns the whole body. Call done when it is not needed any more; done is never nil. The error is an
// *http.MaxBytesError, errBusy, os.ErrDeadlineExceeded or what the connection said.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close")
		return nil, done, &http.MaxBytesError{Limit: maxBody}
	}
	deadline := time.Now().Add(b.timeout)
	if err := http.NewResponseController(w).SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, done, err
	}
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	body, err = io.ReadAll(io.LimitReader(limited, smallBody))
	if err != nil || len(body) < smallBody {
		return body, done, err
	}
	wait := time.NewTimer(time.Until(deadline))
	defer wait.Stop()
	select {
	case b.large <- struct{}{}:
		done = func() { <-b.large }
	case <-wait.C:
		return nil, done, errBusy
	}
	rest, err := io.ReadAll(limited)
	return append(body, rest...), done, err
}
