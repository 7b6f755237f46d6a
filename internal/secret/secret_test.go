package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

func TestNothingShowsASecret(t *testing.T) {
	const canary = "glpat-canary"
	held := struct{ Token secret.Text }{canary}
	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&shown, verb+" ", held)
		fmt.Fprintf(&shown, verb+" ", held.Token)
	}
	encoded, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	shown.Write(encoded)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", held.Token, "held", held)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", held.Token, "held", held)
	shown.Write(log.Bytes())
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(shown.String(), form) {
			t.Errorf("%q shows in %s", form, &shown)
		}
	}
	if held.Token.Reveal() != canary {
		t.Error("Reveal does not reveal")
	}
}
