package gitlab

import (
	"context"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

// maxPlaces bounds what is remembered of heads; forgetting costs a request or two each.
const maxPlaces = 1000

// A statusPlace is where a status counts.
type statusPlace struct {
	commit   promote.Commit
	pipeline int // 0: GitLab chooses the newest of the commit, or makes one
}

// A placed status is one that may stand on another commit than the head that it is about.
type placed struct {
	statusPlace
	change int
	status promote.Status
}

func (p placed) about(head promote.Commit, name string) promote.PostStatus {
	return promote.PostStatus{Change: p.change, Head: head, Status: promote.Status{Name: name}}
}

// place finds out where a status of a change counts. With pipelines for merge results the head pipeline is that of a temporary
// merge commit, and a status on the head itself would land in a pipeline that gates nothing; and so it would where several
// pipelines run for the head.
func (f *Forge) place(ctx context.Context, posted promote.PostStatus) (statusPlace, error) {
	head := statusPlace{commit: posted.Head}
	if posted.Change == 0 || posted.Branch == "" {
		return head, nil
	}
	if !f.crowded(posted.Head) {
		settings, err := f.known(ctx)
		if err != nil || !settings.MergedResults {
			return head, err
		}
	}
	return f.headPipeline(ctx, posted)
}

// headPipeline is the place in the pipeline that GitLab judges a change by.
func (f *Forge) headPipeline(ctx context.Context, posted promote.PostStatus) (statusPlace, error) {
	head := statusPlace{commit: posted.Head}
	change, err := f.mergeRequest(ctx, posted.Change)
	if err != nil {
		return head, err
	}
	if change.SHA != string(posted.Head) {
		return head, fmt.Errorf("gitlab: status %q: change %d is at %s instead of %s: %w",
			posted.Status.Name, posted.Change, promote.Commit(change.SHA).Short(), posted.Head.Short(), promote.ErrStale)
	}
	if change.HeadPipeline == nil || change.HeadPipeline.ID == 0 || change.HeadPipeline.SHA == "" {
		return head, nil
	}
	return statusPlace{commit: promote.Commit(change.HeadPipeline.SHA), pipeline: change.HeadPipeline.ID}, nil
}

// remember notes where a status stands, if that need not be the head for ever. One without branch or pipeline was posted on a commit
// of a train, and stands there.
func (f *Forge) remember(posted promote.PostStatus, place statusPlace) {
	f.mu.Lock()
	defer f.mu.Unlock()
	onTrain := posted.Branch == "" && place.pipeline == 0
	if posted.Change == 0 || onTrain || place.commit == posted.Head && !f.settings.MergedResults {
		delete(f.places, posted.Head)
		return
	}
	if len(f.places) >= maxPlaces {
		clear(f.places)
	}
	f.places[posted.Head] = placed{statusPlace: place, change: posted.Change, status: posted.Status}
}

// placeOf is what is known of the place of a head's status. Where merge results are tested it is that of the change's head
// pipeline, whichever that is by now.
func (f *Forge) placeOf(head promote.Commit) (placed, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	place, ok := f.places[head]
	if number := f.heads[head]; !ok && number != 0 && f.settings.MergedResults {
		return placed{change: number}, true
	}
	return place, ok
}

// seen notes which change a head belongs to.
func (f *Forge) seen(head promote.Commit, number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.heads) >= maxPlaces {
		clear(f.heads)
	}
	f.heads[head] = number
}

// crowd notes that other pipelines than the one with our status run for a head.
func (f *Forge) crowd(head promote.Commit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.crowds) >= maxPlaces {
		clear(f.crowds)
	}
	f.crowds[head] = true
}

func (f *Forge) crowded(head promote.Commit) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crowds[head]
}
