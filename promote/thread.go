package promote

import (
	"fmt"
	"slices"
	"strings"
)

// MaxThreads is how many findings of one change are shown as threads, over its whole life: a person reads no more, and nobody can have
// a change filled with them.
const MaxThreads = 20

// threadMark begins a thread about a finding; what follows tells the finding from others, wherever in its file it stands.
const threadMark = "<!-- lockkeeper:finding:"

// OwnThread is a thread that we opened.
type OwnThread struct {
	ID       Thread // for resolving it; it need not be the one that it is answered by
	Body     string // of its first note
	Resolved bool
	Ours     bool // we resolved it, and no person did
}

// ThreadDraft is a thread to be opened.
type ThreadDraft struct {
	Path string // required
	Line int    // from 1; 0: the file as a whole
	Body string // required
}

// key is the line that the text of a draft begins with.
func (d ThreadDraft) key() string { return threadKey(d.Body) }

func threadKey(body string) string {
	first, _, _ := strings.Cut(body, "\n")
	first = strings.TrimSpace(first)
	if !strings.HasPrefix(first, threadMark) {
		return ""
	}
	return first
}

// ThreadSteps is what makes the threads of a change say what is found in it.
type ThreadSteps struct {
	Open    []ThreadDraft
	Resolve []Thread // the finding is gone
	Reopen  []Thread // the finding is back
}

// FindingThreads are the threads about those findings that are errors and have a place, one for each: the same error in one file is
// one finding, however often it is there.
func FindingThreads(findings []Finding) []ThreadDraft {
	var drafts []ThreadDraft
	seen := map[string]bool{}
	for _, f := range findings {
		if f.Severity != SeverityError || f.Position.File == "" {
			continue
		}
		key := threadMark + fingerprint(f.Code, f.Position.File, f.Message) + " -->"
		if seen[key] {
			continue
		}
		seen[key] = true
		text := fmt.Sprintf("%s\n**%s**: %s\n", key, tableCell(f.Code), tableCell(f.said()))
		drafts = append(drafts, ThreadDraft{Path: f.Position.File, Line: max(0, f.Position.Line), Body: text})
	}
	return drafts
}

// PlanThreads compares the threads that there are, oldest first, with those that there should be. What a person resolved stays
// resolved. Of several about one finding the first counts.
func PlanThreads(have []OwnThread, want []ThreadDraft) ThreadSteps {
	var steps ThreadSteps
	known := map[string]bool{}
	for _, thread := range have {
		key := threadKey(thread.Body)
		if key == "" {
			continue
		}
		wanted := !known[key] && slices.ContainsFunc(want, func(d ThreadDraft) bool { return d.key() == key })
		known[key] = true
		switch {
		case wanted && thread.Resolved && thread.Ours:
			steps.Reopen = append(steps.Reopen, thread.ID)
		case !wanted && !thread.Resolved:
			steps.Resolve = append(steps.Resolve, thread.ID)
		}
	}
	for _, draft := range want {
		if !known[draft.key()] && len(known) < MaxThreads {
			known[draft.key()] = true
			steps.Open = append(steps.Open, draft)
		}
	}
	return steps
}

// UnthreadedText says in a note that not every error has a thread; empty when each may have one.
func UnthreadedText(findings []Finding) string {
	if n := len(FindingThreads(findings)); n > MaxThreads {
		return fmt.Sprintf("Of the %d errors %d have a thread in the files; the others stand here only.\n", n, MaxThreads)
	}
	return ""
}
