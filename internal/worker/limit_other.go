//go:build !linux

package worker

import "runtime/debug"

// limitProcess makes the collector keep below the limit.
func limitProcess(memory int64) { debug.SetMemoryLimit(memory - memory/10) }
