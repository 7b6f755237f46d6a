package jsontext

import (
	"math"
	"testing"
)

func TestIndented(t *testing.T) {
	data, err := Indented(map[string]any{"b": "<a & b>", "a": []int{1}})
	if want := "{\n  \"a\": [\n    1\n  ],\n  \"b\": \"<a & b>\"\n}\n"; err != nil || string(data) != want {
		t.Errorf("%q, %v; want %q", data, err, want)
	}
	if data, err := Indented(math.Inf(1)); err == nil {
		t.Errorf("infinity became %q", data)
	}
}
