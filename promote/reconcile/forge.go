package reconcile

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// ChangeReader reads changes. Errors wrap the sentinels of package promote.
type ChangeReader interface {
	// OpenChanges returns the open changes that carry promote.ChangeLabel.
	OpenChanges(ctx context.Context) ([]promote.Change, error)
	// ChangesFrom returns the changes from a source branch in any state, newest first.
	ChangesFrom(ctx context.Context, branch promote.Branch) ([]promote.Change, error)
	// Change returns one change.
	Change(ctx context.Context, number int) (promote.Change, error)
	// Approvals returns those of a change that were given on the forge itself, with the head that each was given to.
	Approvals(ctx context.Context, number int) (promote.ChangeApprovals, error)
}

// ChangeWriter opens and edits changes.
type ChangeWriter interface {
	// Open opens a change. When one is open already from that branch it is brought up to date and returned.
	Open(ctx context.Context, draft promote.ChangeDraft) (promote.Change, error)
	// Update replaces the text of a change.
	Update(ctx context.Context, number int, edit promote.ChangeEdit) error
	// Close closes a change without merging it. Closing one that is closed already is no error.
	Close(ctx context.Context, number int) error
}

// Merger merges changes.
type Merger interface {
	// Merge merges a change if its head is still the given one; promote.ErrStale when it is not, promote.ErrNotMergeable
	// when the forge does not let it be merged now. Where the forge merges it by itself later, through a merge queue or train or
	// when its checks pass, the change comes back open and promote.MergeQueued.
	Merge(ctx context.Context, number int, head promote.Commit, message string) (promote.Change, error)
	// Unqueue keeps the forge from merging a change by itself. One that is not queued, or merged already, is no error.
	Unqueue(ctx context.Context, number int) error
}

// QueueReader tells what a merge queue or train tests.
type QueueReader interface {
	// Queued returns the commits that are tested now for a branch, as the events of webhooks say it: a process that starts did not
	// hear of them. Branches are those of the repository; there are forges whose queues make some.
	Queued(ctx context.Context, target promote.Branch, branches map[promote.Branch]promote.Commit) ([]promote.Event, error)
}

// StatusPoster reads and posts our commit status.
type StatusPoster interface {
	// Status returns our newest status of that name on a commit.
	Status(ctx context.Context, head promote.Commit, name string) (promote.Status, bool, error)
	// PostStatus posts a status. Posting the same twice is no error.
	PostStatus(ctx context.Context, posted promote.PostStatus) error
}

// Commenter reads and writes the notes of a change.
type Commenter interface {
	// Notes returns the notes below a change, oldest first, and those in its threads where the forge does not keep them apart.
	Notes(ctx context.Context, number int) ([]promote.Note, error)
	// Around returns what Notes does, and where the given note stands elsewhere also the notes there, that one among them.
	Around(ctx context.Context, number, note int) ([]promote.Note, error)
	AddNote(ctx context.Context, number int, body string) (promote.Note, error)
	// Reply writes a note in a thread. The error wraps promote.ErrNotFound when the thread is not there, or not any more.
	Reply(ctx context.Context, number int, thread promote.Thread, body string) (promote.Note, error)
	EditNote(ctx context.Context, number, note int, body string) error
	// React adds a reaction to a note. Adding it twice is no error.
	React(ctx context.Context, number, note int, reaction promote.Reaction) error
}

// Threader shows findings as threads, which people can resolve.
type Threader interface {
	// OwnThreads returns the threads that we began on a change, oldest first.
	OwnThreads(ctx context.Context, number int) ([]promote.OwnThread, error)
	// OpenThreads begins threads at their lines. Where the forge does not take the place, the thread is about the file or the change,
	// whichever it takes, and there is none where it takes neither: that is no error. promote.ErrStale when the change has another head.
	OpenThreads(ctx context.Context, number int, head promote.Commit, drafts []promote.ThreadDraft) error
	// Resolve resolves a thread of OwnThreads, or takes that back. Doing it twice is no error.
	Resolve(ctx context.Context, number int, thread promote.Thread, resolved bool) error
}

// Members says who may do what.
type Members interface {
	// Permission returns what a person may do in the repository now.
	Permission(ctx context.Context, person promote.Person) (promote.Permission, error)
	// InGroup reports whether a person belongs to a group of the forge now: a group's path on GitLab, org/team on GitHub.
	InGroup(ctx context.Context, group, person string) (bool, error)
}

// Deployer shows who runs what on the forge's page of environments. Not every forge has one.
type Deployer interface {
	// Deploy makes a deployment, or brings it up to date. Saying the same twice is no error and changes nothing.
	Deploy(ctx context.Context, deployment promote.Deployment) error
}

// Forge is all that the loop needs of a forge.
type Forge interface {
	ChangeReader
	ChangeWriter
	Merger
	QueueReader
	StatusPoster
	Commenter
	Threader
	Members
}

// Deliverer makes Argo CD carry out what was merged.
type Deliverer interface {
	// Deliver makes one round for one application: it looks, refreshes, and syncs where nothing does so by itself, unless the
	// request only waits. It does not block until the end. Asking again with the same promotion never starts a second
	// operation.
	Deliver(ctx context.Context, request DeliveryRequest) (Delivery, error)
	// Application says whether an application exists and which stages it authorizes.
	Application(ctx context.Context, name, namespace string) (promote.ApplicationEvidence, error)
}

// DeliveryRequest names what is to be delivered where.
type DeliveryRequest struct {
	Application string            // required
	Namespace   string            // empty: Argo CD's own
	Project     string            // the Argo CD project, when it is known
	RepoURL     string            // required: of which Revision is a commit
	Revision    promote.Commit    // required: what must be synced
	Promotion   promote.Promotion // required
	WaitFor     []step.WaitFor    // only wait for this, and start nothing; empty: deliver Revision
	Timeout     time.Duration     // required: since the promotion's DeliveringSince
	// Relate says what another commit that Argo CD has synced means for Revision.
	Relate func(ctx context.Context, found promote.Commit) (Relation, error)
}

// Relation is what a commit that was found means for the one that is wanted.
type Relation int

// The relations of a commit to the wanted one.
const (
	Unrelated Relation = iota // it does not contain the wanted commit
	Carries                   // it contains it, and what the promotion wrote is unchanged in it
	Overtakes                 // it contains it, and what the promotion wrote was changed again since
)

// Delivery is how one application fares.
type Delivery struct {
	State   DeliveryState
	Message string        // in words
	Next    time.Duration // when to look again, for DeliveryWaiting
}

// DeliveryState is the state of a delivery.
type DeliveryState int

// The states of a delivery.
const (
	DeliveryWaiting DeliveryState = iota
	DeliveryDone                  // synced to the revision, or one that carries it, and healthy after it
	DeliveryFailed
)
