package promote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// longText is a description of about n bytes whose lines are all different.
func longText(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %07d\n", i)
	}
	return b.String()
}

func TestDivide(t *testing.T) {
	for _, row := range []struct {
		name, text string
		more       int
		end        string // of the text
	}{
		{"what fits", longText(NoteLimit - 20), 0, ""},
		{"a line too many", longText(NoteLimit), 1, "This text goes on in 1 note of this change.\n"},
		{"much", longText(3*NoteLimit - 1000), 2, "This text goes on in 2 notes of this change.\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			first, more := Divide(row.text)
			if len(more) != row.more || !strings.HasSuffix(first, row.end) {
				t.Fatalf("%d notes; the text ends with %q", len(more), first[len(first)-100:])
			}
			if goesOn(first) != (row.more > 0) {
				t.Errorf("it says that it goes on: %t", goesOn(first))
			}
			if len(first) > NoteLimit+200 {
				t.Errorf("the text has %d bytes", len(first))
			}
			whole := strings.Split(strings.Join(append([]string{first}, more...), ""), "\n")
			for line := range strings.Lines(row.text) {
				for len(whole) > 0 && whole[0]+"\n" != line {
					whole = whole[1:]
				}
				if len(whole) == 0 {
					t.Fatalf("%q is lost, or out of its place", line)
				}
			}
		})
	}
}

// The text differs whenever a note does, and not otherwise: nothing else tells that the notes have to be written.
func TestTheTextTellsItsNotes(t *testing.T) {
	text := longText(2 * NoteLimit)
	first, _ := Divide(text)
	if again, _ := Divide(text); again != first {
		t.Error("the same text is divided in two ways")
	}
	other, _ := Divide(strings.Replace(text, "line 0007000", "LINE 0007000", 1))
	if other == first {
		t.Error("a note differs, and the text does not")
	}
	opened := begun(text)
	if opened == first || !goesOn(opened) {
		t.Errorf("a change that is opened says that its notes are there: %q", opened[len(opened)-100:])
	}
	if short := begun("short\n"); short != "short\n" {
		t.Errorf("got %q", short)
	}
	for text, want := range map[string]bool{"": false, "a": false, "a\r\n\r\n" + pendingMark + "\r\nb\r\n": true, pendingMark + "\n\nb": false, "a\n" + continuedMark + "0 --> b": false} {
		if goesOn(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

func TestALongDescriptionBeginsWithItsGates(t *testing.T) {
	short := arranged("head\n", "diff\n", "gates\n", "rest\n", "hint\n")
	if diff := cmp.Diff("head\ndiff\ngates\nrest\nhint\n", short); diff != "" {
		t.Error(diff)
	}
	much := longText(NoteLimit)
	if long := arranged("head\n", much, "gates\n", "rest\n", "hint\n"); long != "head\ngates\nhint\n\n"+much+"rest\n" {
		t.Errorf("it begins with %q", long[:60])
	}
}

func TestALongTextIsUpdatedOnce(t *testing.T) {
	edit := func(s State) (found *UpdateChange) {
		for _, action := range Decide(s).Actions {
			if update, ok := action.(UpdateChange); ok {
				found = &update
			}
		}
		return found
	}
	s := open()
	e := s.Evidence[headOne]
	e.Diff = longText(2 * NoteLimit)
	s.Evidence[headOne] = e
	long := edit(s)
	if long == nil || !long.GoesOn || len(long.More) != 2 {
		t.Fatalf("got %+v", long)
	}
	s.Changes[0].Title, s.Changes[0].Description = long.Edit.Title, strings.ReplaceAll(long.Edit.Description, "\n", "\r\n")
	if again := edit(s); again != nil {
		t.Errorf("it is written again: %d notes", len(again.More))
	}
	e.Diff = "short\n"
	s.Evidence[headOne] = e
	short := edit(s)
	if short == nil || !short.GoesOn || len(short.More) != 0 || goesOn(short.Edit.Description) {
		t.Fatalf("got %+v", short)
	}
	s.Changes[0].Description = short.Edit.Description
	if again := edit(s); again != nil {
		t.Errorf("it is written again: %+v", again)
	}
	e.Diff = "another\n"
	s.Evidence[headOne] = e
	if plain := edit(s); plain == nil || plain.GoesOn {
		t.Errorf("notes are looked for: %+v", plain)
	}
}
