package forgetest

import (
	"net/http"
	"strconv"

	"github.com/lockkeeper/lockkeeper/promote"
)

// words are where and how a forge is asked for what every forge has.
type words struct {
	repository    func(path string) string
	changes       string // below the repository
	comments      func(number int) string
	edit          string // the method that edits
	closed, again map[string]any
}

// A made thing is known by one of its numbers.
type made struct {
	ID     int `json:"id"`
	IID    int `json:"iid"`
	Number int `json:"number"`
}

func (w words) below(g *ground, rest string) string { return w.repository(g.path) + rest }

func (w words) change(g *ground, number int, rest string) string {
	return w.below(g, w.changes+strconv.Itoa(number)+rest)
}

// make asks for something new below the repository.
func (w words) make(g *ground, by, rest string, body map[string]any) made {
	g.Helper()
	var answer made
	g.ask(by, http.MethodPost, w.below(g, rest), body, &answer)
	return answer
}

func (w words) rename(g *ground, by string, number int, title string) {
	g.Helper()
	g.ask(by, w.edit, w.change(g, number, ""), map[string]any{"title": title}, nil)
}

func (w words) close(g *ground, by string, number int) {
	g.Helper()
	g.ask(by, w.edit, w.change(g, number, ""), w.closed, nil)
}

func (w words) reopen(g *ground, by string, number int) {
	g.Helper()
	g.ask(by, w.edit, w.change(g, number, ""), w.again, nil)
}

func (w words) comment(g *ground, by string, number int, text string) int {
	g.Helper()
	return w.make(g, by, w.comments(number), map[string]any{"body": text}).ID
}

func (w words) merge(g *ground, by string, number int, head promote.Commit) {
	g.Helper()
	g.ask(by, http.MethodPut, w.change(g, number, "/merge"), map[string]any{"sha": string(head)}, nil)
}
