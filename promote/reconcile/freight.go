package reconcile

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
)

// maxFreightAttempts bounds how often freight is recorded anew because the ledger has moved.
const maxFreightAttempts = 3

// Handmade is freight that a person puts together: one artifact for each subscription of a warehouse.
type Handmade struct {
	Warehouse string // required: its name, or project/name
	By        string // required: the person
	Alias     string // free in the project; empty: one is made
	// What is to be in it. Of a subscription that is not named it is the newest that the warehouse finds.
	Images  []Choice
	Commits []Choice
	Charts  []Choice
}

// Choice is the version that a person chose of one subscription.
type Choice struct {
	Source  string // the subscription's name or repository; of a chart in an HTTP repository the repository, "/" and its name
	Version string // a tag, a commit or a version
}

// Made is what came of putting freight together.
type Made struct {
	promote.Whereabouts
	Known bool `json:"known,omitempty"` // it was in the ledger already, and nothing was written
}

// Freights returns the freight of a warehouse, of all without a name, and what became of it, what was discovered last first.
func (r *Reconciler) Freights(ctx context.Context, warehouse string) ([]promote.Whereabouts, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, _, err := r.recorded(ctx)
	if err != nil {
		return nil, err
	}
	all := state.Whereabouts()
	if warehouse == "" {
		return all, nil
	}
	w, err := FindWarehouse(state.Pipelines, warehouse)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f promote.Whereabouts) bool { return f.Project != w.Project || f.Warehouse != w.Name }), nil
}

// FindFreight returns the freight that a word means: a version, an alias, or the beginning of an ID. The error is for people.
func FindFreight(all []promote.Whereabouts, word string) (promote.Whereabouts, error) {
	var names, places []string
	var found []promote.Whereabouts
	for _, f := range all {
		names = append(names, f.Alias, f.Label())
		if f.Named(word) {
			found = append(found, f)
			places = append(places, fmt.Sprintf("%s of %s/%s", f.ID.Short(), f.Project, f.Warehouse))
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return promote.Whereabouts{}, fmt.Errorf("%d freights are called %q: write the ID of one: %s", len(found), word, few(places))
	}
	if near := nearest.Of(word, names); near != "" {
		return promote.Whereabouts{}, fmt.Errorf("there is no freight %q; did you mean %q?", word, near)
	}
	return promote.Whereabouts{}, fmt.Errorf("there is no freight %q: `lockkeeper freight list` shows what there is", word)
}

// CreateFreight puts freight together and records it, unless it is recorded already. It asks the warehouse's sources whether
// everything that is chosen exists. Errors are for people.
func (r *Reconciler) CreateFreight(ctx context.Context, request Handmade) (Made, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, tip, err := r.recorded(ctx)
	if err != nil {
		return Made{}, err
	}
	warehouse, err := FindWarehouse(state.Pipelines, request.Warehouse)
	if err != nil {
		return Made{}, err
	}
	artifacts, err := r.chosen(ctx, warehouse, request)
	if err != nil {
		return Made{}, fmt.Errorf("warehouse %s: %w", warehouse, err)
	}
	freight := promote.NewFreight(warehouse.Project, warehouse.Name, artifacts, r.Now())
	freight.CreatedBy = request.By
	for range maxFreightAttempts {
		if _, known := state.History.Freight(freight.Project, freight.ID); known {
			return made(state, freight, true), nil
		}
		if freight.Alias, err = aliasFor(state.History, freight, request.Alias); err != nil {
			return Made{}, err
		}
		_, err = r.ledger.Append(ctx, ledger.Entry{
			Tip: tip, When: state.Now, Records: []ledger.Record{freight},
			Message: fmt.Sprintf("Freight %s: %s, put together by %s", freight.ID.Short(), freight.Label(), freight.CreatedBy),
		})
		if err == nil {
			state.History.Freights = append(state.History.Freights, freight)
			return made(state, freight, false), nil
		}
		if !errors.Is(err, promote.ErrStale) {
			return Made{}, err
		}
		if state, tip, err = r.recorded(ctx); err != nil {
			return Made{}, err
		}
	}
	return Made{}, fmt.Errorf("record freight %s: %w", freight.ID.Short(), promote.ErrStale)
}

// recorded is what the default branch declares and the ledger says, with the ledger's tip.
func (r *Reconciler) recorded(ctx context.Context) (promote.State, promote.Commit, error) {
	state := promote.State{Now: r.Now()}
	refs, err := r.Git.Refs(ctx)
	if err != nil {
		return state, "", err
	}
	repository, err := r.snapshot(ctx, refs)
	if err != nil {
		return state, "", err
	}
	state.Branch, state.Head = r.branch(refs), repository.head
	state.Pipelines, state.Findings = repository.pipelines, repository.findings
	tip := ledgerTip(refs)
	history, findings, err := r.ledger.Load(ctx, tip)
	state.History, state.Findings = history, slices.Concat(state.Findings, findings)
	return state, tip, err
}

func made(state promote.State, freight promote.Freight, known bool) Made {
	for _, w := range state.Whereabouts() {
		if w.Project == freight.Project && w.ID == freight.ID {
			return Made{Whereabouts: w, Known: known}
		}
	}
	return Made{Whereabouts: promote.Whereabouts{Freight: freight}, Known: known}
}

var (
	aliasPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	idPattern    = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// aliasFor returns the alias that a person wants, if it is free, and a new one when none is wanted.
func aliasFor(history promote.History, freight promote.Freight, wanted string) (string, error) {
	if wanted == "" {
		return history.NewAlias(freight), nil
	}
	if !aliasPattern.MatchString(wanted) || idPattern.MatchString(wanted) {
		return "", fmt.Errorf("alias %q: expected lower-case letters, digits and '-', at most 63, and nothing that may be an ID", wanted)
	}
	for _, other := range history.Freights {
		if other.Project == freight.Project && other.Named(wanted) {
			return "", fmt.Errorf("alias %q: freight %s (%s) of %s/%s is called so already: choose another",
				wanted, other.ID.Short(), other.Label(), other.Project, other.Warehouse)
		}
	}
	return wanted, nil
}

// chosen returns the artifacts of a warehouse in the order of its subscriptions: what is chosen, and the newest of the rest.
func (r *Reconciler) chosen(ctx context.Context, w WarehouseRef, request Handmade) (promote.Artifacts, error) {
	s, err := newSelection(w, request)
	if err != nil {
		return promote.Artifacts{}, err
	}
	if rest := s.rest(); len(rest.Images)+len(rest.Git)+len(rest.Charts) > 0 {
		found, _, err := r.Sources.Discover(ctx, w.Project, rest)
		if err != nil {
			return promote.Artifacts{}, err
		}
		if found.Problem != "" {
			return promote.Artifacts{}, fmt.Errorf("what is not named cannot be found: %s", found.Problem)
		}
		s.newest = found.Artifacts
	}
	return s.artifacts(ctx, r.Sources)
}

// few joins a few names.
func few(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
