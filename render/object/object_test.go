package object

import (
	"strings"
	"testing"
)

func TestSizeFollowsWhatAnObjectHolds(t *testing.T) {
	small := Object{Fields: map[string]any{"kind": "ConfigMap", "data": map[string]any{"a": "b"}, "list": []any{int64(1), nil, true}}}
	large := Object{Fields: map[string]any{"kind": "ConfigMap", "data": map[string]any{"a": strings.Repeat("b", 10_000)}, "list": []any{int64(1), nil, true}}}
	if got := large.Size() - small.Size(); got != 9_999 {
		t.Errorf("10,000 bytes for one are %d more", got)
	}
	if got := small.Size(); got < 100 || got > 1000 {
		t.Errorf("a small object has %d bytes", got)
	}
}
