package git

import (
	"encoding/binary"
	"errors"
	"slices"
)

// splice replaces del bytes at offset at by ins.
type splice struct {
	at, del int
	ins     []byte
}

// applySplices returns the new content and the delta that makes it from old. Splices are ordered and do not overlap.
func applySplices(old []byte, splices []splice) (out, delta []byte) {
	size := len(old)
	for _, s := range splices {
		size += len(s.ins) - s.del
	}
	out = make([]byte, 0, size)
	delta = binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(old))), uint64(size))
	from := 0
	for _, s := range splices {
		out = append(append(out, old[from:s.at]...), s.ins...)
		delta = appendInsert(appendCopy(delta, from, s.at), s.ins)
		from = s.at + s.del
	}
	return append(out, old[from:]...), appendCopy(delta, from, len(old))
}

// appendCopy writes "copy old[from:to]". Git's copies are limited to 64 KiB each.
func appendCopy(d []byte, from, to int) []byte {
	for from < to {
		n := min(to-from, 0xffff)
		d = append(d, 0xbf, byte(from), byte(from>>8), byte(from>>16), byte(from>>24), byte(n), byte(n>>8))
		from += n
	}
	return d
}

func appendInsert(d, ins []byte) []byte {
	for part := range slices.Chunk(ins, 127) {
		d = append(append(d, byte(len(part))), part...)
	}
	return d
}

// middle is the one splice between the common start and the common end of two contents.
func middle(old, content []byte) splice {
	limit := min(len(old), len(content))
	start := 0
	for start < limit && old[start] == content[start] {
		start++
	}
	end := 0
	for end < limit-start && old[len(old)-1-end] == content[len(content)-1-end] {
		end++
	}
	return splice{at: start, del: len(old) - end - start, ins: content[start : len(content)-end]}
}

var errDelta = errors.New("malformed delta")

// deltaSizes returns the sizes of base and result that a delta names, and the instructions after them.
func deltaSizes(delta []byte) (base, result uint64, rest []byte, err error) {
	base, n := binary.Uvarint(delta)
	if n <= 0 {
		return 0, 0, nil, errDelta
	}
	result, m := binary.Uvarint(delta[n:])
	if m <= 0 {
		return 0, 0, nil, errDelta
	}
	return base, result, delta[n+m:], nil
}

// applyDelta returns what a delta makes of its base. Every bound is checked; a result above limit is ErrTooLarge.
func applyDelta(base, delta []byte, limit int) ([]byte, error) {
	_, size, _, err := deltaSizes(delta)
	if err != nil {
		return nil, err
	}
	if size > uint64(limit) {
		return nil, ErrTooLarge
	}
	out := make([]byte, 0, size)
	err = walkDelta(base, delta, func(part []byte) { out = append(out, part...) })
	return out, err
}

// walkDelta hands out the result of a delta piece by piece; together they have the size that the delta names.
func walkDelta(base, delta []byte, emit func([]byte)) error {
	want, left, d, err := deltaSizes(delta)
	if err != nil || want != uint64(len(base)) {
		return errDelta
	}
	for len(d) > 0 {
		op := d[0]
		d = d[1:]
		var part []byte
		if op&0x80 != 0 {
			part, d, err = copyPart(base, op, d)
		} else {
			part, d, err = insertPart(op, d)
		}
		if err != nil || uint64(len(part)) > left {
			return errDelta
		}
		left -= uint64(len(part))
		emit(part)
	}
	if left != 0 {
		return errDelta
	}
	return nil
}

func copyPart(base []byte, op byte, d []byte) (part, rest []byte, err error) {
	var args [7]byte
	for i := range args {
		if op&(1<<i) == 0 {
			continue
		}
		if len(d) == 0 {
			return nil, nil, errDelta
		}
		args[i], d = d[0], d[1:]
	}
	at := uint64(binary.LittleEndian.Uint32(args[:4]))
	n := uint64(args[4]) | uint64(args[5])<<8 | uint64(args[6])<<16
	if n == 0 {
		n = 0x10000
	}
	if at+n > uint64(len(base)) {
		return nil, nil, errDelta
	}
	return base[at : at+n], d, nil
}

func insertPart(op byte, d []byte) (part, rest []byte, err error) {
	if op == 0 || int(op) > len(d) {
		return nil, nil, errDelta
	}
	return d[:op], d[op:], nil
}
