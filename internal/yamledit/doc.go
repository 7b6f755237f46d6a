// Package yamledit changes, adds or removes single scalars of a YAML file and not one other byte.
//
// A change is a splice: the file is parsed only to find where a scalar starts and ends, the bytes between are
// replaced, and the result is parsed again. Unless both parses describe the same documents except for that one scalar,
// the edit is refused. Comments, indentation, quoting of other values, flow style, anchors, line endings, a byte order
// mark and the presence or absence of a final newline therefore survive by construction.
//
// # Keys
//
// A key is a dotted path as in Kargo's yaml-update step, for example "spec.template.spec.containers.0.image".
// `\.` is a dot and `\:` a colon inside a part; other backslashes stand for themselves. A part of digits indexes a
// sequence. A part that begins with ':' is always a mapping key and the colon is not part of it. An anchored scalar can
// be edited, and then its aliases follow; a path never leads through an alias or a merge key.
//
// # Creation
//
// [Edit.Create] adds a missing key behind its siblings, in the style of the file: its indentation, whether lists are
// indented below their key, its line break, JSON's quotes. A block stays a block, and what stands between brackets grows
// between them. The result is parsed again here as well: everything that was there has to be there unchanged.
//
// # Types
//
// The author of the file has decided the type of a value, and an edit keeps it where that loses nothing: a string
// stays a string whatever it looks like. Text is therefore quoted when it would be read as something else under the
// rules of YAML 1.1 or 1.2, because the readers of these files (Argo CD, kubectl, Helm) follow either. A number or a
// boolean that replaces a string becomes that text as a string. The quoting style of the old value is kept where it can
// express the new one.
//
// The package reads no files and knows nothing of Kubernetes or Kargo objects.
package yamledit
