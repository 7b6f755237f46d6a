package git

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"
)

// FuzzDelta makes deltas from splices and applies them with go-git's patcher and with ours.
func FuzzDelta(f *testing.F) {
	f.Add([]byte("hello world"), []byte("there"), 6, 5, 8, 1)
	f.Add([]byte("a"), []byte("x"), 0, 0, 0, 0)
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 40), bytes.Repeat([]byte("y"), 300), 7, 10, 100, 20)
	f.Fuzz(func(t *testing.T, old, ins []byte, at1, del1, at2, del2 int) {
		if len(old) == 0 {
			return // nothing is ever a delta of nothing; go-git refuses it
		}
		first := splice{at: clamp(at1, len(old)), ins: ins}
		first.del = clamp(del1, len(old)-first.at)
		second := splice{at: first.at + first.del + clamp(at2, len(old)-first.at-first.del), ins: ins}
		second.del = clamp(del2, len(old)-second.at)
		want := slices.Concat(old[:first.at], ins, old[first.at+first.del:second.at], ins, old[second.at+second.del:])
		out, delta := applySplices(old, []splice{first, second})
		if !bytes.Equal(out, want) {
			t.Fatalf("splice gives %q, want %q", out, want)
		}
		theirs, err := packfile.PatchDelta(old, delta)
		if err != nil || !bytes.Equal(theirs, want) {
			t.Fatalf("go-git makes %q, %v of the delta, want %q", theirs, err, want)
		}
		ours, err := applyDelta(old, delta, 1<<30)
		if err != nil || !bytes.Equal(ours, want) {
			t.Fatalf("we make %q, %v of the delta, want %q", ours, err, want)
		}
		again, _ := applySplices(old, []splice{middle(old, want)})
		if !bytes.Equal(again, want) {
			t.Fatalf("middle gives %q, want %q", again, want)
		}
	})
}

func clamp(n, limit int) int {
	if limit <= 0 || n < 0 {
		return 0
	}
	return n % (limit + 1)
}

// FuzzApplyDelta feeds hostile deltas. What go-git's patcher accepts as well must have the same result.
func FuzzApplyDelta(f *testing.F) {
	f.Add([]byte("hello"), []byte{5, 5, 0x90, 5})
	f.Add([]byte("hello"), []byte{5, 3, 3, 'a', 'b', 'c'})
	f.Add([]byte("hello"), []byte{5, 255, 255, 255, 255, 15, 0xff, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		ours, err := applyDelta(base, delta, 1<<20)
		if err != nil {
			return
		}
		theirs, err := packfile.PatchDelta(base, delta)
		if err == nil && !bytes.Equal(ours, theirs) {
			t.Errorf("we make %q, go-git %q", ours, theirs)
		}
	})
}

// FuzzTree reads hostile trees. What is read must be what go-git reads, and writing it again must give the same bytes.
func FuzzTree(f *testing.F) {
	id := bytes.Repeat([]byte{7}, 20)
	f.Add(slices.Concat([]byte("100644 a\x00"), id, []byte("40000 b\x00"), id))
	f.Add(slices.Concat([]byte("100644 ..\x00"), id))
	f.Add([]byte("100644 a"))
	f.Add([]byte("9 a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again []byte
		var names []string
		padded := false // old tools wrote modes with leading zeros
		err := eachEntry(raw, func(e entry) bool {
			if strings.ContainsAny(string(e.name), "/\x00") || string(e.name) == ".." || len(e.name) == 0 {
				t.Fatalf("entry name %q", e.name)
			}
			again = appendEntry(again, e.mode, string(e.name), e.id)
			names = append(names, string(e.name))
			padded = padded || raw[e.at] == '0'
			return true
		})
		if err != nil {
			return
		}
		if !padded && !bytes.Equal(again, raw) {
			t.Errorf("%q is written again as %q", raw, again)
		}
		o := &plumbing.MemoryObject{}
		o.SetType(plumbing.TreeObject)
		if _, err := o.Write(raw); err != nil {
			t.Fatal(err)
		}
		var theirs gitobject.Tree
		if err := theirs.Decode(o); err == nil && len(theirs.Entries) != len(names) {
			t.Errorf("we read %q, go-git %d entries", names, len(theirs.Entries))
		}
		for _, name := range names {
			if _, ok, err := findEntry(raw, name); !ok || err != nil {
				t.Errorf("entry %q is not found: %v", name, err)
			}
		}
		if d, err := parseDir(raw); err != nil || len(d.entries) != len(names) {
			t.Errorf("parseDir reads %d of %d entries, %v", len(d.entries), len(names), err)
		}
	})
}

