package gitlab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	secret := secret.Text(testToken)
	cfg := Config{Token: secret}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", secret, "config", cfg.Token)
	data, err := json.Marshal(map[string]any{"token": secret})
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{log.String(), string(data), secret.String(), secret.GoString(), fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)}
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %d %t %e %c") {
		printed = append(printed, fmt.Sprintf(verb, secret))
	}
	for _, text := range printed {
		if strings.Contains(text, "do-not-print") || strings.Contains(text, fmt.Sprintf("%x", "do-not-print")) {
			t.Errorf("the secret shows: %s", text)
		}
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("got %s", text)
		}
	}
	if secret.Reveal() != testToken {
		t.Error("Reveal does not")
	}
}

func TestMarkdown(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain text", "a\n\nb", "a\n\nb"},
		{"a quick action", "/merge\ntext\n/approve", "\\/merge\ntext\n\\/approve"},
		{"an indented quick action", "  /close now\n", "  \\/close now\n"},
		{"paths and comments are not", "/\n//x\n/1\na /merge\n`/merge`\n", "/\n//x\n/1\na /merge\n`/merge`\n"},
		{"in a fence, without a mark", "```\n/merge\n /merge\n```\n/merge\n", "```\n /merge\n /merge\n```\n\\/merge\n"},
		{"behind a longer fence", "````diff\n```\n/a\n````\n/b\n", "````diff\n```\n /a\n````\n\\/b\n"},
		{"a fence that is none", "```a`b\n/merge\n", "```a`b\n\\/merge\n"},
		{"tildes", "~~~ `x`\n/merge\n~~~\n/merge\n", "~~~ `x`\n /merge\n~~~\n\\/merge\n"},
		{"an indented code block opens no fence", "    ```\n/merge\n", "    ```\n\\/merge\n"},
		{"empty", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := markdown(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestMarkdownIsCutAtALine(t *testing.T) {
	text := "````diff\n" + strings.Repeat("+ é\n", 300_000) + "````\n"
	got := markdown(text)
	want := "+ é\n````\n\n\nThe rest is left out: the text has 1500014 bytes, more than GitLab takes.\n"
	if !strings.HasSuffix(got, want) {
		t.Errorf("ends with %q", got[len(got)-150:])
	}
	if len(got) > maxText+200 {
		t.Errorf("got %d bytes", len(got))
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add("/merge")
	f.Add("```\n/merge\n```\n")
	f.Add("~~~~ x\n~~~\n\t/approve\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		for line := range strings.Lines(markdown(text)) {
			if len(line) > 1 && line[0] == '/' && isLetter(line[1]) {
				t.Errorf("%q is a quick action", line)
			}
		}
	})
}
