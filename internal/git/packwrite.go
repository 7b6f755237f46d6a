package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
)

// outgoing is an object to send: whole, or as a delta on an object that the server has or that is in the same pack.
type outgoing struct {
	kind kind
	base *oid
	body []byte // content, or the delta when base is set
}

// writePack encodes a version 2 pack.
func writePack(objects []outgoing) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("PACK")
	b.Write(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 2}, uint32(len(objects))))
	z := zlib.NewWriter(&b)
	for _, o := range objects {
		code := byte(o.kind)
		if o.base != nil {
			code = packRefDelta
		}
		b.Write(packHeader(code, len(o.body)))
		if o.base != nil {
			b.Write(o.base[:])
		}
		z.Reset(&b)
		if _, err := z.Write(o.body); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
	}
	sum := sha1.Sum(b.Bytes())
	b.Write(sum[:])
	return b.Bytes(), nil
}

func packHeader(code byte, size int) []byte {
	first := code<<4 | byte(size&15)
	size >>= 4
	var out []byte
	for size > 0 {
		out = append(out, first|0x80)
		first = byte(size & 0x7f)
		size >>= 7
	}
	return append(out, first)
}
