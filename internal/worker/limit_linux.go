//go:build linux && !race

package worker

import (
	"runtime/debug"
	"syscall"
)

// headroom is what the kernel grants beyond the limit: the worker sees by itself when it is over, unless one allocation is
// larger than this.
const headroom = 512 << 20

// limitProcess makes the collector keep below the limit, and the kernel refuse memory well beyond it. Only what is written to
// counts for the kernel, not the addresses that the runtime reserves.
func limitProcess(memory int64) {
	debug.SetMemoryLimit(memory - memory/10)
	most := uint64(memory) + headroom
	_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: most, Max: most}) // what cannot be limited is still watched
}
