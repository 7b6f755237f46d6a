package expr

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCondition(t *testing.T) {
	values := map[string]any{
		"subject": "fix: stop leaking", "author": "Ann <ann@example.com>", "id": "c0ffee",
		"commitDate": time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)),
	}
	tests := []struct {
		name       string
		expression string
		want       bool
		wantErr    string // part of it
	}{
		{name: "a text that is contained", expression: `subject contains "fix"`, want: true},
		{name: "a text that is not", expression: `!(subject contains "fix")`},
		{name: "a regular expression", expression: `author matches "@example[.]com>$"`, want: true},
		{name: "a date after another", expression: `commitDate > date("2026-01-01")`, want: true},
		{name: "a date before another", expression: `commitDate < date("2026-01-01")`},
		{name: "the year of a date", expression: `commitDate.Year() == 2026`, want: true},
		{name: "the distance of two dates", expression: `(now() - commitDate) > duration("24h")`, want: true},
		{name: "a text that prints as a boolean", expression: `"T"`, want: true},
		{name: "a number that prints as a boolean", expression: `0`},
		{name: "a number that does not", expression: `2`, wantErr: `expression "2": its result is a number, expected true or false`},
		{name: "a list", expression: `[1]`, wantErr: "expected true or false"},
		{name: "an unknown name", expression: `subjct == ""`, wantErr: "did you mean subject"},
		{name: "an unknown function", expression: `contain(subject)`, wantErr: `expression "contain(subject)": unknown name`},
		{name: "broken syntax", expression: `subject ==`, wantErr: `expression "subject ==": column`},
		{name: "nothing", expression: " ", wantErr: "an expression is empty: write a condition over author, commitDate"},
		{name: "too much work", expression: `len(repeat(subject, 1000000)) > 0`, wantErr: "too much work"},
		{name: "too long", expression: strings.Repeat("1", maxTemplate+1), wantErr: "at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewCondition(tt.expression, "author", "commitDate", "id", "subject")
			got := false
			if err == nil {
				got, err = c.Holds(values)
			}
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if got != tt.want {
				t.Errorf("holds: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestConditionChargesEachEvaluationByItself(t *testing.T) {
	c, err := NewCondition(`len(repeat(id, 1000000)) > 0`, "id")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if ok, err := c.Holds(map[string]any{"id": "x"}); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if _, err := c.Holds(map[string]any{"id": "xxxxx"}); !errors.Is(err, ErrTooCostly) {
		t.Errorf("%v, want ErrTooCostly", err)
	}
	if ok, err := c.Holds(map[string]any{"id": "x"}); !ok || err != nil {
		t.Errorf("a costly evaluation spoils the next: %v", err)
	}
}
