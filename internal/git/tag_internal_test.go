package git

import (
	"bytes"
	"testing"
)

func FuzzParseTag(f *testing.F) {
	f.Add([]byte("object 1212121212121212121212121212121212121212\ntype commit\ntag v1\ntagger A <a@b> 1700000000 +0200\n\nrelease\n\ntext\n"))
	f.Add([]byte("tag v1\n\nrelease\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"))
	f.Add([]byte("tagger <> 9999999999999999999 +9999\n\n-----BEGIN "))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, message := parseTag(raw)
		if !bytes.Contains(raw, []byte(message)) {
			t.Errorf("message %q is not in the tag", message)
		}
	})
}
