package devforge

import "testing"

const twoHunks = "@@ -1,3 +1,4 @@\n a\n-b\n+B\n+C\n c\n\\ No newline at end of file\n@@ -10 +11,2 @@ tail\n x\n+y\n"

func TestHunkOf(t *testing.T) {
	for _, row := range []struct {
		name string
		line int
		old  bool
		want string
	}{
		{"an unchanged line", 1, false, "@@ -1,3 +1,4 @@\n a"},
		{"an added line", 3, false, "@@ -1,3 +1,4 @@\n a\n-b\n+B\n+C"},
		{"a removed line, in the old file", 2, true, "@@ -1,3 +1,4 @@\n a\n-b"},
		{"a line between the hunks", 7, false, ""},
		{"a line of the second hunk", 12, false, "@@ -10 +11,2 @@ tail\n x\n+y"},
		{"a line behind all", 13, false, ""},
		{"no line", 0, false, ""},
	} {
		got, ok := fileDiff{text: twoHunks}.hunkOf(row.line, row.old)
		if got != row.want || ok != (row.want != "") {
			t.Errorf("%s: got %q, %t", row.name, got, ok)
		}
	}
}
