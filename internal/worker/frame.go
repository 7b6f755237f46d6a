package worker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// protocol is the version of the frames. Both ends are the same program, unless it was replaced on disk in between.
const protocol = 1

// What one frame may hold.
const (
	maxHead = 8 << 20
	maxBody = 64 << 20
)

// The kinds of frames.
const (
	kindHello = "hello" // of the worker, once
	kindJob   = "job"
	kindFile  = "file"
	kindLook  = "look"
	kindFetch = "fetch"
	kindTree  = "fetched"
	kindDone  = "done" // the body is the engine's answer
)

// head says what a frame is. Most fields belong to one kind.
type head struct {
	Kind     string
	Protocol int       `json:",omitempty"` // hello
	Engine   string    `json:",omitempty"` // job
	Memory   int64     `json:",omitempty"` // job: bytes that the worker may take
	Fetches  bool      `json:",omitempty"` // job: fetch may be asked for
	What     []string  `json:",omitempty"` // fetch
	Tree     int       `json:",omitempty"` // look, fetched: the tree, 0 is that of the job
	Path     string    `json:",omitempty"` // look
	Content  bool      `json:",omitempty"` // look: of a file that is too large to be sent unasked
	File     *file     `json:",omitempty"` // file: the body is its content
	Failures []failure `json:",omitempty"` // done, fetched
	Read     []string  `json:",omitempty"` // done: the files that the engine opened
}

// file describes one path of the tree.
type file struct {
	Path    string
	Mode    fs.FileMode `json:",omitempty"`
	Size    int64       `json:",omitempty"`
	Entries []entry     `json:",omitempty"` // of a folder
	Whole   bool        `json:",omitempty"` // the body is the content
	Missing bool        `json:",omitempty"`
	Failure *failure    `json:",omitempty"` // why it cannot be read
}

// entry is one name of a folder.
type entry struct {
	Name string
	Mode fs.FileMode `json:",omitempty"` // its type
}

var errFrame = errors.New("not a frame")

func writeFrame(w io.Writer, h head, body []byte) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(text) > maxHead || len(body) > maxBody {
		return fmt.Errorf("%w: a %s of %d and %d bytes is too long", errFrame, h.Kind, len(text), len(body))
	}
	frame := make([]byte, 8, 8+len(text)+len(body))
	binary.BigEndian.PutUint32(frame, uint32(len(text)))
	binary.BigEndian.PutUint32(frame[4:], uint32(len(body)))
	_, err = w.Write(append(append(frame, text...), body...))
	return err
}

// readFrame reads one frame. It returns io.EOF when there is none.
func readFrame(r io.Reader) (head, []byte, error) {
	var lengths [8]byte
	if _, err := io.ReadFull(r, lengths[:]); err != nil {
		return head{}, nil, err
	}
	headLength, bodyLength := binary.BigEndian.Uint32(lengths[:]), binary.BigEndian.Uint32(lengths[4:])
	if headLength > maxHead || bodyLength > maxBody {
		return head{}, nil, fmt.Errorf("%w: its lengths are %d and %d", errFrame, headLength, bodyLength)
	}
	text, err := readAll(r, headLength)
	if err != nil {
		return head{}, nil, err
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		return head{}, nil, fmt.Errorf("%w: %w", errFrame, err)
	}
	body, err := readAll(r, bodyLength)
	return h, body, err
}

// readAll reads length bytes and takes memory only for those that come.
func readAll(r io.Reader, length uint32) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err == nil && len(data) < int(length) {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}
