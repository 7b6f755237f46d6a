package git

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

type oid = plumbing.Hash

type kind uint8

const (
	kindCommit kind = iota + 1
	kindTree
	kindBlob
	kindTag
)

func (k kind) String() string {
	switch k {
	case kindCommit:
		return "commit"
	case kindTree:
		return "tree"
	case kindBlob:
		return "blob"
	case kindTag:
		return "tag"
	}
	return "object"
}

// hashObject returns the id git gives to an object.
func hashObject(k kind, data []byte) (id oid) {
	h := sha1.New()
	head := make([]byte, 0, 32)
	head = append(append(head, k.String()...), ' ')
	head = append(strconv.AppendInt(head, int64(len(data)), 10), 0)
	h.Write(head)
	h.Write(data)
	h.Sum(id[:0])
	return id
}

// emptyTree is the id of the tree without entries, which no server needs to hold.
func emptyTree() oid { return hashObject(kindTree, nil) }

func parseID(s string) (id oid, err error) {
	if len(s) != 40 || strings.ToLower(s) != s {
		return id, fmt.Errorf("commit id %q: expected 40 lower-case hexadecimal digits", oneLine(s, 60))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return oid{}, fmt.Errorf("commit id %q: expected 40 lower-case hexadecimal digits", oneLine(s, 60))
	}
	return id, nil
}

func parseIDs(list []string) ([]oid, error) {
	out := make([]oid, 0, len(list))
	for _, s := range list {
		id, err := parseID(s)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// Stamp is a signature with its time, as a commit holds it.
type Stamp struct {
	Signature
	When time.Time // in the zone the commit names
}

// CommitInfo is the content of a commit object.
type CommitInfo struct {
	ID        string
	Tree      string
	Parents   []string
	Author    Stamp
	Committer Stamp
	Message   string // as stored, with its final newline
}

func parseCommit(id oid, raw []byte) (CommitInfo, error) {
	info := CommitInfo{ID: id.String()}
	head, message, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		head = bytes.TrimSuffix(raw, []byte("\n"))
	}
	info.Message = string(message)
	for line := range strings.SplitSeq(string(head), "\n") {
		name, value, _ := strings.Cut(line, " ")
		switch name {
		case "tree":
			info.Tree = value
		case "parent":
			info.Parents = append(info.Parents, value)
		case "author":
			info.Author = parseStamp(value)
		case "committer":
			info.Committer = parseStamp(value)
		}
	}
	if _, err := parseIDs(append([]string{info.Tree}, info.Parents...)); err != nil {
		return CommitInfo{}, fmt.Errorf("commit %s is malformed: %w", id, err)
	}
	return info, nil
}

// parseStamp reads "Name <email> seconds zone"; what is malformed stays zero, because old histories hold such commits.
func parseStamp(s string) Stamp {
	open, end := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>')
	if open < 0 || end < open {
		return Stamp{Signature: Signature{Name: strings.TrimSpace(s)}}
	}
	st := Stamp{Signature: Signature{Name: strings.TrimSpace(s[:open]), Email: s[open+1 : end]}}
	fields := strings.Fields(s[end+1:])
	if len(fields) == 0 {
		return st
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return st
	}
	st.When = time.Unix(seconds, 0).UTC()
	if len(fields) > 1 && len(fields[1]) == 5 && (fields[1][0] == '+' || fields[1][0] == '-') {
		if hhmm, err := strconv.Atoi(fields[1][1:]); err == nil {
			offset := hhmm/100*3600 + hhmm%100*60
			if fields[1][0] == '-' {
				offset = -offset
			}
			if offset != 0 {
				st.When = st.When.In(time.FixedZone("", offset))
			}
		}
	}
	return st
}

// writeStamp prints "Name <email> seconds zone" without the characters that would end a field early.
func writeStamp(sig Signature, when time.Time) string {
	return fmt.Sprintf("%s <%s> %d %s", cleanName(sig.Name), cleanName(sig.Email), when.Unix(), when.Format("-0700"))
}

// cleanName removes what git refuses in names: line breaks and other control characters, angle brackets, and git's "crud"
// (spaces and punctuation) at both ends.
func cleanName(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\n', c == '\r', c == '\t':
			return ' '
		case c < ' ', c == 0x7f, c == '<', c == '>':
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	return strings.Trim(strings.Join(strings.Fields(s), " "), ` .,:;"'\`)
}

// cleanMessage makes a message storable: valid UTF-8, no NUL, LF line ends, no blank lines at the ends, one final newline.
func cleanMessage(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	s = strings.Trim(strings.Join(lines, "\n"), "\n")
	if s == "" {
		return ""
	}
	return s + "\n"
}

func encodeCommit(info CommitInfo) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", info.Tree)
	for _, p := range info.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\n", writeStamp(info.Author.Signature, info.Author.When))
	fmt.Fprintf(&b, "committer %s\n\n", writeStamp(info.Committer.Signature, info.Committer.When))
	b.WriteString(info.Message)
	return b.Bytes()
}

// withSignature adds the header gpgsig after the others, which is where git puts it. Every further line of the signature
// begins with a space, so that an empty one does not end the header.
func withSignature(raw []byte, signature string) []byte {
	head, message, _ := bytes.Cut(raw, []byte("\n\n"))
	var b bytes.Buffer
	b.Write(head)
	b.WriteString("\ngpgsig ")
	b.WriteString(strings.ReplaceAll(signature, "\n", "\n "))
	b.WriteString("\n\n")
	b.Write(message)
	return b.Bytes()
}