// FuzzPack reads hostile packs: it must end with an error or with objects that have the ids they claim.
func FuzzPack(f *testing.F) {
	base := []byte("base content that is long enough to be worth a delta\n")
	baseID := hashObject(kindBlob, base)
	_, delta := applySplices(base, []splice{{at: 5, del: 7, ins: []byte("CONTENT")}})
	for _, objects := range [][]outgoing{
		nil,
		{{kind: kindBlob, body: base}, {kind: kindBlob, base: &baseID, body: delta}},
		{{kind: kindBlob, base: &baseID, body: delta}, {kind: kindBlob, body: base}},
		{{kind: kindTree, body: nil}, {kind: kindCommit, body: []byte("tree x\n\n")}},
	} {
		pack, err := writePack(objects)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pack)
	}
	f.Fuzz(func(t *testing.T, pack []byte) {
		p := newPackReader(bytes.NewReader(pack), func(oid) (kind, []byte, bool) { return 0, nil, false })
		if err := p.read(); err != nil {
			return
		}
		for _, o := range p.objects {
			if hashObject(o.kind, o.data) != o.id {
				t.Errorf("object %s has another id", o.id)
			}
		}
	})
}

func TestPackIsReadByGoGit(t *testing.T) {
	base := bytes.Repeat([]byte("0123456789\n"), 20_000)
	changed, delta := applySplices(base, []splice{{at: 11, del: 2, ins: []byte("xyz")}, {at: 200_000, ins: base[:400]}})
	baseID := hashObject(kindBlob, base)
	tree := appendEntry(nil, modeFile, "a", hashObject(kindBlob, changed))
	objects := []outgoing{
		{kind: kindBlob, base: &baseID, body: delta},
		{kind: kindBlob, body: base},
		{kind: kindTree, body: tree},
	}
	pack, err := writePack(objects)
	if err != nil {
		t.Fatal(err)
	}
	store := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[kind][]byte{kindBlob: changed, kindTree: tree} {
		if _, err := store.EncodedObject(plumbing.AnyObject, hashObject(k, want)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	// The base comes after its delta, and then not at all.
	p := newPackReader(bytes.NewReader(pack), func(oid) (kind, []byte, bool) { return 0, nil, false })
	if err := p.read(); err != nil || len(p.objects) != 3 {
		t.Errorf("read %d objects, %v", len(p.objects), err)
	}
	thin, err := writePack(objects[:1])
	if err != nil {
		t.Fatal(err)
	}
	p = newPackReader(bytes.NewReader(thin), func(oid) (kind, []byte, bool) { return 0, nil, false })
	if err := p.read(); !errors.Is(err, errDelta) {
		t.Errorf("a delta without its base = %v", err)
	}
	p = newPackReader(bytes.NewReader(thin), func(oid) (kind, []byte, bool) { return kindBlob, base, true })
	if err := p.read(); err != nil || !bytes.Equal(p.objects[0].data, changed) {
		t.Errorf("thin pack: %v", err)
	}
	pack[len(pack)-1] ^= 1
	p = newPackReader(bytes.NewReader(pack), func(oid) (kind, []byte, bool) { return 0, nil, false })
	if err := p.read(); err == nil {
		t.Error("a wrong checksum was accepted")
	}
}

func TestEntriesSortAsGitDoes(t *testing.T) {
	var raw []byte
	entries := []struct {
		name   string
		isTree bool
	}{{"a.b", false}, {"a", true}, {"a-b", true}, {"a0", false}, {"ab", true}, {"a b", false}, {"b", false}}
	for _, e := range entries {
		at, err := insertOffset(raw, e.name, e.isTree)
		if err != nil {
			t.Fatal(err)
		}
		mode := uint32(modeFile)
		if e.isTree {
			mode = modeTree
		}
		raw = slices.Insert(raw, at, appendEntry(nil, mode, e.name, hashObject(kindBlob, []byte(e.name)))...)
	}
	var o gitobject.Tree
	if err := eachEntry(raw, func(e entry) bool {
		o.Entries = append(o.Entries, gitobject.TreeEntry{Name: string(e.name), Mode: filemode.FileMode(e.mode), Hash: e.id})
		return true
	}); err != nil {
		t.Fatal(err)
	}
	// go-git refuses to encode entries that are not in git's order.
	if err := o.Encode(&plumbing.MemoryObject{}); err != nil {
		t.Errorf("order is %v: %v", o.Entries, err)
	}
}
