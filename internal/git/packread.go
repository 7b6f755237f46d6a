package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

const (
	packOfsDelta = 6
	packRefDelta = 7

	maxTreeSize   = 64 << 20
	maxCommitSize = 1 << 20
	maxSnapshot   = 512 << 20 // inflated bytes kept of one answer
)

// packObject is one object of a pack with its content, and for a delta what it was made from.
type packObject struct {
	id    oid
	kind  kind
	data  []byte
	base  oid    // zero for a whole object
	delta []byte // nil for a whole object
}

// packReader turns a pack stream into objects. Blobs above MaxBlobSize are named in large and not kept.
type packReader struct {
	in       *packInput
	external func(oid) (kind, []byte, bool) // bases of a thin pack
	inflate  io.ReadCloser
	objects  []packObject
	byOffset map[int64]int // start of an object in the stream → index in objects
	byID     map[oid]int
	waiting  []waitingDelta
	large    []oid
	dropped  map[int64]bool // offsets of large blobs
	kept     int64
}

// waitingDelta is a delta whose base has not been read yet.
type waitingDelta struct {
	offset, baseOffset int64
	base               oid // zero for a base named by offset
	delta              []byte
}

func newPackReader(r io.Reader, external func(oid) (kind, []byte, bool)) *packReader {
	return &packReader{
		in:       &packInput{src: r, sum: sha1.New()},
		external: external,
		dropped:  map[int64]bool{},
	}
}

// read reads the whole pack and checks its trailer.
func (p *packReader) read() error {
	var head [12]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return unexpected(err)
	}
	if string(head[:4]) != "PACK" || binary.BigEndian.Uint32(head[4:]) != 2 {
		return errors.New("answer holds no version 2 pack")
	}
	count := binary.BigEndian.Uint32(head[8:])
	expect := int(min(count, 1<<15)) // a hostile count must not reserve memory
	p.objects = make([]packObject, 0, expect)
	p.byOffset, p.byID = make(map[int64]int, expect), make(map[oid]int, expect)
	for range count {
		if err := p.next(); err != nil {
			return unexpected(err)
		}
	}
	if err := p.settle(); err != nil {
		return err
	}
	return p.in.checkTrailer()
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p *packReader) next() error {
	offset := p.in.offset()
	code, size, err := p.in.header()
	if err != nil {
		return err
	}
	switch code {
	case packOfsDelta, packRefDelta:
		w := waitingDelta{offset: offset}
		if err := p.baseOf(code, &w); err != nil {
			return err
		}
		if size > maxTreeSize {
			p.dropped[offset] = true
			return p.discard(io.Discard, size)
		}
		if w.delta, err = p.content(size); err != nil {
			return err
		}
		if ok, err := p.resolve(w); ok || err != nil {
			return err
		}
		p.waiting = append(p.waiting, w)
		return nil
	case int(kindCommit), int(kindTree), int(kindBlob), int(kindTag):
		return p.whole(kind(code), offset, size)
	}
	return fmt.Errorf("pack object of unknown type %d", code)
}

func (p *packReader) baseOf(code int, w *waitingDelta) error {
	if code == packRefDelta {
		_, err := io.ReadFull(p.in, w.base[:])
		return err
	}
	back, err := p.in.offsetVarint()
	if err != nil {
		return err
	}
	if back <= 0 || back > w.offset {
		return errDelta
	}
	w.baseOffset = w.offset - back
	return nil
}

func (p *packReader) whole(k kind, offset, size int64) error {
	if size > sizeLimit(k) {
		if k == kindBlob {
			return p.dropBlob(offset, size)
		}
		return fmt.Errorf("%s of %d bytes: %w", k, size, ErrTooLarge)
	}
	data, err := p.content(size)
	if err != nil {
		return err
	}
	return p.add(offset, packObject{id: hashObject(k, data), kind: k, data: data})
}

func sizeLimit(k kind) int64 {
	switch k {
	case kindTree:
		return maxTreeSize
	case kindBlob:
		return MaxBlobSize
	case kindCommit, kindTag:
	}
	return maxCommitSize
}

func (p *packReader) add(offset int64, o packObject) error {
	if p.kept += int64(len(o.data)); p.kept > maxSnapshot {
		return fmt.Errorf("answer holds more than %d MiB: %w", maxSnapshot>>20, ErrTooLarge)
	}
	p.byOffset[offset] = len(p.objects)
	p.byID[o.id] = len(p.objects)
	p.objects = append(p.objects, o)
	return nil
}

// zlibAt starts inflating at the current place, reusing one inflater for the whole pack.
func (p *packReader) zlibAt() (err error) {
	if p.inflate == nil {
		p.inflate, err = zlib.NewReader(p.in)
		return err
	}
	return p.inflate.(zlib.Resetter).Reset(p.in, nil)
}

func (p *packReader) content(size int64) ([]byte, error) {
	if err := p.zlibAt(); err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(p.inflate, data); err != nil {
		return nil, err
	}
	return data, p.atEnd()
}

// atEnd reads the stream's checksum and refuses content longer than announced.
func (p *packReader) atEnd() error {
	var one [1]byte
	if n, err := p.inflate.Read(one[:]); n != 0 || !errors.Is(err, io.EOF) {
		if err == nil || n != 0 {
			return errors.New("pack object longer than announced")
		}
		return err
	}
	return nil
}

// dropBlob reads past a blob too large to keep. Its id is computed on the way, so that reading it can name the cause.
func (p *packReader) dropBlob(offset, size int64) error {
	h := blobHash(uint64(size))
	if err := p.discard(h, size); err != nil {
		return err
	}
	var id oid
	h.Sum(id[:0])
	p.large = append(p.large, id)
	p.dropped[offset] = true
	return nil
}

