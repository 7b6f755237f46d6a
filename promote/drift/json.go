package drift

import (
	"github.com/lockkeeper/lockkeeper/internal/jsontext"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

type jsonReport struct {
	Empty    bool          `json:"empty"`
	Pairs    []jsonPair    `json:"pairs"`
	Problems []jsonProblem `json:"problems"`
}

type jsonPair struct {
	From     string     `json:"from"`
	To       string     `json:"to"`
	Same     int        `json:"same"`
	Excluded []string   `json:"excluded,omitempty"`
	More     int        `json:"more,omitempty"`
	Refused  string     `json:"refused,omitempty"`
	Files    []jsonFile `json:"files"`
}

type jsonFile struct {
	Name string    `json:"name"`
	Kind Kind      `json:"kind"`
	Note string    `json:"note,omitempty"`
	More int       `json:"more,omitempty"`
	Keys []jsonKey `json:"keys,omitempty"`
}

type jsonKey struct {
	Document string    `json:"document,omitempty"`
	Path     string    `json:"path,omitempty"`
	Kind     diff.Kind `json:"kind"`
	Before   any       `json:"before,omitempty"`
	After    any       `json:"after,omitempty"`
}

type jsonProblem struct {
	Rule    int    `json:"rule"`
	Key     string `json:"key"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
	Lost    bool   `json:"lost,omitempty"`
}

// JSON returns a report as an indented JSON document with a newline at the end: empty, pairs [{from, to, same, excluded, more,
// refused, files [{name, kind, note, more, keys [{document, path, kind, before, after}]}]}] and problems [{rule, key, message,
// remedy, lost}]. Absent values are left out. Keys are only ever added.
func JSON(r Report) ([]byte, error) {
	out := jsonReport{Empty: r.Empty(), Pairs: []jsonPair{}, Problems: []jsonProblem{}}
	for _, pair := range r.Pairs {
		out.Pairs = append(out.Pairs, jsonPairOf(pair))
	}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, jsonProblem(p))
	}
	return jsontext.Indented(out)
}

func jsonPairOf(pair Pair) jsonPair {
	out := jsonPair{
		From: pair.From, To: pair.To, Same: pair.Same, Excluded: pair.Excluded, More: pair.More, Refused: pair.Refused, Files: []jsonFile{},
	}
	for _, file := range pair.Files {
		one := jsonFile{Name: file.Name, Kind: file.Kind, Note: file.Note, More: file.More}
		for _, key := range file.Keys {
			one.Keys = append(one.Keys, jsonKey{key.Document, key.Path, key.Kind, key.Before, key.After})
		}
		out.Files = append(out.Files, one)
	}
	return out
}
