package promote

import (
	"fmt"
	"strings"
)

// The text of a change may be longer than one text of a forge. It goes on in notes of ours then, which are written before the text that
// says so: that ends with a line that names them by a fingerprint, so that it differs whenever they do.

const (
	continuedMark = "<!-- lockkeeper:continued:"
	pendingMark   = continuedMark + " -->" // of a change that is opened just now: the notes follow
)

// Divide returns a description as it fits into one text, and what goes on in notes, in order. One that fits has none.
func Divide(description string) (first string, more []string) {
	parts := SplitNote(description, NoteLimit)
	if len(parts) == 1 {
		return description, nil
	}
	more = parts[1:]
	mark := continuedMark + fingerprint(more...) + " -->"
	return marked(parts[0], fmt.Sprintf("This text goes on in %s of this change.", counted(len(more), "note")), mark), more
}

// begun is a description for a change whose notes are not there yet.
func begun(description string) string {
	parts := SplitNote(description, NoteLimit)
	if len(parts) == 1 {
		return description
	}
	return marked(parts[0], "The rest of this text follows in notes.", pendingMark)
}

func marked(text, sentence, mark string) string {
	return strings.TrimRight(text, "\n") + "\n\n" + mark + "\n" + sentence + "\n"
}

// goesOn reports whether a description that is on the forge says that it goes on in notes.
func goesOn(description string) bool {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(description, "\r\n", "\n")), "\n")
	return len(lines) > 1 && strings.HasPrefix(lines[len(lines)-2], continuedMark)
}

// arranged puts a description together. The diff comes first where all of it is one text; otherwise the gates do, so that they are
// not in a note.
func arranged(head, diff, gates, rest, hint string) string {
	if whole := head + diff + gates + rest + hint; len(whole) <= NoteLimit {
		return whole
	}
	return head + gates + hint + "\n" + diff + rest
}
