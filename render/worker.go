package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/worker"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

// The engines that run in workers.
const (
	jsonnetEngine   = "jsonnet"
	kustomizeEngine = "kustomize"
)

// Engines are what the processes of [Engine.Workers] serve.
func Engines() map[string]worker.Engine {
	return map[string]worker.Engine{
		jsonnetEngine: func(ctx context.Context, parent worker.Parent, request []byte) ([]byte, error) {
			var req jsonnet.Request
			if err := json.Unmarshal(request, &req); err != nil {
				return nil, err
			}
			req.Tree = parent.Tree
			out, err := jsonnet.Evaluate(ctx, req)
			if err != nil {
				return nil, err
			}
			return json.Marshal(out)
		},
		kustomizeEngine: func(ctx context.Context, parent worker.Parent, request []byte) ([]byte, error) {
			var req kustomize.Request
			if err := json.Unmarshal(request, &req); err != nil {
				return nil, err
			}
			if parent.Fetch != nil {
				req.Fetch = func(what kustomize.Elsewhere) (fs.FS, error) {
					return parent.Fetch(string(what.Kind), what.URL, what.Name, what.Version)
				}
			}
			req.Files, req.Limits.Time = parent.Tree, time.Hour // whoever waits for the worker ends it earlier
			out, err := kustomize.Build(ctx, req)
			if err != nil {
				return nil, err
			}
			return json.Marshal(out)
		},
	}
}

// Kustomize is [kustomize.Build], in a process that can be killed where there are [Engine.Workers], and not longer than rendering
// an Application may take. Nothing is remembered.
func (e *Engine) Kustomize(ctx context.Context, req kustomize.Request) (kustomize.Output, error) {
	return workers{e.Workers, e.timeout}.kustomize(ctx, req, &reading{FS: req.Files})
}

// errHere says that there are no workers, so that the job is to be done in this process.
var errHere = errors.New("no workers")

// workers are where jobs are done: in this process when there is no pool.
type workers struct {
	pool *worker.Pool
	time time.Duration // of one job
}

// do does a job in a worker. Tree notes which files the engine opened.
func (w workers) do(ctx context.Context, job worker.Job, tree *reading, request, out any) error {
	if w.pool == nil {
		return errHere
	}
	var err error
	if job.Request, err = json.Marshal(request); err != nil {
		return fmt.Errorf("hand over to a worker: %w", err)
	}
	sent := &reading{FS: tree.FS} // a folder is sent as a whole, whatever of it the engine reads
	job.Tree, job.Time = sent, w.time
	answer, err := w.pool.Run(ctx, job)
	tree.broken = tree.broken || sent.isBroken() || errors.Is(err, worker.ErrPassing)
	if errors.Is(err, worker.ErrUnavailable) {
		return errHere
	}
	for _, name := range answer.Read {
		tree.note(name)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer.Body, out)
}

// jsonnet is jsonnet.Evaluate.
func (w workers) jsonnet(ctx context.Context, req jsonnet.Request, tree *reading) (out jsonnet.Output, err error) {
	err = w.do(ctx, worker.Job{Engine: jsonnetEngine, Folder: req.Dir}, tree, req, &out)
	if errors.Is(err, errHere) {
		return jsonnet.Evaluate(ctx, req)
	}
	return out, err
}

// kustomize is kustomize.Build.
func (w workers) kustomize(ctx context.Context, req kustomize.Request, tree *reading) (out kustomize.Output, err error) {
	job := worker.Job{Engine: kustomizeEngine, Folder: req.Dir}
	if req.Fetch != nil {
		job.Fetch = func(what []string) (fs.FS, error) {
			if len(what) != 4 {
				return nil, fmt.Errorf("%q names nothing that is fetched", what)
			}
			return req.Fetch(kustomize.Elsewhere{Kind: kustomize.ElsewhereKind(what[0]), URL: what[1], Name: what[2], Version: what[3]})
		}
	}
	err = w.do(ctx, job, tree, req, &out)
	if errors.Is(err, errHere) {
		return kustomize.Build(ctx, req)
	}
	return out, err
}
