//go:build !linux

package gittest

// FoldersInMemory does nothing: where memory is a folder differs between systems.
func FoldersInMemory() {}
