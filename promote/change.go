package promote

import "time"

// Change is a merge request or pull request as the forge reports it.
type Change struct {
	Number      int
	URL         string
	Branch      Branch // source
	Target      Branch
	Head        Commit // tip of the source branch, as the forge knows it
	State       ChangeState
	Draft       bool
	Fork        bool // the source branch lives in another repository
	Title       string
	Description string
	Labels      []string
	Author      string
	Merged      Commit // what the target branch got by the merge; empty until merged
	MergedBy    string
	ClosedBy    string
	UpdatedAt   time.Time
	Unresolved  bool // a thread of it may be open, whoever began it; false: none is
	// Unheard says that the forge waits for something, and our status of the head may be what it waits for, whatever was posted.
	Unheard bool
	Mergeability
}

// ChangeState is where a change is in its life.
type ChangeState int

// The states of a change.
const (
	ChangeOpen ChangeState = iota
	ChangeMerged
	ChangeClosed // closed without being merged
)

// String returns the lower-case name.
func (s ChangeState) String() string {
	switch s {
	case ChangeOpen:
		return "open"
	case ChangeMerged:
		return "merged"
	case ChangeClosed:
		return "closed"
	}
	return "unknown"
}

// Mergeability is what the forge says about merging a change now.
type Mergeability struct {
	Merge  MergeState
	Reason string // the forge's own word when it is blocked, such as "not_approved"
}

// MergeState is the forge's answer to "may this be merged?".
type MergeState int

// The answers. A word that the adapter does not know is MergeUnknown, never an error.
const (
	MergeUnknown MergeState = iota // not said, or a word that is new to us: ask again, do not merge
	MergeReady
	MergeChecking // the forge is still computing
	MergeBlocked  // something must happen first
	// MergeQueued: the forge merges it by itself: it is in a merge queue or train, or set to be merged when its checks pass. Reason
	// is the forge's word for which.
	MergeQueued
	// MergeBehind: the forge merges it on top of its target only, which has moved since. Where it may be merged otherwise, the
	// proposal is made again there.
	MergeBehind
)

// Status is one commit status of ours.
type Status struct {
	Name        string
	State       StatusState
	Description string // at most 255 characters
	URL         string
}

// StatusName is the one commit status that carries the verdict of all gates.
const StatusName = "lockkeeper/gates"

// StatusState is the state of a commit status.
type StatusState int

// The states, in the words that forges share.
const (
	StatusPending StatusState = iota
	StatusSuccess
	StatusFailed
)

// String returns the lower-case name.
func (s StatusState) String() string {
	switch s {
	case StatusPending:
		return "pending"
	case StatusSuccess:
		return "success"
	case StatusFailed:
		return "failed"
	}
	return "unknown"
}

// ChangeDraft is a change to be opened.
type ChangeDraft struct {
	Branch      Branch // required; exists on the forge
	Target      Branch // required
	Head        Commit // what Branch points to
	Title       string // required
	Description string
	Labels      []string
	Draft       bool     // nobody can merge it until a person says that it is ready; without drafts it gets DraftLabel instead
	Assignees   []string // names of people
	Reviewers   []string // names of people, or on GitHub of teams as org/team
}

// ChangeEdit replaces the text of a change.
type ChangeEdit struct {
	Title       string
	Description string
}

// Thread names a conversation on a change, such as one at a line of a file, which can be answered in. Only the forge's adapter
// reads what it holds. Its zero value is none: what has no thread stands below the change, and so does its answer.
type Thread string

// Note is one comment on a change.
type Note struct {
	// ID tells the note from all others of the repository, wherever they stand. Where a forge counts several kinds of comments
	// apart, its adapter makes one series of them.
	ID        int
	Thread    Thread // empty: below the change, or the forge does not say
	Author    string
	AuthorID  int
	Own       bool // written by the account that Lockkeeper uses
	System    bool // written by the forge itself
	Bot       bool // written by an account that is no person's
	Body      string
	CreatedAt time.Time
}

// Person is an account of the forge. GitLab asks by ID, GitHub by name.
type Person struct {
	ID   int
	Name string
}

// Deployment shows on the forge's page of environments who runs what. Equal Promotion and Environment are the same deployment.
type Deployment struct {
	Promotion   PromotionID // required
	Environment string      // required; such as "guestbook/production"
	Commit      Commit      // required; what is deployed
	Branch      Branch      // required; the branch that holds Commit
	State       DeploymentState
	URL         string // of the change
	Description string // one line
	Production  bool
}

// DeploymentState is how far a deployment has come.
type DeploymentState int

// The states of a deployment.
const (
	DeploymentRunning DeploymentState = iota
	DeploymentSucceeded
	DeploymentFailed
)

// String returns the lower-case name.
func (s DeploymentState) String() string {
	switch s {
	case DeploymentRunning:
		return "running"
	case DeploymentSucceeded:
		return "succeeded"
	case DeploymentFailed:
		return "failed"
	}
	return "unknown"
}

// Annotation is a remark on a line of a file of a change.
type Annotation struct {
	Path    string
	Line    int // from 1; 0 is the whole file
	Level   AnnotationLevel
	Title   string
	Message string
}

// AnnotationLevel is how much an annotation matters.
type AnnotationLevel int

// The levels of annotations.
const (
	AnnotationNotice AnnotationLevel = iota
	AnnotationWarning
	AnnotationFailure
)

// Permission is what a person may do in a repository, least first.
type Permission int

// The permissions. GitLab: Guest and Reporter read, Developer writes, Maintainer maintains, Owner administers.
const (
	PermissionNone Permission = iota
	PermissionRead
	PermissionWrite
	PermissionMaintain
	PermissionAdmin
)

// String returns the lower-case name.
func (p Permission) String() string {
	switch p {
	case PermissionNone:
		return "none"
	case PermissionRead:
		return "read"
	case PermissionWrite:
		return "write"
	case PermissionMaintain:
		return "maintain"
	case PermissionAdmin:
		return "admin"
	}
	return "unknown"
}

// Reaction is an answer to a comment that needs no words.
type Reaction string

// The reactions, by the names that GitHub and GitLab share.
const (
	ReactionSeen   Reaction = "eyes"
	ReactionDone   Reaction = "thumbsup"
	ReactionDenied Reaction = "thumbsdown"
)