// blobHash is hashObject for a blob whose content is not held as a whole.
func blobHash(size uint64) hash.Hash {
	h := sha1.New()
	h.Write(fmt.Appendf(nil, "blob %d\x00", size))
	return h
}

func (p *packReader) discard(w io.Writer, size int64) error {
	if err := p.zlibAt(); err != nil {
		return err
	}
	if _, err := io.CopyN(w, p.inflate, size); err != nil {
		return err
	}
	return p.atEnd()
}

// resolve makes an object of a delta when its base is at hand.
func (p *packReader) resolve(w waitingDelta) (bool, error) {
	k, base, id, ok := p.base(w)
	if !ok {
		return false, nil
	}
	data, err := applyDelta(base, w.delta, int(sizeLimit(k)))
	if errors.Is(err, ErrTooLarge) && k == kindBlob {
		return true, p.dropDelta(w, base)
	}
	if err != nil {
		return false, fmt.Errorf("%s made from %s: %w", k, id, err)
	}
	return true, p.add(w.offset, packObject{id: hashObject(k, data), kind: k, data: data, base: id, delta: w.delta})
}

// dropDelta notes a blob that a delta makes too large to keep. Beyond maxSnapshot not even its id is worth computing.
func (p *packReader) dropDelta(w waitingDelta, base []byte) error {
	p.dropped[w.offset] = true
	_, size, _, err := deltaSizes(w.delta)
	if err != nil || size > maxSnapshot {
		return err
	}
	h := blobHash(size)
	if err := walkDelta(base, w.delta, func(part []byte) { h.Write(part) }); err != nil {
		return err
	}
	var id oid
	h.Sum(id[:0])
	p.large = append(p.large, id)
	return nil
}

func (p *packReader) base(w waitingDelta) (k kind, data []byte, id oid, ok bool) {
	i, ok := p.byOffset[w.baseOffset]
	if !w.base.IsZero() {
		i, ok = p.byID[w.base]
	}
	if ok {
		o := p.objects[i]
		return o.kind, o.data, o.id, true
	}
	if w.base.IsZero() {
		return 0, nil, oid{}, false
	}
	k, data, ok = p.external(w.base)
	return k, data, w.base, ok
}

// settle resolves the deltas that came before their bases. Deltas on a dropped blob are dropped with it.
func (p *packReader) settle() error {
	for len(p.waiting) > 0 {
		var still []waitingDelta
		for _, w := range p.waiting {
			if w.base.IsZero() && p.dropped[w.baseOffset] {
				p.dropped[w.offset] = true
				continue
			}
			ok, err := p.resolve(w)
			if err != nil {
				return err
			}
			if !ok {
				still = append(still, w)
			}
		}
		if len(still) == len(p.waiting) {
			if len(p.dropped) > 0 {
				return nil
			}
			return fmt.Errorf("%w: %d objects without their base", errDelta, len(still))
		}
		p.waiting = still
	}
	return nil
}

// packInput reads the stream byte-exactly (inflating must not read ahead), counts, and sums what was consumed.
type packInput struct {
	src      io.Reader
	buf      [32 << 10]byte
	pos, end int
	summed   int   // buf[:summed] is in sum
	before   int64 // bytes consumed before buf
	sum      hash.Hash
}

func (b *packInput) offset() int64 { return b.before + int64(b.pos) }

func (b *packInput) fill() error {
	b.sum.Write(b.buf[b.summed:b.end])
	b.before += int64(b.end)
	b.pos, b.end, b.summed = 0, 0, 0
	for range 100 {
		n, err := b.src.Read(b.buf[:])
		if n > 0 {
			b.end = n
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// ReadByte implements io.ByteReader.
func (b *packInput) ReadByte() (byte, error) {
	if b.pos == b.end {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	c := b.buf[b.pos]
	b.pos++
	return c, nil
}

// Read implements io.Reader.
func (b *packInput) Read(p []byte) (int, error) {
	if b.pos == b.end {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.buf[b.pos:b.end])
	b.pos += n
	return n, nil
}

// header reads an object's type and its size when inflated.
func (b *packInput) header() (code int, size int64, err error) {
	c, err := b.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	code, size = int(c>>4&7), int64(c&15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c, err = b.ReadByte(); err != nil {
			return 0, 0, err
		}
		if shift > 46 {
			return 0, 0, errors.New("pack object size out of range")
		}
		size |= int64(c&0x7f) << shift
	}
	return code, size, nil
}

// offsetVarint reads how far back the base of an offset delta is.
func (b *packInput) offsetVarint() (int64, error) {
	c, err := b.ReadByte()
	if err != nil {
		return 0, err
	}
	n := int64(c & 0x7f)
	for c&0x80 != 0 {
		if c, err = b.ReadByte(); err != nil {
			return 0, err
		}
		if n > 1<<48 {
			return 0, errDelta
		}
		n = (n+1)<<7 | int64(c&0x7f)
	}
	return n, nil
}

func (b *packInput) checkTrailer() error {
	b.sum.Write(b.buf[b.summed:b.pos])
	b.summed = b.pos
	want := b.sum.Sum(nil)
	var got [20]byte
	b.summed = b.end // the trailer is not part of the sum
	if _, err := io.ReadFull(b, got[:]); err != nil {
		return unexpected(err)
	}
	if !bytes.Equal(want, got[:]) {
		return errors.New("pack checksum does not match")
	}
	return nil
}
