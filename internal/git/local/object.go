package local

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // Git's ids
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

// The bounds of what is kept and read.
const (
	maxKept   = 256 << 20 // bytes of blobs that are kept; others are read again
	maxTree   = 64 << 20  // bytes of one tree object
	inFlight  = 512       // requests sent before the first answer is read
	idBinary1 = sha1.Size
	idBinary2 = sha256.Size
)

// objects reads objects through one git process. It is safe for concurrent use.
type objects struct {
	hash func() hash.Hash
	size int // of a binary id

	mu     sync.Mutex
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	broken error
	blobs  map[string][]byte
	large  map[string]bool   // blobs above git.MaxBlobSize
	extra  map[string][]byte // objects that only the work tree has
	kept   int
}

func openObjects(ctx context.Context, dir, format string) (*objects, error) {
	o := &objects{hash: sha1.New, size: idBinary1, blobs: map[string][]byte{}, large: map[string]bool{}, extra: map[string][]byte{}}
	if format == "sha256" {
		o.hash, o.size = sha256.New, idBinary2
	}
	o.cmd = command(ctx, dir, "cat-file", "--batch")
	var err error
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	stdout, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	o.out = bufio.NewReaderSize(stdout, 256<<10)
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	return o, nil
}

func (o *objects) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.broken, errClosed) {
		return nil
	}
	o.broken = errClosed
	_ = o.in.Close()
	if err := o.cmd.Wait(); err != nil && o.cmd.ProcessState == nil {
		return fmt.Errorf("end of git cat-file: %w", err)
	}
	return nil
}

// tree returns the content of a tree object.
func (o *objects) tree(id string) ([]byte, error) { return o.read(id, "tree", maxTree) }

// blob returns the content of a blob; the caller must not change it. One above git.MaxBlobSize is git.ErrTooLarge.
func (o *objects) blob(id string) ([]byte, error) { return o.read(id, "blob", git.MaxBlobSize) }

func (o *objects) read(id, kind string, most int64) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if data, ok := o.known(id); ok {
		return data, nil
	}
	if kind == "blob" && o.large[id] {
		return nil, tooLarge(most)
	}
	if o.broken != nil {
		return nil, o.broken
	}
	if _, err := io.WriteString(o.in, id+"\n"); err != nil {
		return nil, o.breaks(err)
	}
	return o.answer(id, kind, most)
}

// known returns what is held already.
func (o *objects) known(id string) ([]byte, bool) {
	if data, ok := o.extra[id]; ok {
		return data, true
	}
	data, ok := o.blobs[id]
	return data, ok
}

func tooLarge(most int64) error { return fmt.Errorf("more than %d bytes: %w", most, git.ErrTooLarge) }

// breaks notes that the process can no longer be used.
func (o *objects) breaks(err error) error {
	o.broken = fmt.Errorf("git cat-file: %w", err)
	return o.broken
}

