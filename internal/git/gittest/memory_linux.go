package gittest

import (
	"os"
	"syscall"
)

const (
	sharedMemory = "/dev/shm"
	tmpfs        = 0x01021994 // statfs(2), TMPFS_MAGIC
	noExec       = 8          // statfs(2), ST_NOEXEC
	memoryNeeded = 2 << 30    // many times of what tests have at once
)

// FoldersInMemory has the temporary folders of this process lie in memory, where the machine has a file system there that is
// large enough and lets programs run, as hooks do. A world of a test is some hundred files that live for a second, and a
// disk spends longer on finding room for them than Git on all else. Whoever sets TMPDIR is obeyed. Call it from TestMain.
func FoldersInMemory() {
	if os.Getenv("TMPDIR") != "" {
		return
	}
	var found syscall.Statfs_t
	if syscall.Statfs(sharedMemory, &found) != nil || found.Type != tmpfs || found.Flags&noExec != 0 ||
		found.Bavail*uint64(found.Bsize) < memoryNeeded { //nolint:gosec // the size of a block is not negative
		return
	}
	probe, err := os.MkdirTemp(sharedMemory, "lockkeeper-*")
	if err != nil {
		return
	}
	if os.Remove(probe) == nil {
		_ = os.Setenv("TMPDIR", sharedMemory) // it cannot be refused: neither word has a NUL
	}
}
