package promote

import (
	"errors"
	"testing"
)

func TestStageRefText(t *testing.T) {
	for _, c := range []struct {
		text string
		want StageRef
		ok   bool
	}{
		{"shop/dev", StageRef{"shop", "dev"}, true},
		{"shop", StageRef{}, false},
		{"shop/", StageRef{}, false},
		{"/dev", StageRef{}, false},
		{"shop/dev/x", StageRef{}, false},
		{"", StageRef{}, false},
	} {
		var got StageRef
		if err := got.UnmarshalText([]byte(c.text)); got != c.want || (err == nil) != c.ok {
			t.Errorf("UnmarshalText(%q) = %v, %v", c.text, got, err)
		}
	}
}

func FuzzStageRef(f *testing.F) {
	for _, seed := range []string{"shop/dev", "a/b/c", "/", "", "ä/ö", "a/b\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var ref StageRef
		if ref.UnmarshalText([]byte(text)) != nil {
			if (ref != StageRef{}) {
				t.Errorf("an error left %v behind", ref)
			}
			return
		}
		printed, err := ref.MarshalText()
		if err != nil || string(printed) != text {
			t.Errorf("%q was printed as %q, %v", text, printed, err)
		}
		if got := ProposalBranch(ref); got != Branch("lockkeeper/"+text) || got == LedgerBranch {
			t.Errorf("ProposalBranch = %q", got)
		}
	})
}

func TestStageRefCompare(t *testing.T) {
	ordered := []StageRef{{"a", "z"}, {"b", "a"}, {"b", "b"}}
	for i, a := range ordered {
		for j, b := range ordered {
			got := a.Compare(b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%v.Compare(%v) = %d", a, b, got)
			}
		}
	}
}

func TestShortNames(t *testing.T) {
	if got := Commit("0123456789").Short(); got != "01234567" {
		t.Errorf("Short = %q", got)
	}
	if got := Commit("01").Short(); got != "01" {
		t.Errorf("Short = %q", got)
	}
	for want, p := range map[string]Position{"": {}, "f": {File: "f"}, "f:3": {File: "f", Line: 3}, "f:3:4": {File: "f", Line: 3, Column: 4}} {
		if got := p.String(); got != want {
			t.Errorf("Position = %q, want %q", got, want)
		}
	}
}

func TestFinding(t *testing.T) {
	for want, f := range map[string]Finding{
		"info: m": {Message: "m"},
		"a.yaml:1:2: error: unknown key; write x [unknown-key]": {
			Severity: SeverityError, Code: "unknown-key", Position: Position{"a.yaml", 1, 2}, Message: "unknown key", Remedy: "write x",
		},
		"a.yaml: warning: m [c]": {Severity: SeverityWarning, Code: "c", Position: Position{File: "a.yaml"}, Message: "m"},
	} {
		if got := f.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
	for _, c := range []struct {
		finding Finding
		want    bool
	}{
		{Finding{}, true},
		{Finding{Project: "shop"}, true},
		{Finding{Project: "bank"}, false},
		{Finding{Stage: dev}, true},
		{Finding{Stage: prod, Project: "shop"}, false},
	} {
		if got := c.finding.Concerns(dev); got != c.want {
			t.Errorf("%+v concerns dev: %v", c.finding, got)
		}
		if got := len(newIndex(&State{Findings: []Finding{c.finding}}).findings.about(dev)) == 1; got != c.want {
			t.Errorf("the index says that %+v concerns dev: %v", c.finding, got)
		}
	}
}

func TestWords(t *testing.T) {
	text := func(v interface{ String() string }) string { return v.String() }
	for want, got := range map[string]string{
		"info": text(SeverityInfo), "warning": text(SeverityWarning), "error": text(SeverityError),
		"pass": text(Pass), "skip": text(Skip), "wait": text(Wait), "block": text(Block),
		"open": text(ChangeOpen), "merged": text(ChangeMerged), "closed": text(ChangeClosed),
		"pending": text(StatusPending), "success": text(StatusSuccess), "failed": text(StatusFailed),
		"none": text(PermissionNone), "read": text(PermissionRead), "write": text(PermissionWrite),
		"maintain": text(PermissionMaintain), "admin": text(PermissionAdmin),
		"sweep": text(EventSweep), "push": text(EventPush), "change": text(EventChange), "comment": text(EventComment),
		"artifact": text(EventArtifact), "status": text(EventStatus), "timer": text(EventTimer),
	} {
		if got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
	for _, unknown := range []string{
		text(Severity(9)), text(Verdict(9)), text(ChangeState(9)), text(StatusState(9)), text(Permission(9)), text(EventKind(99)),
	} {
		if unknown != "unknown" {
			t.Errorf("String = %q, want unknown", unknown)
		}
	}
}

func TestAPIError(t *testing.T) {
	down := errors.New("connection refused")
	for _, c := range []struct {
		err       *APIError
		text      string
		is        error
		temporary bool
	}{
		{&APIError{Service: "gitlab", Operation: "open change", Cause: down}, "gitlab: open change: no answer: connection refused", down, true},
		{&APIError{Service: "gitlab", Operation: "merge", Status: 405, Message: "no", Remedy: "approve it"}, "gitlab: merge: HTTP 405: no; approve it", ErrNotMergeable, false},
		{&APIError{Service: "g", Operation: "o", Status: 400}, "g: o: HTTP 400: ", ErrInvalid, false},
		{&APIError{Service: "g", Operation: "o", Status: 401}, "g: o: HTTP 401: ", ErrUnauthorized, false},
		{&APIError{Service: "g", Operation: "o", Status: 403}, "g: o: HTTP 403: ", ErrForbidden, false},
		{&APIError{Service: "g", Operation: "o", Status: 403, RetryAfter: 1}, "g: o: HTTP 403: ", ErrForbidden, true},
		{&APIError{Service: "g", Operation: "o", Status: 404}, "g: o: HTTP 404: ", ErrNotFound, false},
		{&APIError{Service: "g", Operation: "o", Status: 409}, "g: o: HTTP 409: ", ErrConflict, true},
		{&APIError{Service: "g", Operation: "o", Status: 422}, "g: o: HTTP 422: ", ErrInvalid, false},
		{&APIError{Service: "g", Operation: "o", Status: 429}, "g: o: HTTP 429: ", ErrLimited, true},
		{&APIError{Service: "g", Operation: "o", Status: 502}, "g: o: HTTP 502: ", nil, true},
		{&APIError{Service: "g", Operation: "o", Status: 507}, "g: o: HTTP 507: ", nil, true},
	} {
		if got := c.err.Error(); got != c.text {
			t.Errorf("Error = %q, want %q", got, c.text)
		}
		if c.is != nil && !errors.Is(c.err, c.is) {
			t.Errorf("%v is not %v", c.err, c.is)
		}
		if c.is == nil && c.err.Unwrap() != nil {
			t.Errorf("%v unwraps to %v", c.err, c.err.Unwrap())
		}
		if got := c.err.Temporary(); got != c.temporary {
			t.Errorf("%v: Temporary = %v", c.err, got)
		}
	}
}
