// Package worker runs engines that cannot be interrupted in processes that can be killed.
//
// A [Pool] starts this very program again with a command that calls [Serve]. What a worker knows comes over its standard
// input: a job, and the files that it asks for, which stay in the memory of the parent. It gets no environment, so no secrets
// either. Past its deadline it is killed; past its memory it ends itself. The next job gets a fresh one. A worker ends when its
// input does, that is with its parent, however that ended.
//
// Both directions carry frames: the lengths of a head and a body, four bytes each, then the head as JSON and the body as it
// is. A worker says hello with the version of the protocol. It then gets frames "file", with what the engine will most likely ask
// for, and a frame "job", whose body is for the engine. It sends frames "look", each answered by a "file", and "fetch", each
// answered by a "fetched" with the number of one more tree to look at, and at last "done". Neither side believes a length: a
// frame beyond its bound ends the worker.
//
// The package does not know what the engines do, and engines do not know where they run.
package worker

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Parent is what a worker knows of the world.
type Parent struct {
	Tree fs.FS // of the job
	// Fetch returns another tree, as [Job.Fetch] does; nil when there is none.
	Fetch func(what ...string) (fs.FS, error)
}

// Engine does one job. It reads files of its parent only. Its errors reach the caller of [Pool.Run] as [*manifest.Error], with their
// places and with [manifest.ErrBound] and [manifest.ErrElsewhere] where they had these.
type Engine func(ctx context.Context, parent Parent, request []byte) (answer []byte, err error)

// ErrUnavailable means that no worker could be started: do the job in this process.
var ErrUnavailable = errors.New("no worker process can be started")

// ErrPassing means that something else than the job ended its worker, or that none could be started although one could before: the
// same job may be done the next time. It is not done in this process instead, or whoever uses up what workers need could have what
// they ask for run where nothing stops it.
var ErrPassing = errors.New("a worker process was lost")

// failure is an error of an engine on its way to the parent.
type failure struct {
	File      string `json:",omitempty"`
	Line      int    `json:",omitempty"`
	Column    int    `json:",omitempty"`
	Kind      string `json:",omitempty"`
	Path      string `json:",omitempty"`
	Problem   string
	Remedy    string `json:",omitempty"`
	Bound     bool   `json:",omitempty"`
	Elsewhere bool   `json:",omitempty"`
}

func failuresOf(err error) []failure {
	var out []failure
	for _, e := range manifest.Errors(err) {
		out = append(out, failure{
			File: e.File, Line: e.Line, Column: e.Column, Kind: e.Kind, Path: e.Path, Problem: e.Problem, Remedy: e.Remedy,
			Bound: errors.Is(e, manifest.ErrBound), Elsewhere: errors.Is(e, manifest.ErrElsewhere),
		})
	}
	return out
}

// What is taken over of a worker's errors.
const (
	maxFailures = 1000
	maxText     = 4 << 10
)

func errorOf(failures []failure) error {
	var all []error
	for _, f := range failures[:min(len(failures), maxFailures)] {
		for _, text := range []*string{&f.File, &f.Kind, &f.Path, &f.Problem, &f.Remedy} {
			*text = strings.ToValidUTF8((*text)[:min(len(*text), maxText)], "")
		}
		var causes []error
		if f.Bound {
			causes = append(causes, manifest.ErrBound)
		}
		if f.Elsewhere {
			causes = append(causes, manifest.ErrElsewhere)
		}
		all = append(all, &manifest.Error{
			File: f.File, Line: f.Line, Column: f.Column, Kind: f.Kind, Path: f.Path, Problem: f.Problem, Remedy: f.Remedy, Cause: errors.Join(causes...),
		})
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}
