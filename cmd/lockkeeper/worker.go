package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/worker"
	"github.com/lockkeeper/lockkeeper/render"
)

// workerCommand makes this program a worker of another one: it renders what could not be stopped otherwise, until its standard
// input ends. It is not for people.
const workerCommand = "render-worker"

// isWorker reports whether the program was started as a worker. That is found out before anything else is done: a worker has no
// configuration.
func isWorker() bool { return slices.Equal(os.Args[1:], []string{workerCommand}) }

// work is what a worker does. It returns the exit code.
func work() int {
	if err := worker.Serve(render.Engines()); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "lockkeeper %s: %v\n", workerCommand, err)
		return 1
	}
	return 0
}

// newWorkers returns the pool of an engine. Warn is told when this system does not let a program start itself.
func newWorkers(warn func(error)) *worker.Pool {
	command, err := worker.Self(workerCommand)
	if err != nil {
		warn(err)
		return nil
	}
	return &worker.Pool{Command: command, Warn: warn}
}

// withoutWorkers is what the warning of a pool means.
const withoutWorkers = "Jsonnet and kustomize run in this process, where they cannot be stopped"
