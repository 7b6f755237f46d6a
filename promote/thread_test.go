package promote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func errorAt(file string, line int, message string) Finding {
	return Finding{Severity: SeverityError, Code: "schema", Position: Position{File: file, Line: line}, Message: message, Remedy: "correct it"}
}

func TestFindingThreads(t *testing.T) {
	warning := errorAt("a.yaml", 1, "odd")
	warning.Severity = SeverityWarning
	got := FindingThreads([]Finding{
		errorAt("a.yaml", 3, "replicas is a text, <b>not</b> a number @lea"), warning, errorAt("", 0, "without a place"),
		errorAt("a.yaml", 9, "replicas is a text, <b>not</b> a number @lea"), errorAt("b.yaml", -1, "replicas is a text, <b>not</b> a number @lea"),
	})
	if len(got) != 2 || got[0].Path != "a.yaml" || got[0].Line != 3 || got[1].Path != "b.yaml" || got[1].Line != 0 {
		t.Fatalf("got %+v", got)
	}
	if got[0].key() == "" || got[0].key() == got[1].key() {
		t.Errorf("keys are %q and %q", got[0].key(), got[1].key())
	}
	if want := "**schema**: replicas is a text, &lt;b>not&lt;/b> a number @\u200blea; correct it\n"; !strings.HasSuffix(got[0].Body, "\n"+want) {
		t.Errorf("the text is %q", got[0].Body)
	}
	if moved := FindingThreads([]Finding{errorAt("a.yaml", 30, "replicas is a text, <b>not</b> a number @lea")}); moved[0].key() != got[0].key() {
		t.Error("a finding that moved in its file is another")
	}
}

func TestPlanThreads(t *testing.T) {
	drafts := FindingThreads([]Finding{errorAt("a.yaml", 1, "one"), errorAt("a.yaml", 2, "two")})
	one, two := drafts[0], drafts[1]
	thread := func(id Thread, draft ThreadDraft, resolved, ours bool) OwnThread {
		return OwnThread{ID: id, Body: draft.Body, Resolved: resolved, Ours: ours}
	}
	for _, row := range []struct {
		name string
		have []OwnThread
		want []ThreadDraft
		out  ThreadSteps
	}{
		{"nothing", nil, nil, ThreadSteps{}},
		{"a new finding is opened", nil, []ThreadDraft{one}, ThreadSteps{Open: []ThreadDraft{one}}},
		{"one that is shown is left alone", []OwnThread{thread("1", one, false, false)}, []ThreadDraft{one}, ThreadSteps{}},
		{"another text about the same is the same", []OwnThread{{ID: "1", Body: one.key() + "\r\nedited"}}, []ThreadDraft{one}, ThreadSteps{}},
		{"one that is gone is resolved", []OwnThread{thread("1", one, false, false)}, []ThreadDraft{two}, ThreadSteps{Open: []ThreadDraft{two}, Resolve: []Thread{"1"}}},
		{"one that is gone and resolved is left alone", []OwnThread{thread("1", one, true, true)}, nil, ThreadSteps{}},
		{"one that is back is reopened", []OwnThread{thread("1", one, true, true)}, []ThreadDraft{one}, ThreadSteps{Reopen: []Thread{"1"}}},
		{"one that a person resolved stays so", []OwnThread{thread("1", one, true, false)}, []ThreadDraft{one}, ThreadSteps{}},
		{"of two about the same the later is resolved", []OwnThread{thread("1", one, false, false), thread("2", one, false, false)}, []ThreadDraft{one}, ThreadSteps{Resolve: []Thread{"2"}}},
		{"other threads of ours are none of these", []OwnThread{{ID: "1", Body: "<!-- lockkeeper:reply:1 -->\ntext"}, {ID: "2"}}, nil, ThreadSteps{}},
	} {
		if diff := cmp.Diff(row.out, PlanThreads(row.have, row.want)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestAChangeHasAFewThreads(t *testing.T) {
	var findings []Finding
	for i := range 30 {
		findings = append(findings, errorAt("a.yaml", i+1, fmt.Sprintf("error %d", i)))
	}
	want := FindingThreads(findings)
	if opened := PlanThreads(nil, want).Open; len(opened) != 20 || opened[0].Line != 1 {
		t.Errorf("opened are %d", len(opened))
	}
	var have []OwnThread
	for _, draft := range want[:15] {
		have = append(have, OwnThread{ID: "x", Body: draft.Body, Resolved: true, Ours: true})
	}
	if opened := PlanThreads(have, want[10:]).Open; len(opened) != 5 {
		t.Errorf("opened beside those of before are %d", len(opened))
	}
	if got := UnthreadedText(findings); got != "Of the 30 errors 20 have a thread in the files; the others stand here only.\n" {
		t.Errorf("got %q", got)
	}
	if got := UnthreadedText(findings[:20]); got != "" {
		t.Errorf("got %q", got)
	}
}
