package forge

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

// TestSigned checks against GitHub's own example, from
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
func TestSigned(t *testing.T) {
	right, err := hex.DecodeString("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
	if err != nil {
		t.Fatal(err)
	}
	key, other := []byte("It's a Secret to Everybody"), []byte("other")
	for _, test := range []struct {
		name        string
		keys, given [][]byte
		message     string // in pieces, by |
		want        bool
	}{
		{"by the key", [][]byte{key}, [][]byte{right}, "Hello, World!", true},
		{"a message in pieces", [][]byte{key}, [][]byte{right}, "Hello|, |World!", true},
		{"by the second key, the second signature", [][]byte{other, key}, [][]byte{{1}, right}, "Hello, World!", true},
		{"by the first key, the first signature", [][]byte{key, other}, [][]byte{right, {1}}, "Hello, World!", true},
		{"by another key", [][]byte{other}, [][]byte{right}, "Hello, World!", false},
		{"another message", [][]byte{key}, [][]byte{right}, "Hello, World", false},
		{"half a signature", [][]byte{key}, [][]byte{right[:16]}, "Hello, World!", false},
		{"no key", nil, [][]byte{right}, "Hello, World!", false},
		{"no signature", [][]byte{key}, nil, "Hello, World!", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var pieces [][]byte
			for piece := range strings.SplitSeq(test.message, "|") {
				pieces = append(pieces, []byte(piece))
			}
			if got := Signed(test.keys, test.given, pieces...); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"after":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0"}`)
	f.Add(`{"after":"0000000000000000000000000000000000000000"}`)
	f.Add(`{"after":7}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		var hook struct {
			After string `json:"after"`
		}
		if Decode([]byte(body), &hook) != nil {
			return
		}
		name := ObjectName(hook.After)
		if name != "" && (name != promote.Commit(hook.After) || len(name) < 40 || !strings.ContainsAny(string(name), "123456789abcdef")) {
			t.Errorf("%q is no object's name", name)
		}
		if clipped := Clip(hook.After); len(clipped) > MaxDelivery {
			t.Errorf("%d bytes", len(clipped))
		}
	})
}
