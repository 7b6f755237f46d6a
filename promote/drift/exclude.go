package drift

import (
	"errors"
	"path"
	"strings"
)

// exclusion is what belongs to each folder alone: files, or values in them.
type exclusion struct {
	text  string
	files fileGlob
	key   []keyPart // nil: the whole file
}

// maxExclusion bounds one exclusion, in bytes.
const maxExclusion = 1000

func parseExclusion(text string) (exclusion, error) {
	if len(text) > maxExclusion {
		return exclusion{}, errors.New("it is longer than 1000 bytes")
	}
	glob, key, hasKey := strings.Cut(text, ":")
	files, err := parseFileGlob(glob)
	if err != nil {
		return exclusion{}, err
	}
	e := exclusion{text: text, files: files}
	if hasKey {
		e.key, err = parseKey(key)
	}
	return e, err
}

// fileGlob matches paths below a folder.
type fileGlob struct {
	parts    []string
	anchored bool // from the folder on; otherwise a name at any depth
	folders  bool // folders only, with what is in them
}

func parseFileGlob(text string) (fileGlob, error) {
	trimmed := strings.Trim(text, "/")
	if trimmed == "" {
		return fileGlob{}, errors.New("it names no file")
	}
	inner, folders := strings.CutSuffix(text, "/")
	g := fileGlob{parts: strings.Split(trimmed, "/"), anchored: strings.Contains(inner, "/"), folders: folders}
	for _, part := range g.parts {
		if part == "" || part == "." || part == ".." || !isGlob(part) {
			return fileGlob{}, errors.New("it is not a glob of paths in a folder")
		}
	}
	return g, nil
}

// matches reports whether the glob means a file or folder, or a folder that it is in.
func (g fileGlob) matches(name string, isDir bool) bool {
	names := strings.Split(name, "/")
	if g.folders && !isDir {
		names = names[:len(names)-1]
	}
	if !g.anchored {
		for _, one := range names {
			if ok, _ := path.Match(g.parts[0], one); ok {
				return true
			}
		}
		return false
	}
	// reached[i] says that the parts up to the i-th match the names so far.
	reached := make([]bool, len(g.parts)+1)
	reached[0] = true
	g.skip(reached)
	for _, one := range names {
		next := make([]bool, len(reached))
		for i, part := range g.parts {
			if !reached[i] {
				continue
			}
			if part == "**" {
				next[i] = true
				next[i+1] = next[i+1] || i == len(g.parts)-1
			} else if ok, _ := path.Match(part, one); ok {
				next[i+1] = true
			}
		}
		g.skip(next)
		if reached = next; reached[len(g.parts)] {
			return true
		}
	}
	return false
}

// skip lets every ** stand for no folder.
func (g fileGlob) skip(reached []bool) {
	for i, part := range g.parts {
		if reached[i] && part == "**" && i < len(g.parts)-1 {
			reached[i+1] = true
		}
	}
}
