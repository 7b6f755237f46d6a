package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// maxCommands is how many commands a person may give within paceOver. The next one is answered with that, and further ones not
	// at all.
	maxCommands = 20
	paceOver    = 10 * time.Minute
	// maxPaces bounds how many people are remembered.
	maxPaces = 1000
)

// pace remembers who gave which commands lately, oldest first. All of it may be lost.
type pace map[string][]given

type given struct {
	comment commentKey
	at      time.Time
}

// commentKey tells a comment, or a button that was pressed, from others of the repository.
type commentKey struct {
	change, id int
	action     string
}

func keyOf(c promote.Comment) commentKey { return commentKey{c.Change, c.ID, c.Action} }

// take counts a command, once however often it comes, and says which of its author's it is within paceOver, from 1.
func (p pace) take(person string, comment commentKey, now time.Time) int {
	person = strings.ToLower(person)
	p.forget(person, now)
	for i, g := range p[person] {
		if g.comment == comment {
			return i + 1
		}
	}
	if _, known := p[person]; !known && len(p) >= maxPaces {
		for name := range p {
			p.forget(name, now)
		}
		if len(p) >= maxPaces {
			clear(p)
		}
	}
	if n := len(p[person]); n > maxCommands {
		return n + 1 // it is not obeyed, and needs no place
	}
	p[person] = append(p[person], given{comment, now})
	return len(p[person])
}

// over reports whether a person was told that there were too many commands, and comes with another one: nothing needs to be
// looked at for that.
func (p pace) over(person string, comment commentKey, now time.Time) bool {
	person = strings.ToLower(person)
	p.forget(person, now)
	return len(p[person]) > maxCommands && !slices.ContainsFunc(p[person], func(g given) bool { return g.comment == comment })
}

// forget drops what is longer ago than paceOver.
func (p pace) forget(person string, now time.Time) {
	var lately []given
	for _, g := range p[person] {
		if !g.at.After(now) && now.Sub(g.at) < paceOver {
			lately = append(lately, g)
		}
	}
	if len(lately) == 0 {
		delete(p, person)
		return
	}
	p[person] = lately
}

// tooMany answers who gives more commands than that.
func tooMany(person string) string {
	return fmt.Sprintf("%s gave more than %d commands within %d minutes: this one is not obeyed, and further ones get no answer. Wait, and comment again.",
		promote.CodeSpan(person), maxCommands, int(paceOver.Minutes()))
}