// answer reads the answer to one request. Blobs are kept as long as there is room.
func (o *objects) answer(id, kind string, most int64) ([]byte, error) {
	head, err := o.out.ReadString('\n')
	if err != nil {
		return nil, o.breaks(err)
	}
	fields := strings.Fields(head)
	if len(fields) == 2 && fields[1] == "missing" {
		return nil, fmt.Errorf("object %s is missing from this clone: %w", id, git.ErrNotFound)
	}
	if len(fields) != 3 {
		return nil, o.breaks(fmt.Errorf("unexpected answer %q", excerpt([]byte(head))))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return nil, o.breaks(fmt.Errorf("unexpected size %q", fields[2]))
	}
	if size > most || fields[1] != kind {
		if _, err := io.CopyN(io.Discard, o.out, size+1); err != nil {
			return nil, o.breaks(err)
		}
		if fields[1] != kind {
			return nil, fmt.Errorf("object %s is a %s, not a %s", id, fields[1], kind)
		}
		o.large[id] = true
		return nil, tooLarge(most)
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(o.out, data); err != nil {
		return nil, o.breaks(err)
	}
	data = data[:size:size]
	if kind == "blob" && o.kept+len(data) <= maxKept {
		o.kept += len(data)
		o.blobs[id] = data
	}
	return data, nil
}

// prefetch reads many blobs and keeps them. It sends requests ahead of the answers, which saves waiting for each.
func (o *objects) prefetch(ctx context.Context, ids []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(ids) > 0 && o.kept < maxKept {
		if err := ctx.Err(); err != nil {
			return err
		}
		var request bytes.Buffer
		var asked []string
		for len(ids) > 0 && len(asked) < inFlight {
			if _, ok := o.known(ids[0]); !ok && !o.large[ids[0]] {
				asked = append(asked, ids[0])
				request.WriteString(ids[0] + "\n")
			}
			ids = ids[1:]
		}
		if err := o.exchange(request.Bytes(), asked); err != nil {
			return err
		}
	}
	return nil
}

// exchange sends requests and reads their answers at the same time, so that neither side waits for a full pipe.
func (o *objects) exchange(request []byte, asked []string) error {
	if o.broken != nil {
		return o.broken
	}
	sent := make(chan error, 1)
	go func() {
		_, err := o.in.Write(request)
		sent <- err
	}()
	for _, id := range asked {
		// A blob that is too large or missing is reported to whoever reads it.
		if _, err := o.answer(id, "blob", git.MaxBlobSize); err != nil && o.broken != nil {
			_ = o.in.Close()
			return errors.Join(o.broken, <-sent)
		}
	}
	if err := <-sent; err != nil {
		return o.breaks(err)
	}
	return nil
}

// hold makes an object known that the repository does not have, and returns its id.
func (o *objects) hold(kind string, data []byte) string {
	id := o.id(kind, data)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.extra[id] = data
	return id
}

// refuse makes the id of a blob known that is too large to be held.
func (o *objects) refuse(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.large[id] = true
}

// id is the name that git gives to an object.
func (o *objects) id(kind string, data []byte) string {
	h := o.begin(kind, int64(len(data)))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// begin starts the id of an object of the given size.
func (o *objects) begin(kind string, size int64) hash.Hash {
	h := o.hash()
	h.Write(fmt.Appendf(nil, "%s %d\x00", kind, size))
	return h
}

// entry is one name of a tree object.
type entry struct {
	name string
	mode uint32
	id   string
}

// The modes of entries.
const (
	modeTree       = 0o040000
	modeFile       = 0o100644
	modeExecutable = 0o100755
	modeSymlink    = 0o120000
	modeSubmodule  = 0o160000
)

func (e entry) isTree() bool { return e.mode == modeTree }

func (e entry) isFile() bool { return e.mode&0o170000 == 0o100000 }

// parseTree reads a tree object whose ids have size bytes.
func parseTree(raw []byte, size int) ([]entry, error) {
	var entries []entry
	for len(raw) > 0 {
		head, rest, found := bytes.Cut(raw, []byte{0})
		mode, name, spaced := strings.Cut(string(head), " ")
		if !found || !spaced || len(rest) < size || name == "" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("tree object is damaged after %d entries", len(entries))
		}
		bits, err := strconv.ParseUint(mode, 8, 32)
		if err != nil {
			return nil, fmt.Errorf("tree object: mode %q of %q: %w", mode, name, err)
		}
		entries = append(entries, entry{name: name, mode: uint32(bits), id: hex.EncodeToString(rest[:size])})
		raw = rest[size:]
	}
	return entries, nil
}

// printTree writes a tree object. The entries must be in the order of git: by name, a folder's as if it ended in "/".
func printTree(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	for _, e := range entries {
		id, err := hex.DecodeString(e.id)
		if err != nil {
			return nil, fmt.Errorf("tree object: id %q of %q: %w", e.id, e.name, err)
		}
		fmt.Fprintf(&b, "%o %s\x00", e.mode, e.name)
		b.Write(id)
	}
	return b.Bytes(), nil
}
