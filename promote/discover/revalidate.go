package discover

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

const maxPageBytes = 32 << 20 // of kept pages

// revalidator asks for a page of tags only if it changed, where the registry marks its pages with an ETag. Few do.
type revalidator struct {
	inner   http.RoundTripper
	skipTLS bool
	pages   *memory[pageKey, page]
}

type pageKey struct {
	url     string
	skipTLS bool
}

type page struct {
	tag, link, media string
	body             []byte
}

// RoundTrip implements http.RoundTripper.
func (v *revalidator) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/tags/list") {
		return v.inner.RoundTrip(req)
	}
	key := pageKey{req.URL.String(), v.skipTLS}
	before, ok := v.pages.get(key)
	if ok {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", before.tag)
	}
	resp, err := v.inner.RoundTrip(req)
	switch {
	case err != nil:
		return nil, err
	case ok && resp.StatusCode == http.StatusNotModified:
		_ = resp.Body.Close()
		return before.answer(resp), nil
	case resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "":
		return v.keep(key, resp), nil
	}
	return resp, nil
}

// answer makes the answer that said nothing new one that says everything.
func (p page) answer(resp *http.Response) *http.Response {
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
	resp.Header.Set("Content-Type", p.media)
	resp.Header.Set("Link", p.link)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(p.body)), int64(len(p.body))
	return resp
}

// keep reads the page. When that fails, the reader of the answer is told where it does.
func (v *revalidator) keep(key pageKey, resp *http.Response) *http.Response {
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(raw), broken{err}))
		return resp
	}
	kept := page{
		tag: resp.Header.Get("ETag"), link: resp.Header.Get("Link"), media: resp.Header.Get("Content-Type"), body: raw,
	}
	v.pages.put(key, kept, len(raw)+1000)
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	return resp
}

// broken is the rest of an answer that could not be read.
type broken struct{ err error }

// Read implements io.Reader.
func (b broken) Read([]byte) (int, error) { return 0, b.err }
