package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// standingFor is for how long counts what the forge said of a person.
	standingFor = time.Minute
	// maxStandings bounds how many answers are remembered; asking again costs a request.
	maxStandings = 1000
)

// people remembers what the forge said of people. All of it may be lost.
type people struct {
	permissions map[promote.Person]said[promote.Permission]
	members     map[membership]said[bool]
}

type membership struct{ group, person string }

type said[T any] struct {
	what T
	at   time.Time
}

func newPeople() people {
	return people{permissions: map[promote.Person]said[promote.Permission]{}, members: map[membership]said[bool]{}}
}

// recall returns what was said lately, or asks. Only answers are remembered.
func recall[K comparable, T any](known map[K]said[T], key K, now time.Time, ask func() (T, error)) (T, error) {
	if before, ok := known[key]; ok && !before.at.After(now) && now.Sub(before.at) < standingFor {
		return before.what, nil
	}
	delete(known, key)
	answer, err := ask()
	if err != nil {
		var none T
		return none, err
	}
	if len(known) >= maxStandings {
		clear(known)
	}
	known[key] = said[T]{answer, now}
	return answer, nil
}

// permission returns what a person may do in the repository.
func (r *Reconciler) permission(ctx context.Context, person promote.Person) (promote.Permission, error) {
	key := promote.Person{ID: person.ID, Name: strings.ToLower(person.Name)}
	return recall(r.memory.people.permissions, key, r.Now(), func() (promote.Permission, error) {
		permission, err := r.Forge.Permission(ctx, person)
		if err != nil {
			return promote.PermissionNone, fmt.Errorf("ask what %q may do: %w", person.Name, err)
		}
		return permission, nil
	})
}

// inGroup reports whether a person belongs to a group. Nobody belongs to one that there is not, or cannot be on this forge.
func (r *Reconciler) inGroup(ctx context.Context, group, person string) (bool, error) {
	key := membership{strings.ToLower(group), strings.ToLower(person)}
	return recall(r.memory.people.members, key, r.Now(), func() (bool, error) {
		belongs, err := r.Forge.InGroup(ctx, group, person)
		if errors.Is(err, promote.ErrNotFound) || errors.Is(err, promote.ErrInvalid) {
			r.Log.WarnContext(ctx, "look for group", "group", group, "error", err)
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("ask whether %q belongs to %q: %w", person, group, err)
		}
		return belongs, nil
	})
}

// approaching is a person who wants to give a command on some stages.
type approaching struct {
	person     promote.Person
	permission promote.Permission
	verb       promote.Verb
	stages     []promote.StageRef
}

// standing finds out what the rules ask of a person, and nothing more: strangers cause no questions about teams.
func (r *Reconciler) standing(ctx context.Context, state promote.State, a approaching) (promote.Standing, error) {
	at := promote.Standing{Permission: a.permission}
	refused := func(ref promote.StageRef) bool { return state.Refuses(a.verb, ref, a.person.Name, at) != "" }
	for _, ref := range a.stages {
		rule, ruled := state.Rule(a.verb, ref)
		if !ruled || a.permission < rule.Least(a.verb) || !refused(ref) {
			continue
		}
		if err := r.askTeams(ctx, rule, a.person, &at); err != nil {
			return at, err
		}
		if !rule.CodeOwners || !refused(ref) {
			continue
		}
		why, err := r.owns(ctx, state, ref, a.person)
		if err != nil {
			return at, err
		}
		if at.Owned == nil {
			at.Owned = map[promote.StageRef]string{}
		}
		at.Owned[ref] = why
	}
	return at, nil
}

// askTeams looks for a team of a rule that a person belongs to; the first is enough.
func (r *Reconciler) askTeams(ctx context.Context, rule promote.CommandRule, person promote.Person, at *promote.Standing) error {
	for _, team := range rule.Teams {
		belongs, err := r.inGroup(ctx, team, person.Name)
		if err != nil {
			return err
		}
		if belongs {
			at.Teams = append(at.Teams, team)
			return nil
		}
	}
	return nil
}

// commanders finds out what the rules ask about those who gave commands. Where that fails the command is not obeyed, and the run
// fails, so that its event comes again.
func (r *Reconciler) commanders(ctx context.Context, w *watch, state *promote.State) {
	for i, c := range w.commands {
		if len(state.Rules) == 0 || c.Unsure || c.Claimed || c.Refused != "" {
			continue
		}
		at, err := r.standing(ctx, *state, approaching{
			person: c.Comment.Person(), permission: c.Permission, verb: c.Verb, stages: promote.Concerns(*state, c),
		})
		if err != nil {
			r.unsure(ctx, w, &w.commands[i], err)
			continue
		}
		w.commands[i].Teams, w.commands[i].Owned = at.Teams, at.Owned
	}
	state.Commands = w.commands
}

// unsure notes that it could not be found out whether who gave a command may do that.
func (r *Reconciler) unsure(ctx context.Context, w *watch, c *promote.Command, err error) {
	r.Log.WarnContext(ctx, "look at command", "change", c.Comment.Change, "comment", c.Comment.ID, "error", err)
	w.fail(fmt.Sprintf("command/%d/%d", c.Comment.Change, c.Comment.ID), fmt.Errorf("comment %d on change %d: %w", c.Comment.ID, c.Comment.Change, err))
	c.Unsure = true
}
