package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// trainCar is a merge request on a merge train: its pipeline tests what the target will be with all that are before it
// (doc/ci/pipelines/merge_trains.md).
type trainCar struct {
	ID        int       `json:"id"`
	User      int       `json:"user"`
	Pipeline  int       `json:"pipeline"`
	Base      string    `json:"base"` // what it is tested on top of
	Commit    string    `json:"commit"`
	CreatedAt time.Time `json:"created_at"`
}

// train lists the merge requests on the train of a target branch, first one first.
func (p *project) train(target string) []*mergeRequest {
	var cars []*mergeRequest
	for _, m := range p.Requests {
		if m.State == stateOpened && m.Car != nil && m.Target == target {
			cars = append(cars, m)
		}
	}
	slices.SortFunc(cars, func(a, b *mergeRequest) int { return cmp.Compare(a.Car.ID, b.Car.ID) })
	return cars
}

// board puts a merge request at the end of its train.
func (f *Forge) board(ctx context.Context, p *project, m *mergeRequest, u *User) error {
	m.Auto, m.Car = autoMerge{}, &trainCar{ID: f.tables.next("car"), User: u.ID, CreatedAt: f.now()}
	if err := f.test(ctx, p, m); err != nil {
		m.Car = nil
		return err
	}
	f.addSystemNote(m, u, fmt.Sprintf("added this merge request to the merge train at position %d", len(p.train(m.Target))))
	f.wrote()
	return nil
}

// test begins the pipeline of a car.
func (f *Forge) test(ctx context.Context, p *project, m *mergeRequest) error {
	base, err := f.carBase(ctx, p, m)
	if err != nil {
		return err
	}
	by, ref := f.tables.user(m.Car.User), fmt.Sprintf("refs/merge-requests/%d/train", m.IID)
	if m.Car.Commit, err = f.testCommit(ctx, p, m, testOf{base: base, by: by, ref: ref}); err != nil {
		return err
	}
	m.Car.Base = base
	line := &pipeline{SHA: m.Car.Commit, Ref: ref, User: by.ID, Source: "merge_request_event", Request: m.IID, SourceSHA: m.SHA}
	f.begin(p, line)
	m.Car.Pipeline = line.ID
	return f.sendPipeline(ctx, p, line, by)
}

// moveTrains merges what is first on its train and has passed, and takes down what has failed, wherever it is; those behind it are
// tested anew.
func (f *Forge) moveTrains(ctx context.Context, p *project) error {
	for {
		i := slices.IndexFunc(p.Requests, func(m *mergeRequest) bool {
			if m.State != stateOpened || m.Car == nil {
				return false
			}
			line := p.pipeline(m.Car.Pipeline)
			return line.over() && (line.state() != "success" || p.train(m.Target)[0] == m)
		})
		if i < 0 {
			return nil
		}
		if err := f.arrive(ctx, p, p.Requests[i]); err != nil {
			return err
		}
	}
}

// over reports whether nothing runs in the pipeline any more.
func (l *pipeline) over() bool {
	return slices.Contains([]string{"success", "failed", "canceled", "skipped"}, l.state())
}

// arrive ends the journey of a car whose pipeline is over. What was tested is merged, unless the target has moved past it.
func (f *Forge) arrive(ctx context.Context, p *project, m *mergeRequest) error {
	car, by, before := *m.Car, f.tables.user(m.Car.User), *m
	target, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return err
	}
	tested, err := p.repo.one(ctx, car.Commit)
	switch {
	case err != nil:
		return err
	case p.pipeline(car.Pipeline).state() != "success":
		return f.takeDown(ctx, p, m, by)
	case tested.parents[0] != target:
		return f.test(ctx, p, m)
	}
	if err := p.repo.setRef(ctx, headsPrefix+m.Target, car.Commit, target); err != nil {
		return err
	}
	m.MergeCommit = car.Commit
	if err := f.markMerged(ctx, p, m, by, before); err != nil {
		return err
	}
	if m.RemoveSource {
		f.removeSource(ctx, p, m, by)
	}
	return f.announce(ctx, p, by)
}

// takeDown removes a car; those behind it are tested without it.
func (f *Forge) takeDown(ctx context.Context, p *project, m *mergeRequest, by *User) error {
	m.Car = nil
	f.addSystemNote(m, by, "removed this merge request from the merge train because the pipeline did not succeed")
	f.wrote()
	return f.retest(ctx, p, m.Target)
}

// carBase is what a car is to be tested on top of: the car before it, or the target.
func (f *Forge) carBase(ctx context.Context, p *project, m *mergeRequest) (string, error) {
	base, err := p.repo.head(ctx, m.Target)
	for _, before := range p.train(m.Target) {
		if before == m {
			break
		}
		base = before.Car.Commit
	}
	return base, err
}

// retest begins the pipelines of cars anew that are tested with one that is not there any more. What cannot be merged without that
// one leaves the train.
func (f *Forge) retest(ctx context.Context, p *project, target string) error {
	for _, m := range p.train(target) {
		base, err := f.carBase(ctx, p, m)
		if err == nil && m.Car.Base == base {
			continue
		}
		if err == nil {
			err = f.test(ctx, p, m)
		}
		if stop := (*refusal)(nil); errors.As(err, &stop) {
			f.addSystemNote(m, f.tables.user(m.Car.User), "removed this merge request from the merge train because it cannot be merged")
			m.Car, err = nil, nil
			f.wrote()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
