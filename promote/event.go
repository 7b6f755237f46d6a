package promote

import "time"

// Event is a hint that something may have happened. A lost, late or repeated one changes nothing: the loop observes for
// itself, and an event only says which facts are worth reading again.
type Event struct {
	Kind     EventKind
	Delivery string // the sender's ID of the delivery; empty for a timer
	Branch   Branch // EventPush: which; EventQueue: the target
	Head     Commit // EventPush: what the branch points to now; EventQueue: the commit to judge; EventStatus: its commit, where known
	Change   int    // EventChange, EventComment, EventStatus: its number; EventQueue: the one on top; 0 when unknown
	Image    string // EventArtifact: the repository that has something new, of images, charts or Git; empty when unknown
	Source   string // EventPush: the URL of the repository, where the sender names it
	Comment  Comment
}

// EventKind says what may have happened.
type EventKind int

// The kinds of events.
const (
	EventSweep    EventKind = iota // a timer: look at everything
	EventPush                      // a branch moved
	EventChange                    // a change was opened, edited, merged or closed
	EventComment                   // a person wrote a comment on a change
	EventArtifact                  // a registry or a Git repository has something new
	EventStatus                    // a pipeline or status of a change moved
	EventTimer                     // the time has come that a Plan named in Recheck
	EventQueue                     // a merge queue or train tests a commit, and waits for our status on it
)

// String returns the lower-case name.
func (k EventKind) String() string {
	switch k {
	case EventSweep:
		return "sweep"
	case EventPush:
		return "push"
	case EventChange:
		return "change"
	case EventComment:
		return "comment"
	case EventArtifact:
		return "artifact"
	case EventStatus:
		return "status"
	case EventTimer:
		return "timer"
	case EventQueue:
		return "queue"
	}
	return "unknown"
}

// Comment is what a person wrote on a change.
type Comment struct {
	ID       int // as that of a Note: it names the comment whatever Thread says
	Change   int
	Thread   Thread // where it is answered
	Head     Commit // of the change when the comment was written
	AuthorID int
	Author   string
	Body     string
	At       time.Time
	// Action is the name of the button that was pressed instead of writing; there is no note then, and ID tells the pressing apart.
	Action string
}

// Person is who wrote it.
func (c Comment) Person() Person { return Person{ID: c.AuthorID, Name: c.Author} }
