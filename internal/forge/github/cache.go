package github

import (
	"bytes"
	linked "container/list"
	"io"
	"maps"
	"net/http"
	"sync"
)

const (
	maxCachedAnswer = 1 << 20
	maxCachedBytes  = 32 << 20
	maxCached       = 1000
)

// A cache keeps answers with their ETags. It never answers by itself: GitHub is asked whether the answer still holds, which it does
// not count (https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api). The zero value is empty.
type cache struct {
	mu    sync.Mutex
	index map[string]*linked.Element
	order linked.List // of *cachedAnswer, the one used last in front
	bytes int
}

type cachedAnswer struct {
	key    string
	etag   string
	header http.Header
	body   []byte
}

// size is how many bytes an answer takes, about.
func (a *cachedAnswer) size() int {
	size := len(a.body)
	for name, values := range a.header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

// cacheKey tells answers apart: by address, form and whom GitHub answered. Empty: the answer is not kept.
func cacheKey(r *http.Request, holder string) string {
	if r.Method != http.MethodGet {
		return ""
	}
	return r.URL.String() + "\x00" + r.Header.Get("Accept") + "\x00" + holder
}

func (c *cache) find(key string) (*cachedAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.index[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(found)
	return found.Value.(*cachedAnswer), true
}

// store keeps an answer that has an ETag and is not too large. Its body is read on the way.
func (c *cache) store(key string, response *http.Response) error {
	etag := response.Header.Get("ETag")
	if key == "" || etag == "" || response.StatusCode != http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxCachedAnswer+1))
	if err != nil {
		_ = response.Body.Close() // The answer broke off: that is the error to report.
		return err
	}
	response.Body = &replayed{Reader: io.MultiReader(bytes.NewReader(body), response.Body), Closer: response.Body}
	if len(body) <= maxCachedAnswer {
		c.put(&cachedAnswer{key: key, etag: etag, header: response.Header.Clone(), body: body})
	}
	return nil
}

func (c *cache) put(answer *cachedAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index == nil {
		c.index = map[string]*linked.Element{}
	}
	if old, ok := c.index[answer.key]; ok {
		c.drop(old)
	}
	c.index[answer.key] = c.order.PushFront(answer)
	c.bytes += answer.size()
	for c.bytes > maxCachedBytes || c.order.Len() > maxCached {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(element *linked.Element) {
	old := c.order.Remove(element).(*cachedAnswer)
	delete(c.index, old.key)
	c.bytes -= old.size()
}

// replay turns a 304 into the answer that it confirms. What a 304 says itself holds instead of what was said then: the time, and what
// is left of a limit.
func replay(response *http.Response, known *cachedAnswer) {
	_ = response.Body.Close() // It has none.
	said := response.Header
	response.StatusCode, response.Status = http.StatusOK, "200 OK"
	response.Header = known.header.Clone()
	maps.Copy(response.Header, said)
	response.ContentLength = int64(len(known.body))
	response.Body = io.NopCloser(bytes.NewReader(known.body))
}

// A replayed body reads what was read before, then the rest.
type replayed struct {
	io.Reader
	io.Closer
}
