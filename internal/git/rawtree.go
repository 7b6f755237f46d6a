package git

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Modes of tree entries; git knows no others.
const (
	modeTree       = 0o040000
	modeFile       = 0o100644
	modeExecutable = 0o100755
	modeSymlink    = 0o120000
	modeSubmodule  = 0o160000
)

// entry is one entry of a raw tree ("mode SP name NUL id") and where it stands in it.
type entry struct {
	mode    uint32
	name    []byte
	id      oid
	at, end int // raw[at:end] is the entry; the id is its last 20 bytes
}

func (e entry) isTree() bool { return e.mode == modeTree }

func (e entry) isFile() bool { return e.mode&0o170000 == 0o100000 }

var errTree = errors.New("malformed tree")

// nextEntry reads the entry at offset at. Names that could escape a directory are refused.
func nextEntry(raw []byte, at int) (entry, error) {
	sp := bytes.IndexByte(raw[at:min(len(raw), at+8)], ' ')
	if sp < 5 {
		return entry{}, errTree
	}
	nul := bytes.IndexByte(raw[at+sp:], 0)
	if nul < 2 || at+sp+nul+21 > len(raw) {
		return entry{}, errTree
	}
	var mode uint32
	for _, c := range raw[at : at+sp] {
		if c < '0' || c > '7' {
			return entry{}, errTree
		}
		mode = mode<<3 | uint32(c-'0')
	}
	e := entry{mode: mode, name: raw[at+sp+1 : at+sp+nul], at: at, end: at + sp + nul + 21}
	copy(e.id[:], raw[e.end-20:e.end])
	if bytes.IndexByte(e.name, '/') >= 0 || string(e.name) == "." || string(e.name) == ".." {
		return entry{}, fmt.Errorf("%w: entry name %q", errTree, e.name)
	}
	return e, nil
}

// eachEntry calls visit for every entry in order, until it returns false.
func eachEntry(raw []byte, visit func(entry) bool) error {
	for at := 0; at < len(raw); {
		e, err := nextEntry(raw, at)
		if err != nil {
			return err
		}
		if !visit(e) {
			return nil
		}
		at = e.end
	}
	return nil
}

// findEntry looks a name up. The order of entries depends on their kind, so the whole tree is searched.
func findEntry(raw []byte, name string) (found entry, ok bool, err error) {
	err = eachEntry(raw, func(e entry) bool {
		if string(e.name) == name {
			found, ok = e, true
		}
		return !ok
	})
	return found, ok, err
}

// insertOffset is where an entry of that name belongs: git orders by bytes, with directories as if their name ended in "/".
func insertOffset(raw []byte, name string, isTree bool) (int, error) {
	offset := len(raw)
	err := eachEntry(raw, func(e entry) bool {
		if compareNames(string(e.name), e.isTree(), name, isTree) < 0 {
			return true
		}
		offset = e.at
		return false
	})
	return offset, err
}

func compareNames(a string, aTree bool, b string, bTree bool) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	return int(byteAfter(a, n, aTree)) - int(byteAfter(b, n, bTree))
}

func byteAfter(s string, n int, isTree bool) byte {
	if n < len(s) {
		return s[n]
	}
	if isTree {
		return '/'
	}
	return 0
}

func appendEntry(raw []byte, mode uint32, name string, id oid) []byte {
	raw = strconv.AppendUint(raw, uint64(mode), 8)
	raw = append(append(append(raw, ' '), name...), 0)
	return append(raw, id[:]...)
}
