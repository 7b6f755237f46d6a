//go:build !linux || race

package worker

import "runtime/debug"

// limitProcess makes the collector keep below the limit. The race detector takes several times what a program does, so that the
// kernel would refuse too early.
func limitProcess(memory int64) { debug.SetMemoryLimit(memory - memory/10) }
